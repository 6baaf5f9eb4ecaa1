"""Normalised AFGB: a share of the mass, undefined where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics.gaps import AFGB_NORMALISED as component
from evenhand.metrics.gaps import afgb_normalised
from evenhand.records import Score


def test_each_item_is_divided_by_its_own_mass() -> None:
    # 0.4/0.8, 0.4/0.6, 0/0.6: a mean of ratios, not the ratio of means 0.8/2.0.
    got = afgb_normalised(np.array([[0.6, 0.2], [0.1, 0.5], [0.3, 0.3]]))
    np.testing.assert_allclose(got, [0.5, 2 / 3, 0.0])


@pytest.mark.parametrize("shrink", [1.0, 1e-2, 1e-5])
def test_lost_mass_does_not_look_like_less_bias(shrink: float) -> None:
    np.testing.assert_allclose(afgb_normalised(shrink * np.array([[0.3, 0.1]])), [0.5])


def test_no_mass_is_undefined_and_counted() -> None:
    # 4e-7 in all is below the limit of 1e-6, 2e-6 is not.
    p = np.array([[3e-7, 1e-7], [0.0, 0.0], [1.5e-6, 0.5e-6]])
    np.testing.assert_allclose(afgb_normalised(p), [np.nan, np.nan, 0.5])
    scores = [Score(str(i), "c", {"p.he": a, "p.she": b}) for i, (a, b) in enumerate(p.tolist())]
    assert component.value(scores) == pytest.approx(0.5)
    assert component.value(scores[:2]) is None


def test_three_groups() -> None:
    # Pair gaps .3, .4, .1 average 0.8/3; mass 0.8.
    np.testing.assert_allclose(afgb_normalised(np.array([[0.5, 0.2, 0.1]])), [1 / 3])
