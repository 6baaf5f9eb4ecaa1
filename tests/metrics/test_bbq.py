"""BBQ's bias scores and accuracies over columns."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics import Array, columns
from evenhand.metrics.bbq import ACCURACY_AMBIGUOUS as accuracy_ambiguous
from evenhand.metrics.bbq import ACCURACY_DISAMBIGUATED as accuracy_disambiguated
from evenhand.metrics.bbq import BBQ_AMBIGUOUS as ambiguous
from evenhand.metrics.bbq import BBQ_DISAMBIGUATED as disambiguated
from evenhand.metrics.bbq import bbq_ambiguous
from evenhand.records import Score, Value
from evenhand.testing import MetricCase

NAMES = ("correct.ambiguous", "biased.ambiguous", "correct.disambiguated", "biased.disambiguated")


def made(n: int, seed: int) -> dict[str, Array]:
    """Answers to questions of BBQ's two conditions in turn."""
    rng = np.random.default_rng([seed, 2])
    found = {}
    for turn, condition in enumerate(("ambiguous", "disambiguated")):
        own = np.arange(n) % 2 == turn
        unknown = rng.random(n) < 0.4
        right = unknown if condition == "ambiguous" else rng.random(n) < 0.5
        found[f"correct.{condition}"] = np.where(own, right, np.nan)
        found[f"biased.{condition}"] = np.where(own & ~unknown, rng.integers(2, size=n), np.nan)
    return found


CASES = (
    *(
        MetricCase(f"accuracy_{part}", made, [{f"correct.{part}": 0.0}], [{f"correct.{part}": 1.0}])
        for part in ("ambiguous", "disambiguated")
    ),
    MetricCase(
        "bbq_ambiguous",
        made,
        [{"correct.ambiguous": 0.0, "biased.ambiguous": 0.0}],
        [{"correct.ambiguous": 0.0, "biased.ambiguous": 1.0}],
    ),
    MetricCase("bbq_disambiguated", made, [{"biased.disambiguated": 0.0}], [{"biased.disambiguated": 1.0}]),
)


def scores(*rows: tuple[Value, Value, Value, Value]) -> list[Score]:
    return [Score(str(i), "c", dict(zip(NAMES, row, strict=True))) for i, row in enumerate(rows)]


def test_both_scores_by_hand() -> None:
    unknown, biased, other = (1.0, None, None, None), (0.0, 1.0, None, None), (0.0, 0.0, None, None)
    table = scores(
        *[unknown] * 12, *[biased] * 6, *[other] * 2, (None, None, 1.0, 1.0), (None, None, 0.0, 0.0)
    )
    # (1 - 12 / 20) · (2 · 6 / 8 - 1) = 0.4 · 0.5; one biased answer of two: 0.
    assert ambiguous.value(table) == pytest.approx(0.2)
    assert disambiguated.value(table) == 0.0
    assert (accuracy_ambiguous.value(table), accuracy_disambiguated.value(table)) == pytest.approx((0.6, 0.5))
    assert ambiguous.items(columns(table)).sum() == 20


def test_weights_choose_items() -> None:
    correct, biased = np.array([1.0, 0.0, 0.0]), np.array([np.nan, 1.0, 0.0])
    weights = np.array([[1.0, 1, 0], [1, 0, 1], [2, 0, 0], [0, 3, 1]])
    # Half wrong and all biased; half wrong and none; no person named; all wrong, three of four biased.
    np.testing.assert_allclose(bbq_ambiguous(correct, biased, weights), [0.5, -0.5, np.nan, 0.5])


def test_no_item_of_a_condition_is_undefined() -> None:
    table = scores((None, None, 1.0, None))
    assert (ambiguous.value(table), disambiguated.value(table), accuracy_ambiguous.value(table)) == (
        None,
    ) * 3
