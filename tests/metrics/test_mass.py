"""The groups' joint probability."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics.gaps import MASS as component
from evenhand.metrics.gaps import mass
from evenhand.records import Score


def test_mass_is_the_sum_over_groups_only() -> None:
    np.testing.assert_allclose(mass(np.array([[0.5, 0.2, 0.1], [0.0, 0.0, 0.0]])), [0.8, 0.0])
    # The neutral term belongs to no group.
    assert component.value([Score("a", "c", {"p.he": 0.5, "p.she": 0.2, "neutral": 0.3})]) == pytest.approx(
        0.7
    )


def test_an_undefined_group_leaves_the_mass_undefined() -> None:
    np.testing.assert_array_equal(mass(np.array([[0.5, np.nan]])), [np.nan])


def test_no_value_of_the_mass_is_best() -> None:
    assert component.ideal is None
