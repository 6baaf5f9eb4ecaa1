"""The neutral term's probability."""

from __future__ import annotations

import pytest

from evenhand.metrics.gaps import NEUTRAL as component
from evenhand.records import Score


def test_mean_over_the_items_that_have_a_neutral_term() -> None:
    scores = [
        Score("a", "c", {"neutral": 0.1}),
        Score("b", "c", {"neutral": 0.3}),
        Score("c", "c", {"neutral": None}),
    ]
    assert component.value(scores) == pytest.approx(0.2)


def test_an_attribute_without_a_neutral_term_gives_none() -> None:
    assert component.value([Score("a", "c", {"neutral": None})]) is None
