"""From encoded requests to the rows that must run and the predictions that must be read from them.

A row is the input of one request: all its ids but the last, which is only predicted. Requests that differ
in their last token alone share one row, and a row that is a prefix of another is answered by that row, since
a causal model's prediction at a position does not depend on later tokens.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.progress import task
from evenhand.scoring.tokens import Encoded

Wanted = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """Input ids, and the sorted (position, target id) pairs wanted from it; `slot` is the first's place.

    `source` holds the ids that every token of the row sees beside the tokens before it: what an encoder read,
    or the row itself where a model reads in both directions.
    """

    ids: tuple[int, ...]
    wanted: tuple[Wanted, ...]
    slot: int
    source: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """The place after the last answer's."""
        return self.slot + len(self.wanted)

    @property
    def positions(self) -> list[int]:
        """The distinct positions whose prediction is wanted, sorted."""
        return sorted({position for position, _ in self.wanted})

    def seen(self, position: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What decides the prediction at a position: rows that agree in it predict the same there."""
        return self.source, self.ids[: position + 1]

    def halves(self) -> list[Row]:
        """The row twice, each with half of what is wanted; empty if only one prediction is."""
        middle = len(self.wanted) // 2
        if not middle:
            return []
        return [
            Row(self.ids, self.wanted[:middle], self.slot, self.source),
            Row(self.ids, self.wanted[middle:], self.slot + middle, self.source),
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `slots[i]` are the indices of request i's token log-probabilities among `size` answers.

    `rows` are sorted from long to short. `asked` counts the tokens if every request ran by itself,
    `duplicates` the repeated requests, `served` the distinct rows that are prefixes of another row.
    """

    rows: tuple[Row, ...]
    slots: tuple[tuple[int, ...], ...]
    size: int
    asked: int
    duplicates: int
    served: int

    def digest(self) -> str:
        """SHA-256 (hex) of the rows and what is wanted of them: the same workload has the same plan."""
        sha = hashlib.sha256()
        for row in self.rows:
            sha.update(
                array("q", (len(row.ids), *row.ids, *(n for pair in row.wanted for n in pair))).tobytes()
            )
        return sha.hexdigest()


def make_plan(requests: Sequence[Encoded]) -> Plan:
    """Plan `requests`; the order of the rows depends on the set of requests only."""
    hosts = _hosts({request.ids[:-1] for request in requests})
    wanted: dict[tuple[int, ...], set[Wanted]] = {}
    for request in set(requests):
        wanted.setdefault(hosts[request.ids[:-1]], set()).update(_pairs(request))
    rows, places, size = [], {}, 0
    with task("planning", len(wanted), unit="row", late=True) as advance:
        for ids in sorted(wanted, key=lambda ids: (-len(ids), ids)):
            pairs = sorted(wanted[ids])
            rows.append(Row(ids, tuple(pairs), size))
            places[ids] = {pair: size + i for i, pair in enumerate(pairs)}
            size += len(pairs)
            advance(1)
    slots = tuple(tuple(places[hosts[r.ids[:-1]]][pair] for pair in _pairs(r)) for r in requests)
    return Plan(
        rows=tuple(rows),
        slots=slots,
        size=size,
        asked=sum(len(request.ids) - 1 for request in requests),
        duplicates=len(requests) - len(set(requests)),
        served=len(hosts) - len(rows),
    )


def _pairs(request: Encoded) -> list[Wanted]:
    return [(i - 1, request.ids[i]) for i in range(request.start, len(request.ids))]


def _hosts(inputs: set[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Maps each input to the row that runs for it: in sorted order, extensions follow their prefix."""
    hosts: dict[tuple[int, ...], tuple[int, ...]] = {}
    after: tuple[int, ...] = ()
    for ids in sorted(inputs, reverse=True):
        hosts[ids] = hosts[after] if after[: len(ids)] == ids else ids
        after = ids
    return hosts
