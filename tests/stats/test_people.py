"""Figures of decisions on plain arrays with intervals: the same values, and bad arrays are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand import stats
from evenhand.errors import BadData, BadOption
from evenhand.metrics.calibration import CALIBRATION_GAP
from evenhand.metrics.decisions import DECISION_ACCURACY
from evenhand.metrics.group_fairness import DPD, dpd


def test_values_are_those_of_the_plain_functions_and_intervals_hold_them() -> None:
    rng = np.random.default_rng(3)
    true, group = rng.integers(0, 2, 300), rng.choice(["a", "b"], 300)
    made = np.where(rng.random(300) < 0.8, true, 1 - true) * (group == "a")
    found = stats.of_people([DPD, DECISION_ACCURACY], true, made, group, seed=1)
    assert found["dpd"].value == pytest.approx(dpd(true, made, group))
    assert found["decision_accuracy"].value == pytest.approx((true == made).mean())
    for one in found.values():
        assert one.n == 300
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.value < one.high  # type: ignore[operator]
    assert found == stats.of_people((one for one in (DPD, DECISION_ACCURACY)), true, made, group, seed=1)


def test_no_decision_is_left_out_and_counted() -> None:
    found = stats.of_people([DPD], [1, 0, 1, 0], [1.0, 0.0, np.nan, 1.0], [1, 1, 2, 2])["dpd"]
    assert (found.value, found.n, found.undefined) == (0.5, 3, 1)


def test_an_empty_record_is_undefined() -> None:
    found = stats.of_people([DPD], [], [], [])["dpd"]
    assert (found.value, found.low, found.n) == (None, None, 0)


def test_probabilities_are_read_where_given() -> None:
    true, made, group = [1, 0] * 40, [1, 0] * 40, ["a", "a", "b", "b"] * 20
    found = stats.of_people([CALIBRATION_GAP], true, made, group, [0.9, 0.1] * 40)
    assert found["calibration_gap"].value == pytest.approx(0.0)
    with pytest.raises(BadData, match="probability"):
        stats.of_people([CALIBRATION_GAP], true, made, group)


@pytest.mark.parametrize(
    ("true", "made", "group"),
    [([1, 2], [1, 0], ["a", "b"]), ([1], [1, 0], ["a", "b"]), ([1, 0], [1, 0], ["a", None])],
)
def test_arrays_that_do_not_fit_are_refused(true: list[int], made: list[int], group: list[str]) -> None:
    with pytest.raises(BadData):
        stats.of_people([DPD], true, made, group)


def test_one_metric_needs_no_list() -> None:
    arrays = ([1, 0, 1, 0], [1, 0, 1, 1], [1, 1, 2, 2])
    assert stats.of_people(DPD, *arrays) == stats.of_people([DPD], *arrays)


@pytest.mark.parametrize("metrics", ["dpd", ["dpd"], None, 3, [None], dpd, [DPD, dpd]])
def test_what_is_no_metric_is_refused(metrics: Any) -> None:
    with pytest.raises(
        BadOption,
        match=r"^metrics holds ('dpd'|None|3|<function dpd .*>), which is not a metric\. Give such as .*DPD",
    ):
        stats.of_people(metrics, [1, 0], [1, 0], ["a", "b"])


def test_people_without_groups_are_refused() -> None:
    with pytest.raises(BadData, match="The groups have 0 dimensions"):
        stats.of_people([DPD], [1, 0], [1, 0], None)  # type: ignore[arg-type]
