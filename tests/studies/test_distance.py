"""The bias B: how far a figure is from its metric's ideal, signed along the base's own direction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand import registry
from evenhand.errors import UsageError
from evenhand.metrics import Metric
from evenhand.records import Effect, Estimate
from evenhand.studies.distance import STEPS, Distance, as_reported, distance, distance_of


def metric(name: str) -> Metric:
    found: Metric = registry.get("metric", name)
    return found


@pytest.mark.parametrize(
    ("name", "before", "figure", "bias"),
    [
        ("afgb_normalised", 0.44, 0.4375, 0.4375),  # ideal 0, its lowest value: the figure itself
        ("dpd", 0.0, 0.25, 0.25),
        ("ss", 62.0, 56.0, 6.0),
        ("ss", 62.0, 40.0, -10.0),  # past the ideal to the other side
        ("ss", 38.0, 40.0, 10.0),  # a base on the lower side
        ("bbq_ambiguous", -0.5, -0.25, 0.25),
        ("bbq_ambiguous", 0.5, -0.25, -0.25),
        ("icat", 70.0, 75.0, 25.0),  # ideal 100, its highest value
        ("disparate_impact", 1.0, 0.75, 0.25),
    ],
)
def test_the_distance_is_signed_by_the_bases_side(
    name: str, before: float, figure: float, bias: float
) -> None:
    away = distance(metric(name), before)
    assert away.value(figure) == bias
    assert away.of(np.array([figure])).tolist() == [bias]


def test_a_gap_whose_ideal_is_0_is_left_as_it_is_bit_for_bit() -> None:
    values = np.random.default_rng(0).uniform(size=100)
    away = distance(metric("afgb"), 0.3)
    assert away.plain
    assert (away.of(values) == values).all()


def test_intervals_are_turned_with_the_side() -> None:
    away = distance(metric("icat"), 70.0)
    found = away.estimate(Estimate(80.0, 75.0, 90.0, 9, 100.0))
    assert (found.value, found.low, found.high, found.ideal) == (20.0, 10.0, 25.0, 0.0)
    change = away.change(Estimate(10.0, 5.0, 20.0, 9))
    assert (change.value, change.low, change.high) == (-10.0, -20.0, -5.0)
    assert away.change(Estimate(None, None, None, 0)).value is None
    assert away.value(None) is None


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("afgb_normalised", 0.10),
        ("counterfactual_gap", 0.10),
        ("afgb", 0.05),
        ("dpd", 0.10),
        ("deo_sum", 0.10),
        ("bbq_ambiguous", 0.10),
        ("ss", 5.0),
        ("icat", 5.0),
        ("stereotype_preference", 5.0),
        ("lpbs_magnitude", 0.10),  # open upwards
    ],
)
def test_the_floor_is_five_of_the_metrics_smallest_steps(name: str, floor: float) -> None:
    away = distance(metric(name), 1.0)
    assert away.floor == pytest.approx(floor)
    assert away.floor == STEPS * metric(name).smallest_step


def test_which_ideals_can_be_missed_to_both_sides() -> None:
    inside = {name for name in ("ss", "afgb", "icat", "afgb_signed", "lpbs", "disparate_impact")
              if distance(metric(name), 1.0).inside}  # fmt: skip
    assert inside == {"ss", "afgb_signed", "lpbs"}


def test_without_an_ideal_there_is_no_distance() -> None:
    with pytest.raises(UsageError, match="mass has no ideal value"):
        distance(metric("mass"), 0.5)


def test_the_benchmarks_own_ideal_counts() -> None:
    described = as_reported("afgb", Estimate(0.4, None, None, 9, None))
    assert described.ideal is None
    assert as_reported("afgb", Estimate(0.4, None, None, 9, 0.0)) is metric("afgb")


def test_an_effect_is_read_in_its_metrics_distance() -> None:
    before = Estimate(60.0, 55.0, 65.0, 9, 50.0)
    assert distance_of(Effect("b", "ss", before, before, before, None)) == Distance(50.0, 1.0, 1.0, True)
    unknown = Effect("b", "not_installed", dataclasses.replace(before, ideal=None), before, before, None)
    assert distance_of(unknown) == Distance(0.0)
