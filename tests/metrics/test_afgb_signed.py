"""The signed gap: he minus she, cancelling across items."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics.gaps import AFGB_SIGNED as component
from evenhand.metrics.gaps import afgb_signed
from evenhand.records import Score


def test_the_worked_example_cancels() -> None:
    pairs = ((0.6, 0.2), (0.1, 0.5), (0.3, 0.3))  # +0.4 - 0.4 + 0
    scores = [Score(str(i), "c", {"p.he": he, "p.she": she}) for i, (he, she) in enumerate(pairs)]
    assert component.value(scores) == pytest.approx(0.0, abs=1e-15)


def test_positive_means_the_first_group() -> None:
    np.testing.assert_allclose(afgb_signed(np.array([[0.9, 0.1], [0.1, 0.9]])), [0.8, -0.8])


def test_more_than_two_groups_have_no_sign() -> None:
    np.testing.assert_array_equal(afgb_signed(np.full((2, 3), 0.3)), [np.nan, np.nan])
    assert component.value([Score("a", "c", {"p.a": 0.1, "p.b": 0.2, "p.c": 0.3})]) is None
