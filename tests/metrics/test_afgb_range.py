"""The range form of AFGB."""

from __future__ import annotations

import numpy as np

from evenhand.metrics.gaps import afgb, afgb_range


def test_range_by_hand() -> None:
    np.testing.assert_allclose(afgb_range(np.array([[0.5, 0.2, 0.1], [0.2, 0.2, 0.2]])), [0.4, 0.0])


def test_equals_afgb_for_two_groups_and_exceeds_it_for_more() -> None:
    p = np.random.default_rng(0).dirichlet((1, 1, 1), 50)
    np.testing.assert_allclose(afgb_range(p[:, :2]), afgb(p[:, :2]))
    assert (afgb_range(p) > afgb(p)).all()


def test_undefined_items() -> None:
    np.testing.assert_array_equal(afgb_range(np.array([[0.5, np.nan]])), [np.nan])
    np.testing.assert_array_equal(afgb_range(np.array([[0.5]])), [np.nan])
