"""Resamples of whole clusters: as a matrix of weights, or in blocks of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import BadData, UsageError
from evenhand.metrics import Array

CELLS = 4_000_000  # weights held at once (32 MB); beyond it resamples are made and used in blocks
CACHED = 1 << 16  # weights of clusters that stay in a processor's cache between two steps (0.5 MB)
ROWS = 32  # resamples a block has at least, if `CELLS` allows: each block reads the items' values once

Codes = NDArray[np.intp]


def resamples(clusters: Sequence[str] | None, n: int, B: int = 1000, seed: int = 0) -> Array:
    """Cluster-bootstrap weights, shape [B, n]: how often each of `n` items counts in each of `B` resamples.

    Every resample draws as many clusters, with replacement, as there are. `clusters` names the cluster of
    each item; None makes every item its own. The weights depend on the arguments alone, and on the order of
    the items only as their columns do, so equal arguments give the same (paired) resamples for all metrics
    and models. The weights of a slice are its columns of the whole matrix. The matrix is made whole: for
    many items, or for several metrics and models, a `Resampling` is the same without it.

    Raises:
        BadData: `clusters` has not one name for each item.
        UsageError: `B` is below 1.
    """
    drawn = Resampling(clusters, n, B, seed)
    return np.concatenate([np.take(block.counts, drawn.codes, axis=1) for block in drawn.blocks()])


class Resampling:
    """`B` resamples of the clusters of `n` items, made block by block whenever they are used.

    The same numbers as in `resamples`. `clusters` names the cluster of each item, None makes every item its
    own. With `point` every item counted once comes first, as resample 0.

    Raises:
        BadData: `clusters` has not one name for each item.
        UsageError: `B` is below 1.
    """

    def __init__(
        self, clusters: Sequence[str] | None, n: int, B: int = 1000, seed: int = 0, *, point: bool = False
    ) -> None:
        check_resamples(B)
        self.codes, self.size = codes_of(clusters, n)
        self._B, self._seed, self._point = B, seed, point
        self._kept: list[Block] = []

    @property
    def n(self) -> int:
        """The number of items."""
        return len(self.codes)

    @property
    def seed(self) -> int:
        """The seed of the draws."""
        return self._seed

    def __len__(self) -> int:
        """The number of resamples, the point included."""
        return self._B + self._point

    def blocks(self, widest: int = 0, *, keep: bool = False) -> Iterator[Block]:
        """All resamples in order; no block holds more than `CELLS` weights of clusters, or of `widest` items.

        With `keep` they stay for the next metric or model, where all of them together hold no more.
        """
        if self._point:
            yield Block(counts=np.ones((1, self.size)))
        if self._kept and max(map(len, self._kept)) <= max(1, CELLS // max(self.size, widest, 1)):
            yield from self._kept
            return
        fits = keep and self._B * self.size <= CELLS
        made = []
        for block in drawn_blocks(self.size, self._B, self._seed, max(self.size, widest)):
            if fits:
                made.append(block)
            yield block
        self._kept = made or self._kept


class Block:
    """Some resamples of the same clusters: which clusters were drawn, or how often each counts."""

    def __init__(self, *, draws: Codes | None = None, counts: Array | None = None) -> None:
        self._draws, self._counts = draws, counts

    def __len__(self) -> int:
        return len(self._counts if self._draws is None else self._draws)  # type: ignore[arg-type]

    @cached_property
    def counts(self) -> Array:
        """How often each cluster counts, shape [rows, clusters]."""
        if self._counts is not None or self._draws is None:
            return np.zeros((0, 0)) if self._counts is None else self._counts
        rows, size = self._draws.shape
        return counted(self._draws, size) if size else np.zeros((rows, 0))

    def of_kinds(self, kinds: Codes, k: int) -> Array:
        """How often clusters of each of `k` kinds count, shape [rows, k]; `kinds` [clusters] numbers them."""
        if self._draws is not None:
            return counted(np.take(kinds, self._draws), k)
        return np.asarray(self.counts @ (kinds[:, None] == np.arange(k)).astype(np.float64))


def drawn_blocks(size: int, B: int, seed: int, widest: int) -> Iterator[Block]:
    """`B` draws of `size` clusters, at most `CELLS` of `widest` at a time; that changes no number."""
    rng = np.random.default_rng(seed)
    rows = max(1, min(CELLS // max(widest, 1), max(ROWS, CACHED // max(size, 1))))
    for start in range(0, B, rows):
        yield Block(draws=_draw(rng, min(rows, B - start), size))


def _draw(rng: np.random.Generator, rows: int, size: int) -> Codes:
    """The clusters that `rows` resamples draw, shape [rows, size]."""
    return rng.integers(size, size=(rows, size)) if size else np.zeros((rows, 0), dtype=np.intp)


def counted(draws: Codes, size: int) -> Array:
    """How often each of `size` numbers stands in each row of `draws` [rows, m]: [rows, size]."""
    # One bincount over row-wise shifted draws is several times faster than Generator.multinomial.
    rows = len(draws)
    shifted = draws + np.arange(rows)[:, None] * size
    return np.bincount(shifted.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def codes_of(clusters: Sequence[str] | None, n: int) -> tuple[Codes, int]:
    """Each item's cluster number (in sorted order of names) and the number of clusters.

    Raises:
        BadData: `clusters` has not one name for each item.
    """
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise BadData(f"{len(clusters)} cluster names for {n} items.", mend="Give one name for each item.")
    # Not an array of text: that gives every name the room of the longest.
    distinct = set(clusters)
    if len(distinct) == n:  # looking a million names up in a dictionary costs more than sorting them
        codes = np.empty(n, dtype=np.intp)
        codes[sorted(range(n), key=clusters.__getitem__)] = np.arange(n)
        return codes, n
    numbers = {name: number for number, name in enumerate(sorted(distinct))}
    return np.fromiter((numbers[name] for name in clusters), np.intp, n), len(numbers)


def held(codes: Codes) -> Codes:
    """The distinct cluster numbers of `codes` [n], in order.

    They are counted where they are dense: sorting or hashing them grows faster than the items.
    """
    if not len(codes) or _sparse(codes):
        return np.unique(codes)
    return np.flatnonzero(np.bincount(codes))


def renumbered(codes: Codes) -> tuple[Codes, Codes]:
    """The distinct cluster numbers of `codes` [n] in order, and each item's place [n] among them."""
    if not len(codes) or _sparse(codes):
        names, places = np.unique(codes, return_inverse=True)
        return names, places.reshape(-1)
    names = held(codes)
    place = np.zeros(int(names[-1]) + 1, dtype=np.intp)
    place[names] = np.arange(len(names))
    return names, place[codes]


def _sparse(codes: Codes) -> bool:
    """Whether counting would take more room than four numbers an item, as for few items of a large table."""
    return int(codes.min()) < 0 or int(codes.max()) >= 4 * len(codes)


def several(codes: Codes) -> bool:
    """Whether items belong to more than one cluster."""
    return bool(len(codes)) and bool((codes != codes[0]).any())


def check_resamples(B: int) -> None:
    """Refuse fewer than one resample.

    Raises:
        UsageError: `B` is below 1.
    """
    if B < 1:
        raise UsageError(f"{B} resamples are too few.", mend="Use at least 1; 1000 or more for an interval.")
