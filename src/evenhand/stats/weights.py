"""Weights of items that are known by their clusters: the matrix [B, n] stands for itself, but is not made."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from evenhand.metrics import Array


class ClusterWeights(NDArrayOperatorsMixin):
    """Weights [B, n] of items, as counts of their clusters [B, C] and a factor for each item [n].

    Metrics take it for the matrix. Products with columns, by which nearly all figures are made, first add the
    columns up over each cluster, so that they cost B · C and not B · n; weights times a column, and a choice
    of items, stay in this form. Whatever else is asked of it is asked of the matrix, which is made then.
    """

    def __init__(self, counts: Array, codes: NDArray[np.intp], factor: Array | None = None) -> None:
        self._counts, self._codes, self._factor = counts, codes, factor

    @property
    def shape(self) -> tuple[int, int]:
        """(B, n)."""
        return len(self._counts), len(self._codes)

    def __len__(self) -> int:
        return len(self._counts)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = self._whole if dtype is None else self._whole.astype(dtype, copy=False)
        return found.copy() if copy else found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # numpy asks for its own protocols, and must not get the matrix's
            raise AttributeError(name)
        return getattr(self._whole, name)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None):
            items = key[1]
            if isinstance(items, np.ndarray) and items.ndim == 1:
                factor = None if self._factor is None else self._factor[items]
                return ClusterWeights(self._counts, self._codes[items], factor)
        return self._whole[key]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        options.pop("out", None)  # `weights *= x` gives a new object: the counts serve other metrics too
        if method == "__call__" and not options and len(inputs) == 2:
            other = inputs[1] if inputs[0] is self else inputs[0]
            if ufunc is np.matmul and inputs[0] is self and isinstance(other, np.ndarray):
                return self._counts @ self._added(other)
            if ufunc is np.multiply and self._is_factor(other):
                own = np.asarray(other, dtype=np.float64)
                return ClusterWeights(
                    self._counts, self._codes, own if self._factor is None else self._factor * own
                )
        plain = [x._whole if isinstance(x, ClusterWeights) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def _is_factor(self, other: Any) -> bool:
        return isinstance(other, np.ndarray) and other.shape == self._codes.shape

    def _added(self, columns: NDArray[Any]) -> Array:
        """`columns` [n] or [n, m] times the factor, added up over each cluster: [C] or [C, m]."""
        x = columns.astype(np.float64, copy=False)
        if self._factor is not None:
            x = x * (self._factor if x.ndim == 1 else self._factor[:, None])
        return added(x, self._codes, self._counts.shape[1])

    @cached_property
    def _whole(self) -> Array:
        found: Array = np.take(self._counts, self._codes, axis=1)
        return found if self._factor is None else found * self._factor


def added(x: Array, codes: NDArray[np.intp], size: int) -> Array:
    """`x` [n] or [n, m] added up over the items of each of `size` clusters: [size] or [size, m]."""
    if x.ndim == 1:
        return np.asarray(np.bincount(codes, weights=x, minlength=size))
    if not x.shape[1]:
        return np.zeros((size, 0))
    return np.stack([np.bincount(codes, weights=column, minlength=size) for column in x.T], axis=1)
