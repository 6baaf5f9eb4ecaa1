"""Cluster-bootstrap weights: whole, or in blocks of rows of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import BadData, UsageError
from evenhand.metrics import Array
from evenhand.records import Score

CELLS = 4_000_000  # weights held at once (32 MB); beyond it resamples are made and used in blocks


def resamples(clusters: Sequence[str] | None, n: int, B: int = 1000, seed: int = 0) -> Array:
    """Cluster-bootstrap weights, shape [B, n]: how often each of `n` items counts in each of `B` resamples.

    Every resample draws as many clusters, with replacement, as there are. `clusters` names the cluster of
    each item; None makes every item its own. The weights depend on the arguments alone, and on the order of
    the items only as their columns do, so equal arguments give the same (paired) resamples for all metrics
    and models. The weights of a slice are its columns of the whole matrix.

    Raises:
        BadData: `clusters` has not one name for each item.
        UsageError: `B` is below 1.
    """
    check_resamples(B)
    return next(drawn_blocks(*codes_of(clusters, n), B, seed, rows=B))


def check_resamples(B: int) -> None:
    """Refuse fewer than one resample.

    Raises:
        UsageError: `B` is below 1.
    """
    if B < 1:
        raise UsageError(f"{B} resamples are too few.", mend="Use at least 1; 1000 or more for an interval.")


def codes_of(clusters: Sequence[str] | None, n: int) -> tuple[NDArray[np.intp], int]:
    """Each item's cluster number (in sorted order of names) and the number of clusters."""
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise BadData(f"{len(clusters)} cluster names for {n} items.", mend="Give one name for each item.")
    # Not an array of text: that gives every name the room of the longest.
    numbers = {name: number for number, name in enumerate(sorted(set(clusters)))}
    return np.fromiter((numbers[name] for name in clusters), np.intp, n), len(numbers)


def several(codes: NDArray[np.intp], keep: NDArray[np.bool_]) -> bool:
    """Whether the kept items belong to more than one cluster."""
    kept = codes[keep]
    return bool(len(kept)) and bool((kept != kept[0]).any())


def weight_blocks(scores: Sequence[Score], weights: Array | None, B: int, seed: int) -> Iterator[Array]:
    """`blocks_of` the clusters of `scores`."""
    return blocks_of(weights, codes_of([s.cluster for s in scores], len(scores)), B, seed)


def blocks_of(
    weights: Array | None, codes: tuple[NDArray[np.intp], int], B: int, seed: int
) -> Iterator[Array]:
    """The given weights, or those of `B` new resamples, at most `CELLS` of them at a time."""
    n = len(codes[0])
    rows = max(1, CELLS // max(n, 1))
    if weights is None:
        check_resamples(B)
        return drawn_blocks(*codes, B, seed, rows)
    if weights.ndim != 2 or weights.shape[1] != n:
        raise BadData(
            f"Weights of shape {weights.shape} for {n} items.", mend="Give one column for each item."
        )
    return (weights[start : start + rows] for start in range(0, len(weights), rows))


def drawn_blocks(codes: NDArray[np.intp], size: int, B: int, seed: int, rows: int) -> Iterator[Array]:
    """The weights of `B` resamples, at most `rows` at a time; the size of the blocks changes no number."""
    rng = np.random.default_rng(seed)
    for start in range(0, B, rows):
        yield np.take(_draw(rng, min(rows, B - start), size), codes, axis=1)


def _draw(rng: np.random.Generator, rows: int, size: int) -> Array:
    """`rows` multinomial counts of `size` draws over `size` clusters, shape [rows, size]."""
    if not size:
        return np.zeros((rows, 0))
    # One bincount over row-wise shifted draws is several times faster than Generator.multinomial.
    draws = rng.integers(size, size=(rows, size))
    draws += np.arange(rows)[:, None] * size
    return np.bincount(draws.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)
