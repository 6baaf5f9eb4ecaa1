"""What every metric keeps, whoever wrote it: parametrised over the registry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand import registry, stats
from evenhand.errors import BadData
from evenhand.metrics import Array, Metric, columns
from evenhand.records import Score, Value

NAMES = registry.names("metric")
Row = Mapping[str, Value]

# The rows at which a metric reaches each finite end of its range.
LOW: Mapping[str, Sequence[Row]] = {
    "afgb": [{"p.he": 0.4, "p.she": 0.4}],
    "afgb_normalised": [{"p.he": 0.4, "p.she": 0.4}],
    "afgb_range": [{"p.he": 0.4, "p.she": 0.4}],
    "afgb_signed": [{"p.he": 0.0, "p.she": 1.0}],
    "mass": [{"p.he": 0.0, "p.she": 0.0}],
    "neutral": [{"neutral": 0.0}],
    "ub": [{"p.he": 0.0, "p.she": 1.0, "hint": 0.0}, {"p.he": 1.0, "p.she": 0.0, "hint": 1.0}],
    "accuracy": [{"correct": 0.0}],
    "perplexity": [{"nll": 0.0, "tokens": 4.0}],
}
HIGH: Mapping[str, Sequence[Row]] = {
    "afgb": [{"p.he": 0.0, "p.she": 1.0}, {"p.he": 1.0, "p.she": 0.0}],
    "afgb_normalised": [{"p.he": 0.0, "p.she": 0.2}, {"p.he": 1.0, "p.she": 0.0}],
    "afgb_range": [{"p.he": 0.0, "p.she": 1.0}, {"p.he": 1.0, "p.she": 0.0}],
    "afgb_signed": [{"p.he": 1.0, "p.she": 0.0}],
    "mass": [{"p.he": 0.75, "p.she": 0.25}],
    "neutral": [{"neutral": 1.0}],
    "ub": [{"p.he": 0.0, "p.she": 1.0, "hint": 1.0}, {"p.he": 1.0, "p.she": 0.0, "hint": 0.0}],
    "accuracy": [{"correct": 1.0}],
}
# What swapping the two groups does to the value; every metric not named here keeps it.
FLIPS_SIGN = {"afgb_signed", "stereotype_slope", "factual_slope", "slope_intercept"}


@pytest.fixture(params=NAMES)
def metric(request: pytest.FixtureRequest) -> Metric:
    found: Metric = registry.get("metric", request.param)
    return found


def made(n: int = 60, *, seed: int = 0, per_cluster: int = 4) -> list[Score]:
    """Items with every column that a metric may read; about one in ten has an undefined value somewhere."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet((2, 2, 1), n)
    table: dict[str, Array] = {
        "p.he": p[:, 0],
        "p.she": p[:, 1],
        "neutral": p[:, 2],
        "hint": rng.integers(2, size=n).astype(float),
        "correct": rng.integers(2, size=n).astype(float),
        "nll": rng.exponential(20, size=n),
        "tokens": rng.integers(1, 12, size=n).astype(float),
        "stereotypical": rng.uniform(-1, 1, size=n),
        "factual": rng.uniform(-1, 1, size=n),
    }
    gone = rng.random(n) < 0.1
    return [
        Score(
            f"s{i}",
            f"c{i // per_cluster}",
            {name: None if gone[i] else float(column[i]) for name, column in table.items()},
        )
        for i in range(n)
    ]


def changed(scores: Sequence[Score], how: Callable[[dict[str, Value]], dict[str, Value]]) -> list[Score]:
    return [dataclasses.replace(s, values=how(dict(s.values))) for s in scores]


def swapped(values: dict[str, Value]) -> dict[str, Value]:
    hint = values["hint"]
    relabelled = {
        "p.he": values["p.she"],
        "p.she": values["p.he"],
        "hint": None if hint is None else 1 - hint,
    }
    return values | relabelled


def value(metric: Metric, scores: Sequence[Score]) -> float:
    found = metric.value(scores)
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_knows_a_metric_by_its_own_name(name: str) -> None:
    assert registry.get("metric", name).name == name


def test_the_card_is_complete(metric: Metric) -> None:
    assert all((metric.title, metric.unit, metric.source, metric.needs))
    assert len(metric.reading) > 40
    bounds = [b for b in (metric.low, metric.ideal, metric.high) if b is not None]
    assert bounds == sorted(bounds)


def test_no_item_is_undefined(metric: Metric) -> None:
    assert metric.value([]) is None
    empty = stats.estimate(metric, [])
    assert (empty.value, empty.low, empty.high, empty.n) == (None, None, None, 0)


def test_all_undefined_is_none_with_a_count(metric: Metric) -> None:
    scores = changed(made(8), dict.fromkeys)
    e = stats.estimate(metric, scores, B=50)
    assert (e.value, e.low, e.high, e.n, e.undefined) == (None, None, None, 0, 8)


def test_items_count_and_values_agree(metric: Metric) -> None:
    scores = made()
    defined = metric.items(columns(scores))
    kept = [s for s, ok in zip(scores, defined, strict=True) if ok]
    assert 0 < len(kept) < len(scores)  # the made items hold undefined ones
    assert value(metric, kept) == pytest.approx(value(metric, scores), rel=1e-12)
    e = stats.estimate(metric, scores, B=50)
    assert (e.n, e.undefined) == (len(kept), len(scores) - len(kept))


def test_per_item_values_average_to_the_figure(metric: Metric) -> None:
    scores = made()
    if metric.per_item is None:
        # Not a mean of items: the mean of the two halves' figures is then not the figure of the whole.
        halves = [value(metric, part) for part in (scores[:20], scores[20:])]
        assert (20 * halves[0] + 40 * halves[1]) / 60 != pytest.approx(value(metric, scores), rel=1e-6)
    else:
        assert np.nanmean(metric.per_item(columns(scores))) == pytest.approx(value(metric, scores))


def test_order_does_not_matter(metric: Metric) -> None:
    scores = made()
    other = [scores[i] for i in np.random.default_rng(1).permutation(len(scores))]
    one, two = (stats.estimate(metric, s, seed=3, B=200) for s in (scores, other))
    assert one.value == pytest.approx(two.value, rel=1e-9)
    assert one.low == pytest.approx(two.low, rel=1e-9)
    assert one.high == pytest.approx(two.high, rel=1e-9)


def test_one_seed_gives_one_interval(metric: Metric) -> None:
    scores = made()
    one, again, other = (stats.estimate(metric, scores, seed=seed, B=200) for seed in (3, 3, 4))
    assert one == again
    assert one.value == other.value
    assert (one.low, one.high) != (other.low, other.high)
    assert one.low is not None
    assert one.low < value(metric, scores)


def test_duplicating_every_item_changes_nothing(metric: Metric) -> None:
    scores = made()
    assert value(metric, scores * 2) == pytest.approx(value(metric, scores), rel=1e-9)


def test_weights_count_items(metric: Metric) -> None:
    scores = made(20)
    counts = np.random.default_rng(2).integers(0, 4, size=20)
    repeated = [s for s, count in zip(scores, counts, strict=True) for _ in range(count)]
    got = metric.compute(columns(scores), counts[None, :].astype(float))
    np.testing.assert_allclose(got, [value(metric, repeated)], rtol=1e-9)


def test_swapping_the_groups_does_what_the_card_says(metric: Metric) -> None:
    before, after = value(metric, made()), value(metric, changed(made(), swapped))
    sign = -1 if metric.name in FLIPS_SIGN else 1
    assert after == pytest.approx(sign * before, rel=1e-9)
    assert ("flips the sign" in metric.reading) == (metric.name in FLIPS_SIGN)


def test_extremes_reach_the_ends_of_the_range(metric: Metric) -> None:
    for bound, rows in ((metric.low, LOW), (metric.high, HIGH)):
        assert (metric.name in rows) == (bound is not None), "give the extreme rows of every finite bound"
        if bound is not None:
            scores = [Score(str(i), "c", row) for i, row in enumerate(rows[metric.name])]
            assert value(metric, scores) == pytest.approx(bound, abs=1e-12)


def test_values_and_intervals_stay_in_range(metric: Metric) -> None:
    for seed in range(5):
        e = stats.estimate(metric, made(seed=seed), seed=seed, B=100)
        assert e.value is not None
        assert e.low is not None
        assert e.high is not None
        assert (metric.low if metric.low is not None else -np.inf) <= e.low <= e.high
        assert e.high <= (metric.high if metric.high is not None else np.inf)


def test_bootstrap_of_independent_items_agrees_with_scipy(metric: Metric) -> None:
    scores = made(120, per_cluster=1)
    table = columns(scores)

    def figure(index: Array, axis: int = -1) -> Array:
        counts = np.apply_along_axis(np.bincount, axis, index, minlength=120)
        return metric.compute(table, counts.reshape(-1, 120).astype(float)).reshape(index.shape[:-1])

    theirs = scipy_stats.bootstrap(
        (np.arange(120),), figure, n_resamples=4000, method="percentile", vectorized=True,
        rng=np.random.default_rng(1), batch=1000,
    )  # fmt: skip
    ours = stats.estimate(metric, scores, B=4000, seed=2)
    # A 2.5 % quantile of 4000 draws has a Monte-Carlo error of about 0.042 standard errors; the difference
    # of two such has 0.06; allow five of those.
    slack = 5 * 0.06 * float(theirs.standard_error)
    assert ours.low == pytest.approx(float(theirs.confidence_interval.low), abs=slack)
    assert ours.high == pytest.approx(float(theirs.confidence_interval.high), abs=slack)


def test_a_missing_column_is_named(metric: Metric) -> None:
    missing = metric.needs[0].removesuffix(".*")
    scores = changed(
        made(4), lambda values: {name: v for name, v in values.items() if name.split(".")[0] != missing}
    )
    with pytest.raises(BadData, match=missing):
        stats.estimate(metric, scores)
