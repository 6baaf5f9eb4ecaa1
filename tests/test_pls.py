"""Directions by partial least squares: by hand, beside scikit-learn, and what taking them out leaves."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.pls import (
    column_basis,
    drawn_directions,
    pls_directions,
    projection_without,
    removed_variance,
)


def _case(n: int, d: int, q: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    x = chance.standard_normal((n, d)) @ chance.standard_normal((d, d))
    return x, x @ chance.standard_normal((d, q)) + chance.standard_normal((n, q))


@pytest.mark.parametrize(("n", "d", "q", "c"), [(40, 6, 3, 4), (9, 20, 12, 5), (30, 8, 8, 8), (12, 5, 30, 3)])
def test_the_directions_are_those_of_scikit_learn(n: int, d: int, q: int, c: int) -> None:
    regression = pytest.importorskip("sklearn.cross_decomposition").PLSRegression
    x, y = _case(n, d, q)
    theirs = regression(n_components=c, scale=False, tol=1e-14, max_iter=20000).fit(x, y).x_weights_
    ours = pls_directions(x, y, c)
    assert np.abs((ours * theirs).sum(axis=0)) == pytest.approx(np.ones(c), abs=1e-6)  # up to the sign
    assert ours.T @ ours == pytest.approx(np.eye(c), abs=1e-9)


def test_by_hand_the_direction_that_predicts_wins_over_the_one_that_varies() -> None:
    # x1 varies by 100 and says nothing of y; x2 varies by 1 and is y. X'Y = (0, 4): the direction is (0, 1).
    # The first principal component, which a projection by PCA takes out, is (1, 0): it leaves y as it is.
    x = np.array([[10.0, 1.0], [-10.0, 1.0], [10.0, -1.0], [-10.0, -1.0]])
    y = x[:, 1:]
    b = pls_directions(x, y, 1)
    assert b == pytest.approx(np.array([[0.0], [1.0]]))
    assert removed_variance(x, b) == pytest.approx(4 / 404)
    m = projection_without(b)
    assert x @ m.T == pytest.approx(np.array([[10.0, 0], [-10, 0], [10, 0], [-10, 0]]))
    first = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:1].T  # PCA, [2, 1]
    assert (x @ projection_without(first).T)[:, 1] == pytest.approx(y[:, 0])
    # Centred, a constant added to y or x changes nothing: what all prompts share is not what separates them.
    assert pls_directions(x + 7, y - 3, 1) == pytest.approx(b)


def test_there_are_no_more_directions_than_the_samples_determine() -> None:
    x, y = _case(5, 30, 30)
    assert pls_directions(x, y, 1024).shape == (30, 4)  # n - 1
    assert pls_directions(x[:, :3], y, 1024).shape == (3, 3)  # d
    assert pls_directions(x, np.ones((5, 2)), 3).shape == (30, 0)  # nothing to predict
    y = x[:, :1] * 2  # one score predicts part of it, and all 4 the rest
    assert pls_directions(x, y, 1024).shape[1] <= 4


def test_what_is_taken_out_is_a_projection() -> None:
    x, y = _case(50, 12, 4)
    b = pls_directions(x, y, 5)
    m = projection_without(b)
    assert np.abs(m @ m - m).max() < 1e-14
    assert m == pytest.approx(m.T)
    assert np.abs(m @ b).max() < 1e-14
    assert np.trace(m) == pytest.approx(7)  # 12 - 5
    same = column_basis(np.column_stack([b, b[:, 0] + b[:, 1]]))  # a dependent column adds nothing
    assert same.shape == (12, 5)
    assert projection_without(np.column_stack([b * 3, b[:, 0]])) == pytest.approx(m)
    assert projection_without(np.zeros((4, 0))) == pytest.approx(np.eye(4))


@pytest.mark.parametrize("seed", range(4))
def test_random_directions_take_out_the_same_variance(seed: int) -> None:
    x, y = _case(60, 10, 4)
    b = pls_directions(x, y, 3)
    share = removed_variance(x, b)
    drawn = drawn_directions(x, 3, share, seed)
    assert drawn.shape == (10, 3)
    assert drawn.T @ drawn == pytest.approx(np.eye(3), abs=1e-9)
    assert removed_variance(x, drawn) == pytest.approx(share, abs=1e-6)
    assert drawn_directions(x, 3, share, seed) == pytest.approx(drawn)
    assert np.abs(drawn - drawn_directions(x, 3, share, seed + 9)).max() > 0.1


def test_random_directions_of_samples_fewer_than_coordinates() -> None:
    x, y = _case(8, 30, 4)
    share = removed_variance(x, pls_directions(x, y, 2))
    assert removed_variance(x, drawn_directions(x, 2, share, 1)) == pytest.approx(share, abs=1e-6)


def test_what_cannot_be_is_refused() -> None:
    x, y = _case(6, 3, 2)
    with pytest.raises(BadData, match="x has 6 rows, y 5"):
        pls_directions(x, y[:5], 1)
    with pytest.raises(BadData, match="0 components"):
        pls_directions(x, y, 0)
    with pytest.raises(BadData, match="not all finite"):
        pls_directions(x * np.nan, y, 1)
    with pytest.raises(BadData, match="the same in every sample"):
        removed_variance(np.ones((4, 2)), np.eye(2))
    with pytest.raises(BadData, match="the same in every sample"):
        drawn_directions(np.ones((4, 2)), 1, 0.5, 0)
