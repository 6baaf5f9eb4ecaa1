"""The table that metrics read, and the weighted mean that most of them are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.metrics import BLOCK, Columns, columns, mean_metric, weighted_mean
from evenhand.records import Score


def test_columns_turn_none_into_nan() -> None:
    table = columns([Score("a", "c", {"x": 1.0, "y": None}), Score("b", "c", {"x": 2.0, "y": 3.0})])
    assert table.n == 2
    np.testing.assert_array_equal(table["x"], [1.0, 2.0])
    np.testing.assert_array_equal(table["y"], [np.nan, 3.0])


def test_columns_of_more_scores_than_are_read_at_once() -> None:
    n = 2 * BLOCK + 3
    table = columns([Score(f"s{i}", "c", {"x": float(i), "y": None if i % 2 else 1.0}) for i in range(n)])
    assert table.n == n
    np.testing.assert_array_equal(table["x"], np.arange(n))
    assert int(np.isnan(table["y"]).sum()) == n // 2
    scores: list[Any] = [Score(f"s{i}", "c", {"x": 1.0}) for i in range(BLOCK + 5)]
    scores[BLOCK + 2].values["x"] = "much"
    with pytest.raises(BadData, match=rf"values of x hold .much. at position {BLOCK + 2}"):
        columns(scores)


def test_groups_keep_the_order_of_the_benchmark() -> None:
    table = columns([Score("a", "c", {"p.she": 0.1, "mass": 9.0, "p.he": 0.2, "prior": 7.0})])
    np.testing.assert_array_equal(table.group("p"), [[0.1, 0.2]])
    with pytest.raises(KeyError, match="no columns named q"):
        table.group("q")


def test_weighted_mean_by_hand() -> None:
    x = np.array([1.0, np.nan, 4.0])
    weights = np.array([[1.0, 1.0, 1.0], [3.0, 5.0, 1.0], [0.0, 2.0, 0.0]])
    # (1 + 4)/2; (3·1 + 4)/4; nothing defined has weight, which is no division by zero.
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(weighted_mean(x, weights), [2.5, 1.75, np.nan])


def test_weighted_mean_leaves_infinite_values_out() -> None:
    np.testing.assert_array_equal(weighted_mean(np.array([np.inf, 2.0]), np.ones((1, 2))), [2.0])


def test_a_mean_metric_offers_its_per_item_values() -> None:
    metric = mean_metric(
        "m", "M", per_item=lambda t: t["x"] * 2, unit="1", ideal=None, low=None, high=None, source="",
        reading="", needs=("x",),
    )  # fmt: skip
    table = Columns({"x": np.array([1.0, np.nan])}, 2)
    assert metric.per_item is not None
    np.testing.assert_array_equal(metric.per_item(table), [2.0, np.nan])
    np.testing.assert_array_equal(metric.items(table), [True, False])
    assert metric.value([Score("a", "c", {"x": 1.0}), Score("b", "c", {"x": None})]) == 2.0
