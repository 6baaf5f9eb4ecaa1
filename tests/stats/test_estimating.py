"""Estimates against hand-worked values, scipy and simulation."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand import stats
from evenhand.errors import BadData
from evenhand.metrics import Columns, Metric
from evenhand.metrics.likelihoods import PERPLEXITY as perplexity
from evenhand.records import Estimate
from evenhand.stats import resampling
from tests.stats.made import MEAN, RESAMPLED, scores


def ends(found: Estimate) -> tuple[float, float, float]:
    assert found.value is not None and found.low is not None and found.high is not None  # noqa: PT018
    return found.value, found.low, found.high


def test_block_size_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    items = scores(np.random.default_rng(0).normal(size=30).tolist(), [f"c{i % 7}" for i in range(30)])
    whole = stats.estimate(RESAMPLED, items, seed=5, B=101)
    monkeypatch.setattr(resampling, "CELLS", 30 * 4)  # blocks of four resamples, the last of one
    assert ends(stats.estimate(RESAMPLED, items, seed=5, B=101)) == pytest.approx(ends(whole), abs=1e-12)
    given = stats.resamples([s.cluster for s in items], 30, 101, 5)
    plain = stats.estimate(RESAMPLED, items, weights=given)
    assert plain == stats.estimate(MEAN, items, weights=given)  # whatever its kind: what the weights say
    # Widened from the median by t of 6 degrees of freedom over z, and by sqrt(7 / 6) for 7 clusters.
    middle = float(np.median(stats.replicates(MEAN, items, weights=given)))
    wider = scipy_stats.t.ppf(0.975, 6) / scipy_stats.norm.ppf(0.975) * np.sqrt(7 / 6)
    _, low, high = ends(plain)
    wanted = (plain.value, middle - wider * (middle - low), middle + wider * (high - middle))
    assert ends(whole) == pytest.approx(wanted, abs=1e-12)


def test_estimate_counts_defined_and_undefined_items() -> None:
    e = stats.estimate(MEAN, scores([1.0, None, 3.0, 5.0]), B=200)
    assert (e.value, e.n, e.undefined, e.ideal, e.level) == (3.0, 3, 1, 0.0, 0.95)
    assert e.low is not None
    assert e.high is not None
    # Three of three clusters: Student's t, 4.303 standard errors of 2 / sqrt(3) on either side.
    assert (e.low, e.high) == pytest.approx((3 - 4.303 * 2 / 3**0.5, 3 + 4.303 * 2 / 3**0.5), rel=1e-3)
    assert (e.method, e.few_clusters) == ("t", True)


def test_no_block_of_weights_is_larger_than_allowed_and_all_metrics_share_one_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn, seen = [], []
    draw = resampling._draw

    def spied(rng: np.random.Generator, rows: int, size: int) -> np.ndarray:
        drawn.append(rows)
        return draw(rng, rows, size)

    def watched(name: str) -> Metric:
        def compute(table: Columns, weights: np.ndarray) -> np.ndarray:
            seen.append(weights.size)
            return MEAN.compute(table, weights)

        return dataclasses.replace(MEAN, name=name, compute=compute, per_item=None, kind=None)

    items = scores(np.random.default_rng(0).normal(size=40).tolist())
    apart = {name: stats.estimate(watched(name), items, seed=5) for name in "abc"}
    monkeypatch.setattr(resampling, "_draw", spied)
    monkeypatch.setattr(resampling, "CELLS", 40 * 25)
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
    whole = stats.estimate(RESAMPLED, items, seed=2)
    monkeypatch.setattr(resampling, "CELLS", 10)
    blocks = list(stats.Resampling([s.cluster for s in items], 50, 7, 2).blocks(widest=50))
    assert [block.counts.shape for block in blocks] == [(1, 9)] * 7
    again = stats.estimate(RESAMPLED, items, seed=2)
    assert (again.low, again.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


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
    e = stats.estimate(RESAMPLED, scores([1.0, 2.0] + [None] * 8), B=2000)
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
    ours = stats.estimate(MEAN, scores(x.tolist()), weights=stats.resamples(None, 200, 9999))
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
