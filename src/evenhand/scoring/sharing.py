"""Groups of rows with a common prefix long enough to run it once for all of them.

Few-shot prompts share their demonstrations: run one by one, 400 questions after 1500 tokens of examples
cost 600 000 tokens; with the prefix run once, about 30 000. Short prompts that share three words gain
nothing, because each forward pass has a fixed cost. So groups are chosen by estimated cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evenhand.scoring.packing import common, portions
from evenhand.scoring.plan import Row

_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Sharing:
    """When a common prefix is run once for several rows; the fields are tokens, except `gain`, a share.

    A prefix has at least `shortest` tokens. The fixed cost of a forward pass is that of `forward` tokens
    (reading weights, starting kernels). All groups together must save at least the share `gain` of the cost
    without them, plus two of their longest rows, which the test of the method runs. The rest after a prefix
    of P tokens is packed into rows of ``max(room, P / 3)``: longer rows waste attention on tokens of other
    texts, shorter ones read the prefix's keys more often.

    `trees` are the sizes in tokens, sorted, that a packed tree of other rows may have; the one with the
    lowest estimated cost is taken. Larger trees repeat fewer beginnings but waste attention. Without any,
    such rows run whole.
    """

    shortest: int = 32
    forward: int = 64
    gain: float = 0.2
    room: int = 256
    trees: tuple[int, ...] = (128, 256, 512, 1024)

    def packed(self, start: int) -> int:
        """The size in tokens of the packed rows after a beginning of `start` tokens."""
        return max(self.room, start // 3)


def sharing_on(device: str) -> Sharing:
    """When to share on a device of this type (``cpu``, ``cuda``, ...).

    The numbers for accelerators are estimated, not measured: there a pass over few tokens takes as long as
    starting its kernels, so its fixed cost and the size of packed rows are larger.
    """
    return Sharing() if device == "cpu" else Sharing(forward=1024, room=1024, trees=(512, 1024, 2048))


@dataclass(frozen=True, slots=True)
class Group:
    """Rows, sorted by ids, whose first `start` tokens are the same and run once."""

    rows: tuple[Row, ...]
    start: int

    @property
    def beginning(self) -> tuple[int, ...]:
        """The ids that all rows begin with, [start]."""
        return self.rows[0].ids[: self.start]

    @property
    def positions(self) -> list[int]:
        """The positions in the beginning whose prediction some row wants, sorted."""
        return sorted({position for row in self.rows for position, _ in row.wanted if position < self.start})


@dataclass(frozen=True, slots=True)
class _Best:
    cost: int
    groups: tuple[Group, ...] = ()


def find_groups(rows: Sequence[Row], sharing: Sharing, packed: int | None = None) -> list[Group]:
    """Disjoint groups of `rows` worth their passes; empty when together they save too little.

    Without a group a row runs whole, or, if `packed` is given, in a tree of up to so many tokens. The result
    depends on the set of rows only. Branches within a group (several questions about one person) do not form
    groups: packed rows hold each of their tokens once anyway.
    """
    ordered = sorted(rows, key=lambda row: row.ids)
    overlaps = [0, *(common(a.ids, b.ids) for a, b in pairwise(ordered))]
    best = _Best(0)
    search = _Search(ordered, overlaps, sharing, packed)
    for low, high in _runs(overlaps, 0, len(ordered), sharing.shortest):
        best = _joined(best, search.best(low, high, _LEVELS))
    saved = search.alone(0, len(ordered)) - best.cost
    needed = 2 * max((len(row.ids) for group in best.groups for row in group.rows), default=0)
    worth = saved >= sharing.gain * (saved + best.cost) and saved >= needed
    return list(best.groups) if worth else []


def _runs(overlaps: Sequence[int], low: int, high: int, least: int) -> Iterator[tuple[int, int]]:
    """Cut rows ``low:high`` where neighbours have fewer than `least` tokens in common."""
    start = low
    for i in range(low + 1, high + 1):
        if i == high or overlaps[i] < least:
            yield start, i
            start = i


def _joined(first: _Best, second: _Best) -> _Best:
    return _Best(first.cost + second.cost, first.groups + second.groups)


class _Search:
    """The cheapest way to run some neighbours: as one group, or cut where they branch first."""

    def __init__(
        self, rows: Sequence[Row], overlaps: Sequence[int], sharing: Sharing, packed: int | None
    ) -> None:
        self._rows = rows
        self._overlaps = overlaps
        self._sharing = sharing
        self._packed = packed

    def alone(self, low: int, high: int) -> int:
        """The cost of rows ``low:high`` in tokens if they form no group."""
        lengths = [len(row.ids) for row in self._rows[low:high]]
        if self._packed is None:
            return sum(lengths)
        return sum(run[0] for run in portions(lengths, self._overlaps[low:high], 0, self._packed))

    def best(self, low: int, high: int, levels: int) -> _Best:
        whole = _Best(self.alone(low, high))
        if high - low < 2:
            return whole
        start = min(self._overlaps[low + 1 : high])
        found = min(whole, self._together(low, high, start), key=lambda best: best.cost)
        if levels > 1:
            apart = _Best(0)
            for first, last in _runs(self._overlaps, low, high, start + 1):
                apart = _joined(apart, self.best(first, last, levels - 1))
            found = min(found, apart, key=lambda best: best.cost)
        return found

    def _together(self, low: int, high: int, start: int) -> _Best:
        lengths = [len(row.ids) for row in self._rows[low:high]]
        sizes = [
            run[0] for run in portions(lengths, self._overlaps[low:high], start, self._sharing.packed(start))
        ]
        cost = start + sum(sizes) + self._sharing.forward * (1 + len(sizes))
        return _Best(cost, (Group(tuple(self._rows[low:high]), start),))
