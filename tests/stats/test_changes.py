"""Paired changes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import stdtrit

from evenhand import registry, stats
from evenhand.errors import NotComparable
from evenhand.metrics import Sums
from evenhand.metrics.likelihoods import PERPLEXITY as perplexity
from evenhand.records import Score
from evenhand.stats.kinds import Interval, combined_change
from evenhand.stats.paired import tango
from tests.stats.made import MEAN, RESAMPLED, scores


def test_paired_change_of_a_constant_shift_has_no_spread_and_no_interval_of_zero_width() -> None:
    x = np.random.default_rng(0).normal(size=50)
    for metric in (MEAN, RESAMPLED):
        change = stats.paired_change(metric, scores(x.tolist()), scores((x + 0.25).tolist()), seed=0)
        assert change.value == pytest.approx(0.25)
        assert (change.low, change.high, change.method) == (None, None, "")
        assert change.ideal is None
    # In the range 0 to 1 the change lies in -1 to 1, and of 50 clusters up to 1 - .025^(1/50) = 7.1 % may be
    # unlike those that were seen: -0.25 - 0.071 (1 - 0.25) and -0.25 + 0.071 (1 + 0.25).
    bounded = dataclasses.replace(MEAN, low=0.0, high=1.0)
    y = np.linspace(0.3, 0.9, 50)
    change = stats.paired_change(bounded, scores(y.tolist()), scores((y - 0.25).tolist()), seed=0)
    q = 1 - 0.025 ** (1 / 50)
    assert (change.low, change.high) == pytest.approx((-0.25 - q * 0.75, -0.25 + q * 1.25))
    assert change.method == "exact"


def test_the_change_of_a_share_is_tangos() -> None:
    """60 items: 3 lost and 1 won; the interval is that of the paired answers, two-sided."""
    share = dataclasses.replace(MEAN, low=0.0, high=1.0, kind=Sums(lambda t: t["x"], share=True))
    old = [1.0] * 30 + [0.0] * 30
    new = [0.0] * 3 + [1.0] * 27 + [1.0] + [0.0] * 29
    change = stats.paired_change(share, scores(old), scores(new))
    low, high = tango(np.array(1.0), np.array(3.0), np.array(60.0), 1.959963985)
    assert change.value == pytest.approx(-2 / 60)
    assert (change.low, change.high) == pytest.approx((float(low), float(high)))
    assert change.method == "tango"
    halves = stats.paired_change(share, scores([0.5, *old[1:]]), scores(new))
    assert halves.method == "t"  # a tie is no flip: the mean of differences, over 60 clusters


def test_the_change_of_a_perplexity_is_that_of_its_logarithm_to_first_order() -> None:
    """Texts of one length: influence of a text on exp(mean) is exp(mean) times its departure over n."""
    rng = np.random.default_rng(5)
    a, b = rng.uniform(1.5, 2.5, (2, 80))
    made = [[Score(f"s{i}", f"c{i}", {"nll": v, "tokens": 1.0}) for i, v in enumerate(x)] for x in (a, b)]
    change = stats.paired_change(perplexity, *made)
    u = np.exp(b.mean()) * (b - b.mean()) - np.exp(a.mean()) * (a - a.mean())
    half = stdtrit(79, 0.975) * np.sqrt(np.square(u).sum() * 80 / 79) / 80
    assert change.value == pytest.approx(np.exp(b.mean()) - np.exp(a.mean()))
    assert (change.low, change.high) == pytest.approx((change.value - half, change.value + half))
    same = stats.paired_change(perplexity, made[0], made[0])
    assert (same.value, same.low, same.high) == (0.0, None, None)


def test_few_clusters_are_marked_where_skewed_data_fall_short() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 20))
    share = dataclasses.replace(MEAN, low=0.0, high=1.0, kind=Sums(lambda t: t["x"], share=True))
    for metric, n, few in ((MEAN, 19, True), (MEAN, 20, False), (RESAMPLED, 19, True), (share, 19, False)):
        old, new = (x > 0, y > 0) if metric is share else (x, y)
        change = stats.paired_change(metric, scores(old[:n].astype(float)), scores(new[:n].astype(float)))
        assert (change.low is not None, change.few_clusters) == (True, few)


def test_paired_change_is_the_bootstrap_of_differences() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 80))
    names = [f"c{i // 4}" for i in range(80)]
    change = stats.paired_change(MEAN, scores(x.tolist(), names), scores(y.tolist(), names), seed=6, B=500)
    direct = stats.estimate(MEAN, scores((y - x).tolist(), names), seed=6, B=500)
    for got, expected in ((change.value, direct.value), (change.low, direct.low), (change.high, direct.high)):
        assert got == pytest.approx(expected)


def test_paired_change_uses_the_items_defined_on_both_sides() -> None:
    # Shared items are the 1st and 4th: (2 + 8)/2 - (1 + 4)/2 = 2.5; each side alone would give other items.
    before, after = scores([1.0, None, 3.0, 4.0]), scores([2.0, 9.0, None, 8.0])
    change = stats.paired_change(MEAN, before, after, B=50)
    assert (change.value, change.n, change.undefined) == (2.5, 2, 2)


def test_paired_change_without_a_shared_item_is_undefined() -> None:
    change = stats.paired_change(MEAN, scores([1.0, None]), scores([None, 2.0]), B=50)
    assert (change.value, change.low, change.high, change.n, change.undefined) == (None, None, None, 0, 2)
    assert stats.paired_change(MEAN, [], [], B=50).value is None


def test_paired_change_matches_items_by_id() -> None:
    before, after = scores([1.0, 2.0, 4.0]), scores([1.5, 2.5, 4.5])
    straight = stats.paired_change(MEAN, before, after, B=50)
    assert stats.paired_change(MEAN, before, after[::-1], B=50) == straight
    assert straight.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    "after",
    [
        [Score("s0", "c0", {"x": 1.0})],
        [Score("s0", "c0", {"x": 1.0}), Score("other", "c1", {"x": 1.0})],
        [Score("s0", "c0", {"x": 1.0}), Score("s0", "c0", {"x": 2.0})],
    ],
)
def test_paired_change_refuses_other_samples(after: list[Score]) -> None:
    with pytest.raises(NotComparable, match="different samples"):
        stats.paired_change(MEAN, scores([1.0, 2.0]), after)


def test_alignment_refuses_to_guess_between_repeated_ids() -> None:
    twice = [Score("a", "c", {"x": 1.0}), Score("a", "c", {"x": 2.0}), Score("b", "c", {"x": 3.0})]
    assert stats.aligned(twice, list(twice)) == twice  # the same order needs no guess
    with pytest.raises(NotComparable):
        stats.aligned(twice, twice[::-1])


def _people(favoured: tuple[int, int], n: int = 100) -> list[Score]:
    """Two groups of `n`, of whom so many are favoured, the first ones; each second one deserves it."""
    return [
        Score(
            f"{g}/{i}",
            f"{g}/{i}",
            {"member.0": 1.0 - g, "member.1": float(g), "decision": float(i < most), "outcome": float(i % 2)},
        )
        for g, most in enumerate(favoured)
        for i in range(n)
    ]


def test_the_change_of_a_gap_combines_the_intervals_of_both_sides() -> None:
    """From 70 and 30 of 100 to 50 and 50: a gap of .4 to 0.

    MOVER: an end lies sqrt(a^2 + b^2 - 2 r a b) from -.4, with r the correlation of the resamples, which is
    between -1 and 1; a and b are how far the two gaps' own ends lie from them. That of the gap of 0 goes as
    far below 0 as the other one goes above: the difference of two rates of .5.
    """
    dpd = registry.get("metric", "dpd")
    before, after = _people((70, 30)), _people((50, 50))
    old, new = (stats.estimate(dpd, side) for side in (before, after))
    change = stats.paired_change(dpd, before, after)
    assert change.value == pytest.approx(-0.4)
    assert change.method == "mover"
    assert new.low == 0.0
    for a, b, far in (
        ((new.high or 0.0), (old.high or 0.0) - 0.4, -0.4 - (change.low or 0.0)),
        ((new.high or 0.0), 0.4 - (old.low or 0.0), (change.high or 0.0) + 0.4),
    ):
        assert abs(a - b) - 1e-9 <= far <= a + b + 1e-9


def test_a_gap_that_did_not_change_has_an_interval_around_0() -> None:
    """The same decisions on both sides: nothing varied, and still other people might have."""
    dpd = registry.get("metric", "dpd")
    change = stats.paired_change(dpd, _people((60, 40)), _people((60, 40)))
    assert change.value == 0
    assert change.low is not None
    assert change.high is not None
    assert change.low < 0 < change.high


def test_figures_that_vary_together_have_a_shorter_change() -> None:
    """Of figures .5 in .4 to .7 and .3 in .2 to .4: low -.2 - sqrt(.1^2 + .2^2 - 2 r .1 .2)."""
    sides = ((0.5, Interval(0.4, 0.7, "t")), (0.3, Interval(0.2, 0.4, "t")))
    dpd = registry.get("metric", "dpd")
    x, y = np.random.default_rng(0).normal(size=(2, 4000))
    for other, r in ((x, 1.0), (-x, -1.0), (y, 0.0)):
        found = combined_change(dpd, sides, (x, other))
        assert found.low == pytest.approx(-0.2 - np.sqrt(0.01 + 0.04 - 2 * r * 0.02), abs=0.01)
        assert found.high == pytest.approx(-0.2 + np.sqrt(0.01 + 0.01 - 2 * r * 0.01), abs=0.01)
    still = np.full(4000, 0.5)
    assert combined_change(dpd, sides, (x, still)).low == pytest.approx(-0.2 - np.sqrt(0.05))
    assert combined_change(dpd, ((0.5, Interval()), sides[1]), (x, y)) == Interval()
