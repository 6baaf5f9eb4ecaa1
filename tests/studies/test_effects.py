"""Effects: paired changes, p-values and Holm, and the refusal of unlike protocols."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand import registry, stats
from evenhand.errors import NotComparable, UsageError
from evenhand.metrics import Array, Columns
from evenhand.records import Estimate, Measurement
from evenhand.stats.hypothesis import mean_test
from evenhand.studies.distance import relative_change
from evenhand.studies.effects import effects, per_item
from evenhand.studies.pairing import check_protocols
from tests.studies.worlds import LEANS, Made, bias, hints, items, questions, texts

BEFORE, AFTER = bias(Made()), bias(Made(lean=lambda x: x / 2, mass=0.8))


def test_values_by_hand() -> None:
    found = {e.metric: e for e in effects([BEFORE], [AFTER], B=200)}
    gap = float(np.abs(LEANS).mean())
    change = found["afgb_normalised"].change
    assert change.value == pytest.approx(-gap / 2)
    assert found["afgb_normalised"].relative == pytest.approx(-0.5)
    assert found["mass"].change.value == pytest.approx(-0.1)
    assert found["afgb"].change.value == pytest.approx(0.8 * gap / 2 - 0.9 * gap)
    assert change.low is not None
    assert change.high is not None
    assert change.low < -gap / 2 < change.high < 0
    assert list(found) == list(BEFORE.metrics)


def test_p_values_are_those_of_a_mean_as_they_are_and_adjusted_by_holm() -> None:
    """The test is of whole professions; the four raw p-values are adjusted together."""
    raw = []
    clusters = np.unique([s.cluster for s in BEFORE.scores], return_inverse=True)[1]
    for name in BEFORE.metrics:
        metric = registry.get("metric", name)
        difference = per_item(metric, AFTER.scores) - per_item(metric, BEFORE.scores)  # type: ignore[operator]
        raw.append(mean_test(difference, clusters))
    both = [(e.p_value, e.raw_p_value) for e in effects([BEFORE], [AFTER], B=50)]
    found = [adjusted for adjusted, _ in both]
    assert both == list(zip(stats.holm(raw), raw, strict=True))
    assert raw[0] == 2 * 1 / 2000  # no departure of 1999 is as large
    assert found[1] is not None
    assert found[1] <= 4 * 0.001
    assert found[2] is not None
    assert found[2] > 0.5  # the signed gap is 0 before and after


def test_a_ratio_is_no_mean_of_items_and_has_no_p_value() -> None:
    ragged = items(
        "perplexity", [f"t{i}" for i in range(9)], nll=np.arange(1, 10.0), tokens=np.arange(1, 10.0) % 4 + 1
    )
    assert per_item(registry.get("metric", "perplexity"), ragged) is None
    (effect,) = effects([texts(Made())], [texts(Made(loss=0.3))], B=50)
    assert effect.p_value is None
    assert effect.change.value is not None
    assert effect.change.value > 0


def test_per_item_values_and_their_gaps() -> None:
    scores = items("facts", ["a", "b", "c"], correct=[1.0, None, 0.0])
    values = per_item(registry.get("metric", "accuracy"), scores)
    assert values is not None
    assert values == pytest.approx([1, np.nan, 0], nan_ok=True)
    assert per_item(registry.get("metric", "accuracy"), []) is None
    assert per_item(registry.get("metric", "accuracy"), items("facts", ["a"], correct=[None])) is None


def test_per_item_values_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that gives no items' values is asked for each item alone, in blocks of the items' own rows."""
    metric = registry.get("metric", "afgb")
    whole = per_item(metric, BEFORE.scores)
    sizes: list[tuple[int, ...]] = []

    def compute(table: Columns, weights: Array) -> Array:
        sizes.append(weights.shape)
        return metric.compute(table, weights)

    monkeypatch.setattr("evenhand.studies.effects._BLOCK", 7)
    silent = dataclasses.replace(metric, per_item=None, compute=compute)
    assert np.array_equal(per_item(silent, BEFORE.scores), whole)  # type: ignore[arg-type]
    n = len(BEFORE.scores)  # 120 = 17 · 7 + 1; then the three weightings of the whole table
    assert sizes == [(7, 7)] * (n // 7) + [(n % 7, n % 7)] + [(3, n)]


def test_nothing_changed_is_no_effect() -> None:
    for effect in effects([BEFORE, hints(Made())], [BEFORE, hints(Made())], B=50):
        assert effect.change.value == 0
        assert effect.p_value == 1.0


def test_benchmarks_are_paired_by_name_not_by_place() -> None:
    first = effects([BEFORE, questions(Made())], [questions(Made()), AFTER], B=50)
    assert [e.benchmark for e in first] == ["genbiaseval"] * 4 + ["facts"]


def test_undefined_before_gives_no_relative_change() -> None:
    silent = bias(Made(mass=0.0))
    found = {e.metric: e for e in effects([silent], [AFTER], B=50)}
    assert found["afgb_normalised"].before.value is None
    assert found["afgb_normalised"].change.value is None
    assert found["afgb_normalised"].relative is None
    assert found["mass"].relative is None  # from 0: no relative change


@pytest.mark.parametrize(
    ("before", "ideal", "change", "wanted"),
    [
        (290 / 3, 50.0, -140 / 3, -1.0),  # SS from 96.7 to 50: the distance of 46.7 is gone
        (90.0, 50.0, -20.0, -0.5),  # half of the distance of 40
        (30.0, 50.0, 10.0, -0.5),  # half of the distance of 20, from below
        (60.0, 50.0, -20.0, -2.0),  # past the ideal, as far on its other side
        (60.0, 50.0, 10.0, 1.0),  # twice as far
        (50.0, 50.0, 10.0, None),  # from the ideal itself
        (80.0, None, -20.0, -0.25),  # where a benchmark gives it no ideal: the figure itself
        (None, 50.0, None, None),
    ],
)
def test_a_relative_change_counts_from_an_ideal_inside_the_range(
    before: float | None, ideal: float | None, change: float | None, wanted: float | None
) -> None:
    found = relative_change("ss", Estimate(before, None, None, 9, ideal), Estimate(change, None, None, 9))
    assert found == (None if wanted is None else pytest.approx(wanted))


def test_a_relative_change_towards_an_end_of_the_range_is_that_of_the_figure() -> None:
    gap, right = Estimate(0.4, None, None, 9, 0.0), Estimate(0.8, None, None, 9, 1.0)
    fall = Estimate(-0.1, None, None, 9)
    assert relative_change("afgb", gap, fall) == pytest.approx(-0.25)
    assert relative_change("accuracy", right, fall) == pytest.approx(-0.125)


@pytest.mark.parametrize("field", ["data", "scorer", "normalisation", "template", "dtype", "seed", "limited"])
def test_an_unlike_protocol_is_named(field: str) -> None:
    other = dataclasses.replace(AFTER, protocol=dataclasses.replace(AFTER.protocol, **{field: "other"}))
    with pytest.raises(NotComparable, match=f"differ in protocol.{field}: .* and 'other'"):
        effects([BEFORE], [other])


def changed(**fields: object) -> Measurement:
    return dataclasses.replace(AFTER, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (changed(card=dataclasses.replace(AFTER.card, version="2")), "card.version"),
        (changed(card=dataclasses.replace(AFTER.card, digest="x")), "card.digest"),
        (changed(model=dataclasses.replace(AFTER.model, family="masked")), "model.family"),
        (changed(n=7), "number of items"),
        (
            changed(scores=(*AFTER.scores[1:], dataclasses.replace(AFTER.scores[0], sample="new"))),
            "different samples",
        ),
        (changed(benchmark="genhinteval"), "one model only"),
    ],
)
def test_unlike_conditions_are_named(other: Measurement, named: str) -> None:
    with pytest.raises(NotComparable, match=named):
        effects([BEFORE], [other])


def test_a_benchmark_on_one_side_only() -> None:
    for before, after in (([BEFORE, hints(Made())], [AFTER]), ([BEFORE], [AFTER, hints(Made())])):
        with pytest.raises(NotComparable, match="genhinteval was measured on one model only"):
            effects(before, after)


def test_scores_are_needed() -> None:
    bare = dataclasses.replace(AFTER, scores=())
    check_protocols(BEFORE, bare)
    with pytest.raises(UsageError, match="without its per-item scores"):
        effects([BEFORE], [bare])
