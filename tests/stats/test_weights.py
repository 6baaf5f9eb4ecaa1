"""Weights by clusters do what the matrix does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evenhand.stats.weights import ClusterWeights

COUNTS = np.random.default_rng(0).integers(0, 4, size=(6, 5)).astype(float)
CODES = np.array([4, 0, 0, 2, 1, 3, 3, 1])
X = np.random.default_rng(1).normal(size=(8, 3))
MASK = np.array([True, False, True, True, False, True, True, False])


@pytest.mark.parametrize(
    "use",
    [
        lambda w: w @ X,
        lambda w: w @ X[:, 0],
        lambda w: w @ X[:, :0],
        lambda w: w @ MASK,
        lambda w: (w * MASK) @ X,
        lambda w: (MASK * w) @ X,
        lambda w: (w * X[:, 0] * MASK) @ X,
        lambda w: w[:, MASK] @ X[MASK],
        lambda w: (w * X[:, 1])[:, MASK] @ X[MASK],
        lambda w: w[:, np.array([7, 0])] @ X[[7, 0]],
        lambda w: (w[:, MASK] > 0).any(axis=1),
        lambda w: w.sum(axis=1),
        lambda w: np.sum(w, axis=0),
        lambda w: w.T @ np.ones(6),
        lambda w: w[2],
        lambda w: w[:, 3],
        lambda w: w[1:3],
        lambda w: w / w.sum(axis=1, keepdims=True),
        lambda w: w * 2,
        lambda w: w * np.ones((6, 1)),
        lambda w: np.where(w > 1, w, -1.0),
        lambda w: np.add.reduce(w, axis=1),
        lambda w: np.einsum("bn,nm->bm", w, X),
        lambda w: np.asarray(w, dtype=np.float32),
        lambda w: np.array((*w.shape, len(w), w.ndim, w.size)),
    ],
)
def test_it_stands_for_the_matrix(use: Callable[[Any], np.ndarray]) -> None:
    whole = COUNTS[:, CODES]
    np.testing.assert_allclose(
        np.asarray(use(ClusterWeights(COUNTS, CODES))), use(whole), rtol=1e-12, atol=1e-14
    )


def test_a_change_in_place_stays_with_the_one_who_made_it() -> None:
    shared = ClusterWeights(COUNTS, CODES)
    own = shared
    own *= MASK
    np.testing.assert_allclose(own @ X, (COUNTS[:, CODES] * MASK) @ X, rtol=1e-12)
    np.testing.assert_allclose(shared @ X, COUNTS[:, CODES] @ X, rtol=1e-12)


def test_products_and_choices_of_items_make_no_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "take", lambda *_, **__: pytest.fail("the matrix was made"))
    weights = ClusterWeights(COUNTS, CODES) * MASK
    assert (weights[:, MASK] @ X[MASK]).shape == (6, 3)


def test_a_name_that_no_matrix_has_is_refused() -> None:
    with pytest.raises(AttributeError):
        _ = ClusterWeights(COUNTS, CODES).clusters
