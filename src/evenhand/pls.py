"""Directions by partial least squares, the projection that takes them out, and random ones of equal variance.

Rows are samples, columns coordinates; everything is float64. A basis is an array [d, c] with a direction a
column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData

Array = NDArray[np.float64]


def pls_directions(x: ArrayLike, y: ArrayLike, components: int) -> Array:
    """The x-weights of partial least squares from `x` [n, d] to `y` [n, q]: a basis [d, c], c <= components.

    Both are centred and not scaled. Direction k is the first left singular vector of X'Y, X without the part
    that the earlier scores predict (NIPALS, Wold 1975), here by an exact decomposition in place of the power
    iteration. The columns are orthonormal; each is turned so that its largest coordinate is positive. There
    are fewer columns than asked for where nothing of `y` is left to predict: at most min(n - 1, d).

    Raises:
        BadData: the shapes do not fit, there are fewer than two samples, or a value is not finite.
    """
    given, wanted = _centred(x), _centred(y)
    if len(given) != len(wanted) or components < 1:
        raise BadData(
            f"x has {len(given)} rows, y {len(wanted)}, and {components} components were asked for.",
            mend="Give one row of each for every sample, and ask for at least one component.",
        )
    basis, left = _reduced(given)  # [d, r], [n, r]
    right = _reduced(wanted)[1]  # [n, s]: turning y changes no left singular vector
    table = left.T @ right  # X'Y, [r, s]
    most = min(components, len(given) - 1, given.shape[1])
    floor = np.finfo(np.float64).eps * max(table.shape) * (np.linalg.norm(table) or 1.0) * 8
    found: list[Array] = []
    for _ in range(most):
        vectors, values, _ = np.linalg.svd(table, full_matrices=False)
        if not len(values) or values[0] <= floor:
            break
        weight = vectors[:, 0]  # [r]
        scores = left @ weight  # [n]
        loading = left.T @ scores / (scores @ scores)  # [r]
        left = left - np.outer(scores, loading)
        table = table - np.outer(loading, scores @ right)
        found.append(basis @ weight)
    return _turned(np.stack(found, axis=1)) if found else np.zeros((given.shape[1], 0))


def column_basis(basis: ArrayLike) -> Array:
    """An orthonormal basis [d, r] of the columns of `basis` [d, c], r its rank."""
    directions = np.asarray(basis, dtype=np.float64)
    if not directions.size:
        return np.zeros((directions.shape[0], 0))
    vectors, values, _ = np.linalg.svd(directions, full_matrices=False)
    floor = values.max() * np.finfo(np.float64).eps * max(directions.shape)
    return np.asarray(vectors[:, values > floor])


def projection_without(basis: ArrayLike) -> Array:
    """``M = I - Q Q'`` [d, d], Q an orthonormal basis of `basis` [d, c]: it takes these directions out."""
    q = column_basis(basis)
    return np.asarray(np.eye(len(q)) - q @ q.T)


def removed_variance(x: ArrayLike, basis: ArrayLike) -> float:
    """The share of the variance of `x` [n, d] that lies in the span of `basis` [d, c]; 0 to 1.

    Raises:
        BadData: `x` does not vary.
    """
    centred, q = _centred(x), column_basis(basis)
    total = float(np.square(centred).sum())
    if not total:
        raise BadData("The activations are the same in every sample.", mend="Give samples that differ.")
    return float(np.square(centred @ q).sum()) / total


def drawn_directions(x: ArrayLike, components: int, share: float, seed: int) -> Array:
    """A random orthonormal basis [d, c] that takes out the `share` of the variance of `x` [n, d].

    The directions are Gaussian in the coordinates of the covariance S: ``S^a G`` with G random, and the
    exponent a is found by bisection, for a large one prefers directions of large variance, a small one those
    of little. A share out of reach of `components` directions gives the nearest that is in reach.

    Raises:
        BadData: `x` does not vary.
    """
    centred = _centred(x)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(centred) - 1))
    if values[-1] <= 0:
        raise BadData("The activations are the same in every sample.", mend="Give samples that differ.")
    scale = np.maximum(values / values[-1], 1e-10)  # [d], from the least to the most
    random = np.random.default_rng(seed).standard_normal((len(values), components))

    def drawn(exponent: float) -> Array:
        return column_basis(vectors @ (scale[:, None] ** exponent * random))

    low, high = -4.0, 4.0
    for _ in range(60):
        middle = (low + high) / 2
        if removed_variance(x, drawn(middle)) < share:
            low = middle
        else:
            high = middle
    return drawn((low + high) / 2)


def _centred(values: ArrayLike) -> Array:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise BadData(
            f"The samples have the shape {table.shape}, or are not all finite.",
            mend="Give finite values [n, d] of at least two samples.",
        )
    return np.asarray(table - table.mean(axis=0))


def _reduced(table: Array) -> tuple[Array, Array]:
    """An orthonormal basis [d, r] of the rows of `table` [n, d], and the rows in it [n, r], r <= n."""
    if table.shape[0] >= table.shape[1]:
        return np.eye(table.shape[1]), table
    q, r = np.linalg.qr(table.T)  # [d, n], [n, n]
    return q, r.T


def _turned(basis: Array) -> Array:
    """The columns, each with its largest coordinate positive."""
    largest = np.abs(basis).argmax(axis=0)
    return np.asarray(basis * np.sign(basis[largest, np.arange(basis.shape[1])]))
