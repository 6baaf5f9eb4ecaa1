"""Rows with a common prefix as one packed row: a prefix tree of tokens, in which each token occurs once.

The tree is stored in pre-order. Token i attends to token j where ``j <= i < end[j]`` (`end` is where j's
subtree ends), which is all that a mask needs; `depth` is the token's position in its own text. No text is
split: the tree is built from ids, so word boundaries do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evenhand.scoring.plan import Row

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """The tokens of `rows` from `start` on, as a tree.

    `ids`, `depth` and `end` are [tokens of the tree]; `depth` counts from the beginning of the texts, so the
    first is `start`. `wanted` [answers] holds (token's index in the tree, target id, slot of the answer),
    sorted.
    """

    rows: tuple[Row, ...]
    start: int
    ids: Ids
    depth: Ids
    end: Ids
    wanted: tuple[tuple[int, int, int], ...]

    @property
    def places(self) -> list[int]:
        """The distinct indices in the tree whose prediction is wanted, sorted."""
        return sorted({place for place, _, _ in self.wanted})


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the common prefix of two sequences of ids."""
    shorter = min(len(first), len(second))
    if first[:shorter] == second[:shorter]:
        return shorter
    low, high = 0, shorter  # the first `low` agree, the first `high` do not: slices compare fast
    while high - low > 1:
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low


def portions(lengths: Sequence[int], overlaps: Sequence[int], start: int, room: int) -> Iterator[list[int]]:
    """Cut rows in sorted order into runs whose trees from `start` on hold at most `room` tokens each.

    `lengths` [N] and `overlaps` [N] are in tokens; `overlaps[i]` is the length of the common prefix of rows
    i - 1 and i. A run holds at least one row. The first entry of each list is the size of its tree in tokens,
    the others are the indices of its rows.
    """
    run = [0]
    for i, length in enumerate(lengths):
        new = length - max(start, overlaps[i])
        if len(run) > 1 and run[0] + new > room:
            yield run
            run = [0]
        run[0] += new if len(run) > 1 else length - start
        run.append(i)
    if len(run) > 1:
        yield run


def pack(rows: Sequence[Row], start: int, room: int) -> list[Packed]:
    """`rows`, sorted by ids and equal in their first `start` tokens, as packed rows of about `room` tokens.

    No row may be a prefix of another. Predictions wanted in the first `start` positions are left out: they
    belong to the shared prefix.
    """
    overlaps = [0, *(common(a.ids, b.ids) for a, b in pairwise(rows))]
    lengths = [len(row.ids) for row in rows]
    return [
        _tree([rows[i] for i in run[1:]], [overlaps[i] for i in run[1:]], start)
        for run in portions(lengths, overlaps, start, room)
    ]


def _tree(rows: Sequence[Row], overlaps: Sequence[int], start: int) -> Packed:
    ids: list[int] = []
    depth: list[int] = []
    end: list[int] = []
    wanted: list[tuple[int, int, int]] = []
    # ids, depth and end grow to [tokens of the tree]; path holds the places in them of the newest row's
    # tokens from `start` on, [its length - start].
    path: list[int] = []
    for i, (row, overlap) in enumerate(zip(rows, overlaps, strict=True)):
        kept = max(0, overlap - start) if i else 0
        for place in path[kept:]:
            end[place] = len(ids)
        fresh = row.ids[start + kept :]
        path[kept:] = range(len(ids), len(ids) + len(fresh))
        ids += fresh
        depth += range(start + kept, len(row.ids))
        end += [0] * len(fresh)
        wanted += [
            (path[position - start], target, row.slot + k)
            for k, (position, target) in enumerate(row.wanted)
            if position >= start
        ]
    for place in path:
        end[place] = len(ids)
    return Packed(tuple(rows), start, tuple(ids), tuple(depth), tuple(end), tuple(sorted(wanted)))
