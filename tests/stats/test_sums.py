"""Figures from sums over clusters against the same figures under the whole matrix of weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand import registry, stats
from evenhand.metrics import Columns, Metric, columns
from evenhand.records import Score
from evenhand.stats import changes, estimating, resampling
from evenhand.stats.kinds import percentile
from evenhand.stats.sums import Part, Summed, Weighed, figure, values, widest
from evenhand.studies.effects import effects
from tests.studies.worlds import Made, bias

PEOPLE = (
    "dpd", "deo_sum", "deo_max", "deo_mean", "equal_opportunity", "disparate_impact", "error_gap", "chance",
    "calibration_gap", "counterfactual_dpd", "counterfactual_deo_sum", "decision_accuracy", "majority_rate",
    "flip_rate", "counterfactual_gap", "perplexity", "afgb",
)  # fmt: skip
COUNTED = (
    "dpd",
    "deo_sum",
    "chance",
    "majority_rate",
    "counterfactual_dpd",
    "decision_accuracy",
    "flip_rate",
)


def people(n: int, clusters: int, seed: int = 0) -> list[Score]:
    """Decisions about people of three groups and their twins; a tenth undecided, a text beside each."""
    chance = np.random.default_rng(seed)
    found = []
    for i in range(n):
        who = int(chance.integers(3))
        decided = None if chance.random() < 0.1 else float(chance.integers(2))
        values = {
            "decision": decided,
            "outcome": float(chance.integers(2)),
            "probability": float(chance.random()),
            **{f"member.{g}": float(g == who) for g in range(3)},
            **{f"decision.{g}": float(chance.random() < 0.4 + g / 10) for g in range(2)},
            **{f"p.{g}": float(chance.random() / 2) for g in range(2)},
            "nll": float(chance.exponential()),
            "tokens": float(chance.integers(1, 9)),
        }
        found.append(Score(f"s{i}", f"c{i % clusters}" if clusters < n else f"c{i}", values))
    return found


def naive(metric: Metric, scores: list[Score], B: int, seed: int) -> np.ndarray:
    """The metric under the whole matrix [B, n]."""
    weights = stats.resamples([s.cluster for s in scores], len(scores), B, seed)
    return metric.compute(columns(scores), weights)


@pytest.mark.parametrize("clusters", [400, 37, 2])
@pytest.mark.parametrize("name", PEOPLE)
def test_replicates_are_those_of_the_whole_matrix(name: str, clusters: int) -> None:
    metric, scores = registry.get("metric", name), people(400, clusters)
    found = stats.replicates(metric, scores, seed=3, B=60)
    np.testing.assert_allclose(found, naive(metric, scores, 60, 3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("clusters", [400, 37])
@pytest.mark.parametrize("name", COUNTED)
def test_what_is_made_of_counts_never_sees_more_than_its_kinds(name: str, clusters: int) -> None:
    metric, scores = registry.get("metric", name), people(400, clusters)
    codes, size = resampling.codes_of([s.cluster for s in scores], 400)
    part = Part(columns(scores), codes, size)
    found = figure(metric, part, estimating.point(metric, part.table))
    assert isinstance(found, Summed)
    # 3 groups, 3 decisions and 2 outcomes are 18 kinds, more than the 9 of decisions and twins.
    assert len(found.sums) <= (18 if clusters == 400 else 37)
    assert found.sums.shape[1] <= 18
    assert widest([found]) == 0


def test_a_figure_of_many_kinds_is_computed_from_the_items() -> None:
    scores = people(400, 37)
    part = Part(columns(scores), *resampling.codes_of([s.cluster for s in scores], 400))
    for name in ("calibration_gap", "perplexity"):
        metric = registry.get("metric", name)
        assert isinstance(figure(metric, part, estimating.point(metric, part.table)), Weighed)


def test_a_metric_whose_items_do_not_average_to_it_is_not_taken_for_their_mean() -> None:
    metric = registry.get("metric", "afgb")
    doubled = dataclasses.replace(metric, compute=lambda table, weights: 2 * metric.compute(table, weights))
    scores = people(50, 10)
    found = stats.replicates(doubled, scores, seed=1, B=20)
    np.testing.assert_allclose(found, naive(doubled, scores, 20, 1), rtol=1e-12)


def test_a_value_by_the_place_of_the_item_is_not_counted_by_kind() -> None:
    """Items of equal rows have unlike values here, as in the guard against turned gaps."""
    metric = registry.get("metric", "decision_accuracy")
    leaning = np.arange(400) % 3 == 0
    per_item = metric.per_item
    assert per_item is not None
    placed = dataclasses.replace(
        metric,
        per_item=lambda table: np.where(leaning, per_item(table), np.nan),
        compute=lambda table, weights: metric.compute(table, weights * leaning),
    )
    for clusters in (400, 37):
        scores = people(400, clusters)
        found = stats.replicates(placed, scores, seed=1, B=20)
        np.testing.assert_allclose(found, naive(placed, scores, 20, 1), rtol=1e-12)


@pytest.mark.parametrize("clusters", [400, 37])
def test_slices_are_as_if_each_stood_alone(clusters: int) -> None:
    metrics = [registry.get("metric", name) for name in PEOPLE]
    scores = people(400, clusters)
    slices = {
        "all": list(range(400)),
        "even": list(range(0, 400, 2)),
        "odd": list(range(1, 400, 2)),
        "few": [5, 1, 9],
        "one": [7],
        "none": [],
    }
    found = stats.estimates_by_slice(metrics, scores, slices, seed=2, B=80)
    assert list(found) == list(slices)
    for name, places in slices.items():
        for metric in metrics:
            alone = stats.estimate(metric, [scores[i] for i in places], seed=2, B=80)
            together = found[name][metric.name]
            assert together.value == alone.value
            assert (together.n, together.undefined) == (alone.n, alone.undefined)
            for end, expected in ((together.low, alone.low), (together.high, alone.high)):
                assert (end is None) == (expected is None)
                assert expected is None or end == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("clusters", [400, 37])
@pytest.mark.parametrize("name", ["dpd", "afgb", "calibration_gap", "perplexity", "decision_accuracy"])
def test_changes_are_those_of_the_whole_matrix(name: str, clusters: int) -> None:
    metric, before, after = registry.get("metric", name), people(400, clusters), people(400, clusters, seed=1)
    metric = dataclasses.replace(metric, kind=None)
    change = stats.paired_change(metric, before, after, seed=4, B=70)
    tables = columns(before), columns(after)
    keep = metric.items(tables[0]) & metric.items(tables[1])
    weights = stats.resamples([s.cluster for s in before], 400, 70, 4)[:, keep]
    old, new = (
        metric.compute(Columns({k: v[keep] for k, v in t.values.items()}, int(keep.sum())), weights)
        for t in tables
    )
    wide = percentile(new - old, len({s.cluster for s, k in zip(before, keep, strict=True) if k}), 0.95)
    assert (change.low, change.high) == pytest.approx((wide.low, wide.high), rel=1e-12, abs=1e-12)


def test_given_weights_and_a_resampling_give_the_same() -> None:
    scores = people(120, 120)
    clusters = [s.cluster for s in scores]
    whole = stats.resamples(clusters, 120, 40, 6)
    drawn = stats.Resampling(clusters, 120, 40, 6, point=True)
    assert len(drawn) == 41
    for name in PEOPLE:
        metric = registry.get("metric", name)
        found = stats.replicates(metric, scores, weights=drawn)
        np.testing.assert_allclose(found[0], metric.value(scores), rtol=1e-12)
        expected = stats.replicates(metric, scores, weights=whole)
        np.testing.assert_allclose(found[1:], expected, rtol=1e-12, atol=1e-12)


# -- how often things are made


def counting(monkeypatch: pytest.MonkeyPatch, where: object, name: str) -> list[tuple[object, ...]]:
    """Arguments of every call of `name`."""
    seen: list[tuple[object, ...]] = []
    real = getattr(where, name)

    def counted(*given: object) -> object:
        seen.append(given)
        return real(*given)

    monkeypatch.setattr(where, name, counted)
    return seen


def test_columns_and_draws_are_made_once_for_all_metrics_and_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = counting(monkeypatch, estimating, "columns")
    drawn = counting(monkeypatch, resampling, "_draw")
    metrics = [registry.get("metric", name) for name in PEOPLE]
    scores = people(400, 37)  # 400 = 10 · 37 + 30: every slice of alternate items has all 37 clusters
    slices = {"": range(400), "a": range(0, 400, 2), "b": range(1, 400, 2), "few": range(5)}
    stats.estimates_by_slice(metrics, scores, slices, B=100)
    assert len(tables) == 1
    assert [(rows, size) for _, rows, size in drawn] == [(100, 5), (100, 37)]


def test_effects_make_the_columns_of_each_side_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = [bias(Made())], [bias(Made(mass=0.8))]
    tables = counting(monkeypatch, changes, "columns")
    drawn = counting(monkeypatch, resampling, "_draw")
    found = effects(before, after, B=50)
    assert len(found) == 4
    assert len(tables) == 2
    assert not drawn  # means need no resamples of items


def test_a_resampling_that_fits_in_a_block_is_drawn_once_for_all_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = counting(monkeypatch, resampling, "_draw")
    scores = people(60, 12)
    shared = stats.Resampling([s.cluster for s in scores], 60, 50)
    first = stats.replicates(registry.get("metric", "dpd"), scores, weights=shared)
    again = stats.replicates(registry.get("metric", "dpd"), scores, weights=shared)
    np.testing.assert_array_equal(first, again)
    assert len(drawn) == 1


def test_kept_blocks_are_not_used_for_items_that_they_are_too_large_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resampling, "CELLS", 1000)
    drawn = stats.Resampling([f"c{i % 5}" for i in range(100)], 100, 200, 3)
    assert [len(block) for block in drawn.blocks(keep=True)] == [200]  # 200 · 5 weights of clusters
    rows = [block.counts for block in drawn.blocks(widest=100)]
    assert {len(block) for block in rows} == {10}  # 10 · 100 weights of items
    fresh = stats.Resampling([f"c{i % 5}" for i in range(100)], 100, 200, 3)
    np.testing.assert_array_equal(np.concatenate(rows), next(fresh.blocks()).counts)


def test_no_block_holds_more_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither draws nor counts nor the weights that a metric sees exceed the bound, for any metric."""
    monkeypatch.setattr(resampling, "CELLS", 4000)
    draws = counting(monkeypatch, resampling, "_draw")
    counted = counting(monkeypatch, resampling, "counted")
    seen = []

    def watched(metric: Metric) -> Metric:
        def compute(table: Columns, weights: np.ndarray) -> np.ndarray:
            seen.append(weights.shape[0] * weights.shape[1])
            return metric.compute(table, weights)

        return dataclasses.replace(metric, compute=compute)

    metrics = [watched(registry.get("metric", name)) for name in PEOPLE]
    for clusters in (400, 37):
        before, after = people(400, clusters), people(400, clusters, seed=1)
        stats.estimates(metrics, before, B=100)
        stats.paired_changes(metrics, stats.Paired(before, after), B=100)
    assert {rows * size for _, rows, size in draws} == {4000, 370}  # ten rows of 400 clusters or items
    assert max(len(drawn) * size for drawn, size in counted) <= 4000  # type: ignore[arg-type, operator]
    assert max(seen) <= 4000


def test_one_product_serves_all_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three means with no gaps have four columns: their own, and the one count of items that they share."""
    scores = people(80, 9)
    table = columns(scores)
    part = Part(table, *resampling.codes_of([s.cluster for s in scores], 80))
    means = [
        dataclasses.replace(registry.get("metric", "afgb"), per_item=lambda t, c=c: t[c])
        for c in ("p.0", "p.1", "nll")
    ]
    means = [
        dataclasses.replace(m, compute=lambda t, w, m=m: w @ m.per_item(t) / w.sum(axis=1)) for m in means
    ]
    figures = [figure(m, part, estimating.point(m, table)) for m in means]
    products = []

    class Watched(np.ndarray):
        def __matmul__(self, other: np.ndarray) -> np.ndarray:
            products.append(other.shape)
            return np.asarray(self) @ other

    block = next(resampling.drawn_blocks(9, 20, 0, 9))
    block.counts = block.counts.view(Watched)  # type: ignore[misc]
    found = values(figures, [block])
    assert products == [(9, 4)]
    whole = np.asarray(block.counts)[:, part.codes]
    for mean, got in zip(means, found, strict=True):
        np.testing.assert_allclose(got, mean.compute(table, whole), rtol=1e-12)
