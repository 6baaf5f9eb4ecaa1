"""Tango's bounds against published intervals, and what keeps a loss from passing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.stats.paired import change_ends, items_needed, loss_bounds, tango, worth_of

Z95 = 1.959964


def test_tango_as_published() -> None:
    # Airway hyper-responsiveness before and after transplantation, 1 and 7 of 21 discordant: Tango's interval
    # in Fagerland, Lydersen & Laake 2014 (Statistics in Medicine 33, 2850-2875) is -0.517 to -0.026.
    low, high = tango(1, 7, 21, Z95)
    assert (float(low), float(high)) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_without_a_flip_the_score_interval_has_a_closed_form() -> None:
    # n δ / sqrt(n δ (1 - δ)) = z: δ = z² / (n + z²) = 3.84146 / 57.84146.
    low, high = tango(0, 0, 54, Z95)
    assert (float(low), float(high)) == pytest.approx((-0.066414, 0.066414), abs=1e-6)


def test_all_flips_one_way_reach_the_end_of_the_range() -> None:
    assert float(tango(5, 0, 5, Z95)[1]) == 1.0


def test_limits_solve_the_score_equation() -> None:
    # The share of the won q maximises b ln(q + δ) + c ln q + (n - b - c) ln(1 - 2q - δ): here on a grid.
    b, c, n = 40, 20, 160
    for delta, sign in zip(tango(b, c, n, Z95), (1, -1), strict=True):
        q = np.linspace(max(0, -float(delta)) + 1e-6, (1 - float(delta)) / 2 - 1e-6, 200_001)
        best = q[np.argmax(b * np.log(q + delta) + c * np.log(q) + (n - b - c) * np.log(1 - 2 * q - delta))]
        t = (b - c - n * delta) / np.sqrt(n * (2 * best + delta * (1 - delta)))
        assert t == pytest.approx(sign * Z95, abs=1e-3)


def test_exchanging_lost_and_won_mirrors_the_limits() -> None:
    low, high = tango(9, 4, 80, Z95)
    other_low, other_high = tango(4, 9, 80, Z95)
    assert (float(low), float(high)) == pytest.approx((-float(other_high), -float(other_low)))


def test_many_pairs_at_once_are_the_pairs_one_by_one() -> None:
    lost, won = np.array([0.0, 3.0, 7.5]), np.array([2.0, 3.0, 0.0])
    low, high = tango(lost, won, np.full(3, 40.0), Z95)
    for i in range(3):
        one = tango(lost[i], won[i], 40.0, Z95)
        assert (low[i], high[i]) == pytest.approx((float(one[0]), float(one[1])))


def test_a_loss_that_was_never_seen_is_not_excluded_by_few_items() -> None:
    # 1 - 0.05^(1/74) = 3.97 %: 74 unchanged answers do not exclude a loss of 1, 2 or 3 points.
    found = loss_bounds(np.ones(74), np.ones(74))
    assert found
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 74))
    assert [found.state(margin) for margin in (0.01, 0.02, 0.03, 0.05)] == ["undecided"] * 3 + ["kept"]


def test_a_certain_loss_is_lost_and_a_small_one_of_many_items_kept() -> None:
    before = np.ones(400)
    after = before.copy()
    after[:40] = 0.0
    found = loss_bounds(before, after)
    assert found
    assert (found.lost, found.won, found.value) == (40, 0, 0.1)
    assert found.state(0.03) == "lost"
    # 4 lost and 4 won of 2000: z sqrt(8)/2000 = 0.23 points, far below one.
    after = np.ones(2000)
    after[:4] = 0.0
    before = np.ones(2000)
    before[4:8] = 0.0
    kept = loss_bounds(before, after)
    assert kept
    assert kept.state(0.01) == "kept"


def test_flips_of_whole_clusters_are_worth_one_item_each() -> None:
    # 60 clusters of 5; in six of them every answer is lost: a cluster is one answer, 300 are worth about 60.
    d = np.zeros(300)
    d[:30] = 1.0
    codes = np.repeat(np.arange(60), 5)
    # The variance over clusters is 5 times that over items but for (60/59) / (300/299), and the t's ratio.
    t = 1.649966 / 1.671093  # t_299 and t_59 at 95 %
    assert worth_of(d, codes) == pytest.approx(60 * (59 / 60) * (300 / 299) * t**2, rel=1e-3)


def test_with_flips_in_few_clusters_a_cluster_is_an_item() -> None:
    d = np.zeros(300)
    d[[0, 5, 10, 15]] = 1.0
    codes = np.repeat(np.arange(60), 5)
    assert worth_of(d, codes) == 60
    assert worth_of(np.zeros(300), codes) == 60
    d[20] = 1.0  # a fifth cluster: now the design effect can be estimated, and is none
    assert worth_of(d, codes) > 250
    assert worth_of(d, None) == 300


def test_undefined_items_are_left_out_on_both_sides() -> None:
    found = loss_bounds([1.0, np.nan, 1.0, 0.0], [0.0, 1.0, np.nan, 0.0])
    assert found
    assert (found.n, found.lost, found.won) == (2, 1, 0)
    assert loss_bounds([np.nan], [1.0]) is None
    with pytest.raises(BadData, match="2 answers before and 1 after"):
        loss_bounds([1.0, 1.0], [1.0])


@pytest.mark.parametrize(("flips", "expected"), [(0.0, 310), (0.02, 640), (0.05, 1400), (0.10, 2800)])
def test_the_items_that_would_decide_one_point(flips: float, expected: int) -> None:
    needed = items_needed(0.01, flips)
    assert needed is not None
    assert needed == pytest.approx(expected, rel=0.04)
    # It is the smallest: one item fewer leaves the margin in.
    bounds = [max(float(tango(n * flips / 2, n * flips / 2, n, 1.644854)[1]), 1 - 0.05 ** (1 / n))
              for n in (needed - 1, needed)]  # fmt: skip
    assert bounds[1] < 0.01 <= bounds[0]


def test_never_seen_losses_need_three_hundred_items_less_one() -> None:
    # ln 0.05 / ln 0.99 = 298.07.
    assert items_needed(0.01, 0.0) == 299
    assert items_needed(0.0, 0.0) is None


def test_clusters_raise_the_items_needed() -> None:
    before, after = np.ones(100), np.ones(100)
    alone = loss_bounds(before, after)
    paired = loss_bounds(before, after, np.repeat(np.arange(50), 2))
    assert alone
    assert paired
    assert (alone.items_to_decide(0.01), paired.items_to_decide(0.01)) == (299, 598)


def test_a_true_loss_hardly_ever_passes() -> None:
    # 2000 answers, 3 % lost and 2 % won: a true loss of exactly the margin of one point.
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(400):
        fate = rng.random(2000)
        found = loss_bounds(1.0 - (fate > 0.98), 1.0 - (fate < 0.03))
        passed += found is not None and found.state(0.01) == "kept"
    assert passed / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_change_of_identical_models_has_a_width() -> None:
    # z² / (50 + z²) = 3.84146 / 53.84146 = 7.135 %, a little above the exact 1 - 0.025^(1/50) = 7.112 %.
    assert change_ends(np.ones(50), np.ones(50)) == pytest.approx((-0.07135, 0.07135), abs=1e-5)
    assert change_ends(np.ones(4), np.ones(4), np.zeros(4, dtype=int)) == (None, None)


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(32), 10)])
def test_where_many_answers_change_one_way_alone_the_change_is_certain(clusters: Any) -> None:
    # 185 of 320 go one way and none the other: Tango's interval, 0 far outside, whichever way it is.
    less = np.array([0.0] * 185 + [1.0] * 135)
    low, high = change_ends(np.ones(320), less, clusters)
    assert low is not None
    assert high is not None
    assert low < -185 / 320 < high < -0.3
    assert change_ends(less, np.ones(320), clusters) == pytest.approx((-high, -low), abs=1e-9)


def test_a_change_is_the_negative_of_the_loss() -> None:
    before = np.array([1.0] * 30 + [0.0] * 10)
    after = np.array([1.0] * 22 + [0.0] * 8 + [1.0] * 3 + [0.0] * 7)
    low, high = tango(8, 3, 40, Z95)
    assert change_ends(before, after) == pytest.approx((-float(high), -float(low)), abs=1e-5)
