"""Better, worse or unresolved: the interval decides, and the smallest relevant change."""

from __future__ import annotations

import pytest

from evenhand.records import Effect, Estimate
from evenhand.studies.resolving import Outcome, resolution


def _effect(change: float, half: float, *, before: float = 0.4, metric: str = "afgb") -> Effect:
    ideal = {"afgb": 0.0, "ub": 1.0, "mass": None}[metric]
    old = Estimate(before, before - 0.01, before + 0.01, 50, ideal)
    new = Estimate(before + change, None, None, 50, ideal)
    return Effect("b", metric, old, new, Estimate(change, change - half, change + half, 50), None)


@pytest.mark.parametrize(
    ("change", "half", "outcome"),
    [
        (-0.10, 0.05, Outcome.BETTER),
        (+0.10, 0.05, Outcome.WORSE),
        (-0.10, 0.10, Outcome.UNRESOLVED),  # its end is 0
        (-0.10, 0.20, Outcome.UNRESOLVED),
        (0.0, 0.001, Outcome.UNRESOLVED),
        (-0.03, 0.001, Outcome.UNRESOLVED),  # certain, and below 10 % of 0.4
        (-0.041, 0.001, Outcome.BETTER),
    ],
)
def test_the_interval_and_delta_decide(change: float, half: float, outcome: Outcome) -> None:
    found = resolution(_effect(change, half))
    assert found is not None
    assert (found.outcome, found.delta) == (outcome, pytest.approx(0.04))
    assert bool(found.why) is (outcome is Outcome.UNRESOLVED)


def test_a_small_bias_has_the_metrics_smallest_step() -> None:
    found = resolution(_effect(-0.009, 0.001, before=0.02))  # 10 % of .02 are less than AFGB's .01
    assert found is not None
    assert (found.outcome, found.delta) == (Outcome.UNRESOLVED, 0.01)


def test_more_is_better_where_the_ideal_is_above() -> None:
    found = resolution(_effect(+0.10, 0.05, before=0.5, metric="ub"))
    assert found is not None
    assert found.outcome is Outcome.BETTER


def test_a_descriptive_metric_says_nothing_and_a_doubted_one_is_unresolved() -> None:
    assert resolution(_effect(-0.10, 0.05, metric="mass")) is None
    found = resolution(_effect(-0.10, 0.05), doubted=True)
    assert found is not None
    assert found.outcome is Outcome.UNRESOLVED
    assert "hardly uses" in found.why
