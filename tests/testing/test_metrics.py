"""The contracts of metrics bite: a metric with one fault fails the contract about that fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evenhand import registry
from evenhand.metrics import Metric
from evenhand.metrics.gaps import AFGB, AFGB_SIGNED
from evenhand.testing import MetricCase, Subject, judge
from tests.contracts.collecting import cases

RIGHT = AFGB.compute


def failing(monkeypatch: pytest.MonkeyPatch, metric: Metric, **changes: Any) -> set[str]:
    """The contracts that the metric fails."""
    monkeypatch.setattr(registry, "get", lambda kind, name: metric)
    case = dataclasses.replace(cases("metric")[metric.name], **changes)
    return {outcome.contract for outcome in judge(metric.name, "metric", case) if outcome.status == "failed"}


def by_place(table: Any, weights: Any) -> Any:
    """Weighted by where items stand."""
    return RIGHT(table, weights * np.arange(1, table.n + 1))


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a value above its range": ({"high": 0.2}, "values_and_intervals_stay_in_range"),
    "items of another metric": (
        {"per_item": AFGB_SIGNED.per_item},
        "per_item_values_average_to_the_figure",
    ),
    "every item counts": ({"items": lambda t: np.ones(t.n, bool)}, "items_count_and_values_agree"),
    "order": ({"compute": by_place}, "order_does_not_matter"),
    "weights ignored": (
        {"compute": lambda t, w: RIGHT(t, np.ones_like(w)), "per_item": None, "kind": None},
        "one_seed_gives_one_interval",
    ),
    "the kind of another figure": (
        {"kind": AFGB_SIGNED.kind},
        "one_seed_gives_one_interval",
    ),
    "another mean under weights than its items'": (
        {"compute": lambda t, w: RIGHT(t, np.asarray(w) ** 2)},
        "resamples_are_those_of_the_whole_matrix",
    ),
    "rows that do not say everything": (
        {"compute": by_place, "per_item": None, "by_rows": True},
        "resamples_are_those_of_the_whole_matrix",
    ),
    "a sum": ({"compute": lambda t, w: RIGHT(t, w) * t.n}, "duplicating_every_item_changes_nothing"),
    "no reading": ({"reading": "A gap."}, "the_card_is_complete"),
    "no room": ({"step": 0.5}, "it_has_a_name_in_running_text_and_a_smallest_step"),
    "zero for nothing": (
        {"compute": lambda t, w: np.nan_to_num(RIGHT(t, w))},
        "all_undefined_is_none_with_a_count",
    ),
    "a false claim": (
        {"reading": f"{AFGB.reading} Swapping the groups flips the sign."},
        "swapping_the_groups_does_what_the_card_says",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, contract = FAULTS[fault]
    assert contract in failing(monkeypatch, dataclasses.replace(AFGB, **changes))


def test_a_case_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(monkeypatch, AFGB) == set()
    wrong: dict[str, Any] = {"low": [{"p.he": 0.3, "p.she": 0.1}]}
    assert failing(monkeypatch, AFGB, **wrong) == {"extremes_reach_the_ends_of_the_range"}
    assert "extremes_reach_the_ends_of_the_range" in failing(monkeypatch, AFGB, high=None)
    swap = {"swapping_the_groups_does_what_the_card_says"}
    assert failing(monkeypatch, AFGB_SIGNED, swapped="keeps") == swap


def test_without_a_case_the_rest_is_skipped() -> None:
    found = list(judge("afgb"))
    assert {outcome.status for outcome in found} == {"passed", "skipped"}
    reasons = {outcome.reason for outcome in found if outcome.status == "skipped"}
    assert reasons == {"no case gives made columns to compute it on"}


def test_a_case_of_one_line_is_enough() -> None:
    made: Callable[[int, int], Any] = lambda n, seed: {"tie": np.arange(n) % 2.0}  # noqa: E731
    found = judge("ties", case=MetricCase("ties", made, [{"tie": 0.0}], [{"tie": 1.0}]))
    assert [outcome for outcome in found if outcome.status == "failed"] == []


def test_a_subject_without_a_case_has_no_need() -> None:
    assert Subject("metric", "afgb:x=1").name == "afgb"
