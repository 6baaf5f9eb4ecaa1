"""Contracts of metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from scipy import stats as scipy_stats

from evenhand import registry, stats
from evenhand.errors import BadData
from evenhand.metrics import Array, Columns, Metric, columns
from evenhand.records import Score, Value
from evenhand.testing.cases import Made, MetricCase
from evenhand.testing.contracts import Contract, Subject, expect, expect_near, raised

_DRAWS = 4000
_RESAMPLED = ("bootstrap-t", "percentile")  # intervals that depend on the seed
_INDEPENDENT = 120  # items of the comparison with scipy


def _metric(subject: Subject) -> Metric:
    found: Metric = registry.get("metric", subject.spec)
    return found


def _case(subject: Subject) -> MetricCase:
    found: MetricCase = subject.needed("made columns to compute it on")
    return found


@cache
def _made(made: Made, n: int, seed: int, per_cluster: int) -> tuple[Score, ...]:
    table = made(n, seed)
    gone = np.random.default_rng([seed, n]).random(n) < 0.1
    gone[n // 2] = True
    return tuple(
        Score(
            f"s{i}",
            f"c{i // per_cluster}",
            {name: None if gone[i] or np.isnan(x[i]) else float(x[i]) for name, x in table.items()},
        )
        for i in range(n)
    )


def made(case: MetricCase, n: int = 60, *, seed: int = 0, per_cluster: int = 4) -> list[Score]:
    """`n` items of the case's columns; about one in ten is undefined, always at least one."""
    return list(_made(case.made, n, seed, per_cluster))


def _plain(metric: Metric, value: Value, n: int = 4) -> list[Score]:
    """Items with `value` in every column that the metric reads; two columns for each ``prefix.*``."""
    names = [
        name
        for need in metric.needs
        for name in ((f"{need[:-1]}a", f"{need[:-1]}b") if need.endswith(".*") else (need,))
    ]
    return [Score(f"s{i}", f"c{i}", dict.fromkeys(names, value)) for i in range(n)]


def changed(scores: Sequence[Score], how: Callable[[Mapping[str, Value]], dict[str, Value]]) -> list[Score]:
    """The items with other values."""
    return [dataclasses.replace(s, values=how(s.values)) for s in scores]


def _value(metric: Metric, scores: Sequence[Score]) -> float:
    found = metric.value(scores)
    if found is None:
        raise AssertionError(f"it is undefined on {len(scores)} items most of which are defined")
    return found


def the_registry_knows_it_by_its_own_name(subject: Subject) -> None:
    """The name under which it is found is the name that figures, reports and gates will use."""
    expect(_metric(subject).name == subject.name, f"it calls itself {_metric(subject).name!r}")


def the_card_is_complete(subject: Subject) -> None:
    """Title, unit, source and columns are said, the reading is a sentence, and low <= ideal <= high."""
    metric = _metric(subject)
    for part in ("title", "unit", "source", "needs"):
        expect(getattr(metric, part), f"its {part} is empty")
    expect(len(metric.reading) > 40, f"its reading is too short to explain a figure: {metric.reading!r}")
    bounds = [b for b in (metric.low, metric.ideal, metric.high) if b is not None]
    expect(bounds == sorted(bounds), f"low, ideal and high are out of order: {bounds}")


def it_has_a_name_in_running_text_and_a_smallest_step(subject: Subject) -> None:
    """Its label has no underscore; the least difference that matters is above 0, at most 2 % of the range."""
    metric = _metric(subject)
    expect(metric.label and "_" not in metric.label, f"{metric.label!r} is no name for running text")
    expect(metric.smallest_step > 0, f"its smallest step is {metric.smallest_step}")
    if metric.ideal is not None and metric.low is not None and metric.high is not None:
        most = 0.02 * (metric.high - metric.low)
        expect(metric.smallest_step <= most, f"its smallest step {metric.smallest_step} is above {most}")


def no_item_is_undefined(subject: Subject) -> None:
    """Of no items it is None, with no interval and n = 0; never 0."""
    metric = _metric(subject)
    expect(metric.value([]) is None, f"of no items it is {metric.value([])}")
    empty = stats.estimate(metric, [])
    found = (empty.value, empty.low, empty.high, empty.n)
    expect(found == (None, None, None, 0), f"of no items the estimate is {found}")


def all_undefined_is_none_with_a_count(subject: Subject) -> None:
    """Where every value is undefined it is None, and the items are counted as undefined."""
    metric = _metric(subject)
    scores = (
        _plain(metric, None, 8) if subject.case is None else changed(made(subject.case, 8), dict.fromkeys)
    )
    e = stats.estimate(metric, scores, B=50)
    found = (e.value, e.low, e.high, e.n, e.undefined)
    expect(found == (None, None, None, 0, 8), f"of 8 undefined items the estimate is {found}")


def a_missing_column_is_named(subject: Subject) -> None:
    """Items that lack a column that it reads get BadData, which names the column."""
    metric = _metric(subject)
    missing = metric.needs[0].removesuffix(".*")
    scores = _plain(metric, 0.5) if subject.case is None else made(subject.case, 4)

    def without(values: Mapping[str, Value]) -> dict[str, Value]:
        return {n: v for n, v in values.items() if missing not in (n, n.split(".")[0])}

    said = raised(BadData, lambda: stats.estimate(metric, changed(scores, without)), f"no column {missing}")
    expect(missing in said, f"the message does not name {missing}: {said}")


def a_value_that_is_no_number_is_refused(subject: Subject) -> None:
    """Text among the values of a column gets BadData, which names the column."""
    metric = _metric(subject)
    for column in _plain(metric, 0.5)[0].values:
        scores = changed(_plain(metric, 0.5), lambda values: {**values, column: "many"})  # type: ignore[dict-item]  # noqa: B023
        said = raised(BadData, lambda: stats.estimate(metric, scores), f"text in {column}")  # noqa: B023
        expect(column in said, f"the message does not name {column}: {said}")


def items_count_and_values_agree(subject: Subject) -> None:
    """`items` says which items count: without the others the figure is the same, and n counts them."""
    metric, scores = _metric(subject), made(_case(subject))
    defined = metric.items(columns(scores))
    kept = [s for s, ok in zip(scores, defined, strict=True) if ok]
    expect(0 < len(kept) < len(scores), f"of {len(scores)} items, one undefined at least, {len(kept)} count")
    expect_near(_value(metric, kept), _value(metric, scores), "the figure of the defined items", rel=1e-12)
    e = stats.estimate(metric, scores, B=50)
    expect((e.n, e.undefined) == (len(kept), len(scores) - len(kept)), f"n is {e.n} of {len(kept)} items")


def per_item_values_average_to_the_figure(subject: Subject) -> None:
    """`per_item` is there where the figure is the mean of items, and only there."""
    metric, case = _metric(subject), _case(subject)
    if metric.per_item is not None:
        mean = float(np.nanmean(metric.per_item(columns(made(case)))))
        expect_near(mean, _value(metric, made(case)), "the mean of the items' values")
        return
    differs = any(_no_mean(metric, made(case, seed=seed)) for seed in range(3))
    expect(differs, "it is a mean of items: give per_item")


def _no_mean(metric: Metric, scores: Sequence[Score]) -> bool:
    """Whether the mean of two parts' figures, by their sizes, is not the figure of the whole."""
    first = len(scores) // 3 + 3
    parts = [_value(metric, part) * len(part) for part in (scores[:first], scores[first:])]
    whole = _value(metric, scores)
    return abs(sum(parts) / len(scores) - whole) > 1e-6 * abs(whole)


def order_does_not_matter(subject: Subject) -> None:
    """The items in another order have the same figure and the same interval."""
    metric, scores = _metric(subject), made(_case(subject))
    other = [scores[i] for i in np.random.default_rng(1).permutation(len(scores))]
    one, two = (stats.estimate(metric, s, seed=3, B=200) for s in (scores, other))
    for part in ("value", "low", "high"):
        expect_near(getattr(two, part), getattr(one, part), f"in another order the {part}", rel=1e-9)


def one_seed_gives_one_interval(subject: Subject) -> None:
    """The same seed gives the same interval; another one changes no value, and no exact interval."""
    metric, scores = _metric(subject), made(_case(subject))
    one, again, other = (stats.estimate(metric, scores, seed=seed, B=200) for seed in (3, 3, 4))
    expect(one == again, "the same seed gave another estimate")
    expect(one.value == other.value, "the seed changed the value")
    moved, drawn = (one.low, one.high) != (other.low, other.high), one.method in _RESAMPLED
    expect(moved == drawn, f"another seed gave {'another' if moved else 'the same'} interval ({one.method})")
    if one.low is None or one.high is None:
        raise AssertionError("it has no interval")
    expect(one.low <= _value(metric, scores) <= one.high, "the interval does not hold the value")


def no_interval_has_zero_width(subject: Subject) -> None:
    """Of items that are all alike it has an interval of some width, or none; n equal items are no proof."""
    metric, scores = _metric(subject), made(_case(subject))
    defined = metric.items(columns(scores))
    alike = changed(scores, lambda values: dict(scores[int(np.flatnonzero(defined)[0])].values))
    for found in (stats.estimate(metric, alike, B=50), stats.paired_change(metric, scores, scores, B=50)):
        if found.low is not None and found.high is not None:
            expect(found.low < found.high, f"the interval is {found.low} to {found.high} ({found.method})")
        expect((found.low is None) == (found.high is None) == (found.method == ""), f"half an end: {found}")


def duplicating_every_item_changes_nothing(subject: Subject) -> None:
    """Every item twice has the same figure (almost the same, where the case says by_sample)."""
    metric, scores = _metric(subject), made(_case(subject))
    rel = 0.03 if _case(subject).by_sample else 1e-9  # sqrt((2n - 1) / (2n - 2)) at n near 25
    expect_near(_value(metric, scores * 2), _value(metric, scores), "the figure of every item twice", rel=rel)


def weights_count_items(subject: Subject) -> None:
    """A weight of k is the item k times, or its whole group of items where the case names one (whole)."""
    metric, case = _metric(subject), _case(subject)
    scores = made(case, 20)
    chance = np.random.default_rng(2)
    if case.whole:
        places = np.unique(case.made(20, 0)[case.whole], return_inverse=True)[1]
        counts = chance.integers(0, 4, size=places.max() + 1)[places]
    else:
        counts = chance.integers(0, 4, size=20)
    # A group that is drawn twice is two groups of the same items.
    repeated = [
        dataclasses.replace(s, values={**s.values, case.whole: float(places[i]) + draw / 10})
        if case.whole
        else s
        for i, s in enumerate(scores)
        for draw in range(counts[i])
    ]
    found = float(metric.compute(columns(scores), counts[None, :].astype(float))[0])
    expect_near(found, _value(metric, repeated), "the figure under weights", rel=1e-9, tolerance=0)


def swapping_the_groups_does_what_the_card_says(subject: Subject) -> None:
    """With two groups exchanged the figure stays, flips its sign, or is another metric's, as the case says.

    The reading says "flips the sign" exactly where it does.
    """
    metric, case = _metric(subject), _case(subject)
    flips = case.swapped == "flips"
    other = metric if case.swapped in ("keeps", "flips") else registry.get("metric", case.swapped)
    before, after = _value(other, made(case)), _value(metric, changed(made(case), case.swap))
    expect_near(after, -before if flips else before, "the figure with the groups exchanged", rel=1e-9)
    said = "flips the sign" in metric.reading
    expect(said == flips, f"the reading {'says' if said else 'does not say'} that it flips the sign")


def extremes_reach_the_ends_of_the_range(subject: Subject) -> None:
    """The case's rows reach `low` and `high` exactly; it gives rows for every finite end and no other."""
    metric, case = _metric(subject), _case(subject)
    for end in ("low", "high"):
        bound, rows = getattr(metric, end), getattr(case, end)
        expect((rows is not None) == (bound is not None), f"give the extreme rows of every finite end: {end}")
        if bound is not None:
            scores = [Score(str(i), "c", row) for i, row in enumerate(rows)]
            expect_near(_value(metric, scores), bound, f"the figure of the {end} rows", tolerance=1e-12)


def values_and_intervals_stay_in_range(subject: Subject) -> None:
    """Value and interval lie between `low` and `high` on random items."""
    metric, case = _metric(subject), _case(subject)
    least = -np.inf if metric.low is None else metric.low
    most = np.inf if metric.high is None else metric.high
    for seed in range(5):
        e = stats.estimate(metric, made(case, seed=seed), seed=seed, B=100)
        if e.value is None or e.low is None or e.high is None:
            raise AssertionError(f"it has no interval on random items: {e}")
        expect(least <= e.low <= e.high <= most, f"{e.low} to {e.high} is not in {least} to {most}")


def resamples_are_those_of_the_whole_matrix(subject: Subject) -> None:
    """Under resamples the figure is what `compute` gives with all weights, also where items have equal rows.

    So `per_item` is the figure's mean under weights too, and `by_rows` is there only where it may be.
    """
    metric = _metric(subject)
    rows = made(_case(subject), 12)
    scores = [dataclasses.replace(s, sample=f"{s.sample} {k}") for k in range(12) for s in rows]
    for clusters in (len(scores), 9):
        names = [f"c{i % clusters:03}" for i in range(len(scores))]
        held = [dataclasses.replace(s, cluster=name) for s, name in zip(scores, names, strict=True)]
        whole = metric.compute(columns(held), stats.resamples(names, len(held), 40, 5))
        found = stats.replicates(metric, held, seed=5, B=40)
        expect(np.allclose(found, whole, rtol=1e-9, equal_nan=True), "resamples differ from the whole matrix")


@cache
def _counts(index: bytes, n: int) -> Array:
    """How often each of `n` items stands in each row of an index [B, n]: [B, n]; the same for all metrics."""
    rows = np.frombuffer(index, dtype=np.int64).reshape(-1, n)
    flat = rows + n * np.arange(len(rows))[:, None]
    return np.bincount(flat.ravel(), minlength=rows.size).reshape(rows.shape).astype(float)


def _scipys(metric: Metric, table: Columns) -> tuple[float, float, float]:
    """Low, high and standard error of scipy's own bootstrap of independent items."""

    def figure(index: Array, axis: int = -1) -> Array:
        counts = _counts(np.ascontiguousarray(index, dtype=np.int64).tobytes(), table.n)
        return metric.compute(table, counts).reshape(index.shape[:-1])

    found = scipy_stats.bootstrap(
        (np.arange(table.n),),
        figure,
        n_resamples=_DRAWS,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(1),
        batch=1000,
    )
    ends = found.confidence_interval
    return float(ends.low), float(ends.high), float(found.standard_error)


@cache
def _resamples() -> Array:
    return stats.resamples([f"c{i}" for i in range(_INDEPENDENT)], _INDEPENDENT, B=_DRAWS, seed=2)


def the_bootstrap_agrees_with_scipys(subject: Subject) -> None:
    """The interval of independent items is scipy's percentile interval but for Monte-Carlo error."""
    metric = _metric(subject)
    scores = made(_case(subject), _INDEPENDENT, per_cluster=1)
    low, high, error = _scipys(metric, columns(scores))
    ours = stats.estimate(metric, scores, weights=_resamples())
    # A 2.5 % quantile of 4000 draws has a Monte-Carlo error of about 0.042 standard errors; the difference
    # of two such has 0.06; allow five of those.
    slack = 5 * 0.06 * error
    expect_near(ours.low, low, "the low end", rel=0, tolerance=slack)
    expect_near(ours.high, high, "the high end", rel=0, tolerance=slack)


CONTRACTS: tuple[Contract, ...] = (
    the_registry_knows_it_by_its_own_name,
    the_card_is_complete,
    it_has_a_name_in_running_text_and_a_smallest_step,
    no_item_is_undefined,
    all_undefined_is_none_with_a_count,
    a_missing_column_is_named,
    a_value_that_is_no_number_is_refused,
    items_count_and_values_agree,
    per_item_values_average_to_the_figure,
    order_does_not_matter,
    one_seed_gives_one_interval,
    no_interval_has_zero_width,
    duplicating_every_item_changes_nothing,
    weights_count_items,
    swapping_the_groups_does_what_the_card_says,
    extremes_reach_the_ends_of_the_range,
    values_and_intervals_stay_in_range,
    resamples_are_those_of_the_whole_matrix,
    the_bootstrap_agrees_with_scipys,
)
