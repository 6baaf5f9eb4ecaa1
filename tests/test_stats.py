"""Estimates, intervals and tests against hand-worked values, scipy and simulation."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand import stats
from evenhand.errors import BadData, NotComparable, UsageError
from evenhand.metrics import Columns, Metric, mean_metric
from evenhand.metrics.likelihoods import PERPLEXITY as perplexity
from evenhand.records import Score

MEAN = mean_metric(
    "mean",
    "Mean of x",
    per_item=lambda table: table["x"],
    unit="1",
    ideal=0.0,
    low=None,
    high=None,
    source="test",
    reading="test",
    needs=("x",),
)


def scores(x: Sequence[float | None], clusters: Sequence[str] | None = None) -> list[Score]:
    names = clusters or [f"c{i}" for i in range(len(x))]
    return [Score(f"s{i}", name, {"x": v}) for i, (v, name) in enumerate(zip(x, names, strict=True))]


# -- resamples


def test_resamples_count_clusters_as_often_as_there_are() -> None:
    clusters = ["b", "a", "b", "c", "a"]
    weights = stats.resamples(clusters, 5, 200, 3)
    assert weights.shape == (200, 5)
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])  # both of cluster b
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])  # both of cluster a
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 1] + weights[:, 3], np.full(200, 3.0))


def test_resamples_are_multinomial() -> None:
    # One of 4 items in 4 draws: mean 1, variance 4 · 1/4 · 3/4 = 0.75, covariance -4/16 = -0.25.
    weights = stats.resamples(None, 4, 40_000, 0)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.02)
    expected = np.full((4, 4), -0.25) + np.eye(4)
    np.testing.assert_allclose(np.cov(weights.T), expected, atol=0.03)


def test_resamples_repeat_under_one_seed_only() -> None:
    first, again, other = (stats.resamples(["a", "b", "c"] * 4, 12, 50, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_resamples_follow_their_items_when_these_are_reordered() -> None:
    clusters = np.array(list("cabbacad"))
    order = np.array([5, 2, 7, 0, 1, 6, 3, 4])
    straight = stats.resamples(clusters.tolist(), 8, 30, 1)
    np.testing.assert_array_equal(straight[:, order], stats.resamples(clusters[order].tolist(), 8, 30, 1))


def test_block_size_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    items = scores(np.random.default_rng(0).normal(size=30).tolist(), [f"c{i % 7}" for i in range(30)])
    whole = stats.estimate(MEAN, items, seed=5, B=101)
    monkeypatch.setattr(stats, "CELLS", 30 * 4)  # blocks of four resamples, the last of one
    assert stats.estimate(MEAN, items, seed=5, B=101) == whole
    given = stats.resamples([s.cluster for s in items], 30, 101, 5)
    assert stats.estimate(MEAN, items, weights=given) == whole


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_blocks_of_odd_sizes_go_on_where_the_last_one_stopped(rows: int) -> None:
    names = [f"c{i % 13}" for i in range(31)]
    whole = stats.resamples(names, 31, 101, 5)
    parts = list(stats._blocks(*stats._codes(names, 31), 101, 5, rows))
    assert max(len(part) for part in parts) == rows
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_clusters_are_numbered_in_the_order_of_their_names() -> None:
    names = ["b", "ab", "é", "a", "b", "Z"]
    codes, size = stats._codes(names, 6)
    assert (codes.tolist(), size) == (np.unique(names, return_inverse=True)[1].tolist(), 5)


@pytest.mark.parametrize("clusters", [["a"], ["a", "b", "c"]])
def test_resamples_refuse_a_wrong_number_of_names(clusters: list[str]) -> None:
    with pytest.raises(BadData, match="one name for each item"):
        stats.resamples(clusters, 2, 10, 0)


def test_resamples_refuse_no_resample() -> None:
    with pytest.raises(UsageError, match="too few"):
        stats.resamples(None, 3, 0, 0)


def test_resamples_of_no_item_are_empty() -> None:
    assert stats.resamples(None, 0, 5, 0).shape == (5, 0)


# -- interval


def test_interval_is_the_percentiles() -> None:
    # 0..1000: the 2.5th percentile is 25, the 97.5th 975; order and a NaN do not matter.
    values = np.append(np.random.default_rng(0).permutation(1001), np.nan)
    assert stats.interval(values, 0.95) == pytest.approx((25.0, 975.0))
    assert stats.interval(values, 0.90) == pytest.approx((50.0, 950.0))


def test_interval_refuses_more_than_one_undefined_resample_in_twenty() -> None:
    values = np.arange(100.0)
    values[:5] = np.nan
    assert stats.interval(values)[0] is not None
    values[5] = np.inf
    assert stats.interval(values) == (None, None)
    assert stats.interval([]) == (None, None)
    assert stats.interval([np.nan]) == (None, None)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_interval_refuses_an_impossible_level(level: float) -> None:
    with pytest.raises(UsageError, match="not between 0 and 1"):
        stats.interval([1.0, 2.0], level)


# -- estimate


def test_estimate_counts_defined_and_undefined_items() -> None:
    e = stats.estimate(MEAN, scores([1.0, None, 3.0, 5.0]), B=200)
    assert (e.value, e.n, e.undefined, e.ideal, e.level) == (3.0, 3, 1, 0.0, 0.95)
    assert e.low is not None
    assert e.high is not None
    assert 1.0 <= e.low < 3.0 < e.high <= 5.0


def test_no_block_of_weights_is_larger_than_allowed_and_all_metrics_share_one_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn, seen = [], []
    draw = stats._draw

    def spied(rng: np.random.Generator, rows: int, size: int) -> np.ndarray:
        drawn.append(rows)
        return draw(rng, rows, size)

    def watched(name: str) -> Metric:
        def compute(table: Columns, weights: np.ndarray) -> np.ndarray:
            seen.append(weights.size)
            return MEAN.compute(table, weights)

        return dataclasses.replace(MEAN, name=name, compute=compute)

    items = scores(np.random.default_rng(0).normal(size=40).tolist())
    apart = {name: stats.estimate(watched(name), items, seed=5) for name in "abc"}
    monkeypatch.setattr(stats, "_draw", spied)
    monkeypatch.setattr(stats, "CELLS", 40 * 25)
    seen.clear()
    together = stats.estimates([watched(name) for name in "abc"], items, seed=5)
    assert drawn == [25] * 40  # a thousand resamples, once for the three metrics
    assert max(seen) == 40 * 25
    for name in "abc":
        assert together[name].value == apart[name].value
        assert together[name].low == pytest.approx(apart[name].low, abs=1e-12)
        assert together[name].high == pytest.approx(apart[name].high, abs=1e-12)


def test_more_items_than_a_block_may_hold_come_one_resample_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = scores(np.random.default_rng(1).normal(size=50).tolist(), [f"c{i % 9}" for i in range(50)])
    whole = stats.estimate(MEAN, items, seed=2)
    monkeypatch.setattr(stats, "CELLS", 10)
    blocks = list(stats._weight_blocks(items, None, 7, 2))
    assert {block.shape for block in blocks} == {(1, 50)}
    again = stats.estimate(MEAN, items, seed=2)
    assert (again.low, again.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


def test_the_signs_of_a_permutation_test_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, size=60)
    p = stats.paired_permutation(differences)
    monkeypatch.setattr(stats, "CELLS", 100)
    assert stats.paired_permutation(differences) == p


def test_estimate_of_nothing_is_undefined_not_zero() -> None:
    empty = stats.estimate(MEAN, [])
    assert (empty.value, empty.low, empty.high, empty.n, empty.undefined) == (None, None, None, 0, 0)
    undefined = stats.estimate(MEAN, scores([None, None]))
    assert (undefined.value, undefined.low, undefined.n, undefined.undefined) == (None, None, 0, 2)


def test_a_single_cluster_gives_no_interval() -> None:
    e = stats.estimate(MEAN, scores([1.0, 2.0, 3.0], ["a", "a", "a"]))
    assert (e.value, e.low, e.high) == (2.0, None, None)
    # A second cluster without a defined item tells nothing about the spread between clusters.
    e = stats.estimate(MEAN, scores([1.0, 2.0, None], ["a", "a", "b"]))
    assert (e.value, e.low, e.high) == (1.5, None, None)


def test_an_interval_that_most_resamples_cannot_give_is_refused() -> None:
    # Only two of ten clusters are defined: a resample misses both with probability 0.8^10 = 0.107 > 0.05.
    e = stats.estimate(MEAN, scores([1.0, 2.0] + [None] * 8), B=2000)
    assert (e.value, e.low, e.high) == (1.5, None, None)


def test_clusters_widen_the_interval_by_the_design_effect() -> None:
    # Ten copies of each of 60 values: the cluster bootstrap sees 60 items, the item bootstrap 600, so the
    # widths differ by sqrt(10) = 3.16.
    x = np.repeat(np.random.default_rng(1).normal(size=60), 10).tolist()
    names = [f"c{i // 10}" for i in range(600)]
    clustered = stats.estimate(MEAN, scores(x, names), B=4000)
    independent = stats.estimate(MEAN, scores(x), B=4000)
    assert clustered.low is not None and clustered.high is not None  # noqa: PT018
    assert independent.low is not None and independent.high is not None  # noqa: PT018
    ratio = (clustered.high - clustered.low) / (independent.high - independent.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.1)


def test_interval_covers_at_its_level() -> None:
    # 95 % nominal with 40 clusters; percentile intervals run slightly narrow. 300 simulations have a
    # standard error of 1.3 points, so 90 % is more than three of them below.
    rng = np.random.default_rng(2)
    hits = 0
    for trial in range(300):
        effect = np.repeat(rng.normal(size=40), 3)
        x = effect + rng.normal(size=120)
        e = stats.estimate(MEAN, scores(x.tolist(), [f"c{i // 3}" for i in range(120)]), seed=trial, B=300)
        assert e.low is not None and e.high is not None  # noqa: PT018
        hits += e.low <= 0.0 <= e.high
    assert 0.90 <= hits / 300 <= 0.985


def test_estimate_agrees_with_scipy() -> None:
    x = np.random.default_rng(4).exponential(size=200)
    ours = stats.estimate(MEAN, scores(x.tolist()), B=9999)
    named = "rng" if "rng" in inspect.signature(scipy_stats.bootstrap).parameters else "random_state"
    theirs = scipy_stats.bootstrap(
        (x,), np.mean, n_resamples=9999, method="percentile", **{named: np.random.default_rng(5)}
    ).confidence_interval
    # Monte-Carlo error of a 2.5 % quantile of 9999 draws: about 0.027 standard errors of the mean; allow 5.
    tolerance = 5 * 0.027 * x.std() / np.sqrt(200)
    assert ours.low == pytest.approx(theirs.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.high, abs=tolerance)


def test_estimate_names_a_missing_column() -> None:
    with pytest.raises(BadData, match=r"'perplexity' reads nll, tokens.*'nll'"):
        stats.estimate(perplexity, scores([1.0, 2.0]))


def test_estimate_refuses_weights_of_another_measurement() -> None:
    with pytest.raises(BadData, match="one column for each item"):
        stats.estimate(MEAN, scores([1.0, 2.0]), weights=np.ones((5, 3)))


def test_replicates_are_the_means_under_the_weights() -> None:
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 0.0], [2.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
    # (1+2)/2, 2, 2·1/2, and nothing left: the third item is undefined.
    got = stats.replicates(MEAN, scores([1.0, 2.0, None]), weights=weights)
    np.testing.assert_array_equal(got, [1.5, 2.0, 1.0, np.nan])
    np.testing.assert_array_equal(stats.replicates(MEAN, [], B=3), [np.nan] * 3)


# -- paired change


def test_paired_change_of_a_constant_shift_has_no_spread() -> None:
    x = np.random.default_rng(0).normal(size=50)
    change = stats.paired_change(MEAN, scores(x.tolist()), scores((x + 0.25).tolist()), seed=0)
    assert change.value == pytest.approx(0.25)
    assert change.low == pytest.approx(0.25)
    assert change.high == pytest.approx(0.25)
    assert change.ideal is None


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


# -- permutation


def test_permutation_of_three_pairs_by_hand() -> None:
    # Sums of ±1 ±2 ±3: 6 twice two-sided of 8 patterns; above: 1 of 8; below: all 8 are <= 6.
    assert stats.paired_permutation([1.0, 2.0, 3.0]) == 2 / 8
    assert stats.paired_permutation([1.0, 2.0, 3.0], alternative="greater") == 1 / 8
    assert stats.paired_permutation([1.0, 2.0, 3.0], alternative="less") == 1.0
    assert stats.paired_permutation([-1.0, -2.0, -3.0], alternative="less") == 1 / 8


def test_permutation_flips_clusters_whole() -> None:
    # Clusters sum to 4 and -1: |±4 ±1| is 5, 3, 3, 5; the observed 3 is reached by all four.
    assert stats.paired_permutation([1.0, 3.0, -1.0], ["a", "a", "b"]) == 1.0
    # Sums 4 and 1: only ±5 of four patterns reach 5.
    assert stats.paired_permutation([1.0, 3.0, 1.0], ["a", "a", "b"]) == 0.5
    assert stats.paired_permutation([1.0, 3.0, 1.0]) == 2 / 8


def test_permutation_ties_survive_rounding() -> None:
    # Patterns that tie in whole numbers must tie in tenths, where sums depend on their order.
    tenths = np.array([3, 1, 1, 8, -4, 6, 3, -9])
    signs = np.array(list(itertools.product([-1, 1], repeat=8)))
    exact = np.mean(np.abs(signs @ tenths) >= abs(tenths.sum()))
    assert stats.paired_permutation(0.1 * tenths) == exact


def test_random_draws_agree_with_the_exact_test() -> None:
    d = np.random.default_rng(0).normal(0.4, 1, size=12)
    exact = stats.paired_permutation(d, draws=9999)  # 2^12 = 4096 patterns
    drawn = stats.paired_permutation(d, draws=4000, seed=1)
    assert exact is not None
    # Four binomial standard errors.
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
    assert drawn != exact
    assert drawn == stats.paired_permutation(d, draws=4000, seed=1)


def test_random_draws_never_give_zero() -> None:
    # 2000 clusters: more sign patterns than a float can hold, so none may be counted in floats.
    assert (
        stats.paired_permutation(np.ones(4000), [f"c{i % 2000}" for i in range(4000)], draws=999) == 1 / 1000
    )


def test_permutation_holds_its_level() -> None:
    rng = np.random.default_rng(8)
    p = [stats.paired_permutation(rng.normal(size=9), draws=511) for _ in range(400)]
    share = np.mean([value is not None and value <= 0.05 for value in p])
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_permutation_leaves_undefined_differences_out() -> None:
    assert stats.paired_permutation([1.0, np.nan, 2.0, 3.0]) == 2 / 8
    assert stats.paired_permutation([np.nan, np.nan]) is None
    assert stats.paired_permutation([]) is None


def test_no_difference_at_all_is_no_evidence() -> None:
    assert stats.paired_permutation(np.zeros(5)) == 1.0


def test_permutation_refuses_bad_arguments() -> None:
    with pytest.raises(UsageError, match="two-sided, greater or less"):
        stats.paired_permutation([1.0], alternative="both")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        stats.paired_permutation([1.0], draws=0)
    with pytest.raises(BadData):
        stats.paired_permutation([1.0, 2.0], ["a"])


# -- Holm, TOST, tau


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04, made monotone: .04 .06 .06 .06.
    assert stats.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert stats.holm([0.6, 0.7]) == (1.0, 1.0)


def test_holm_leaves_undefined_tests_out() -> None:
    adjusted = stats.holm([None, 0.01, 0.04, None])
    assert adjusted[0] is None
    assert adjusted[3] is None
    assert adjusted[1:3] == pytest.approx((0.02, 0.04))
    assert stats.holm([]) == ()


def test_tost_uses_the_ninety_percent_interval() -> None:
    # Values 0..1000 scaled to ±1: the 90 % interval is ±0.9, the 95 % one ±0.95.
    values = np.linspace(-1, 1, 1001)
    assert stats.tost(values, 0.91)
    assert not stats.tost(values, 0.89)
    assert not stats.tost(values, 0.91, alpha=0.025)
    assert not stats.tost(values + 0.1, 0.91)
    assert not stats.tost(values - 0.1, 0.91)


def test_tost_shows_nothing_without_values() -> None:
    assert stats.tost([np.nan], 1.0) is False
    with pytest.raises(UsageError, match="not positive"):
        stats.tost([0.0], 0.0)


def test_kendall_tau_by_hand() -> None:
    # Pairs of (1,2,3) and (1,3,2): two agree, one does not: (2 - 1) / 3.
    assert stats.kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert stats.kendall_tau([1, 2, 3], [30, 20, 10]) == pytest.approx(-1.0)
    assert stats.kendall_tau([1, 2, np.nan, 3], [1, 3, 9, 2]) == pytest.approx(1 / 3)


def test_kendall_tau_is_undefined_without_a_ranking() -> None:
    assert stats.kendall_tau([1, 2, 3], [5, 5, 5]) is None
    assert stats.kendall_tau([1.0], [2.0]) is None
    assert stats.kendall_tau([1.0, np.nan], [2.0, 1.0]) is None
    with pytest.raises(BadData):
        stats.kendall_tau([1.0], [2.0, 3.0])
