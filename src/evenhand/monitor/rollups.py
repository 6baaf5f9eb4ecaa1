"""Counts by day, version and group, which grow in the transaction that stores what they count.

An event counts for everybody, for each of its attributes and for each pair of them; unknown attributes are
what everybody has more than the known values have. A use case has at most 50 values of an attribute and 5000
groups; what comes beyond them counts as "(other)".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import add
from typing import TYPE_CHECKING, Any

from evenhand.monitor.store.rows import insert_rows
from evenhand.monitor.store.tables import cells, score_cells

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

BINS = 50  # of scores from 0 to 1
TOXIC = 0.5  # from this toxicity on an answer counts as toxic


def _numbers(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if not column.primary_key)


COUNTS, SCORES = _numbers(cells), _numbers(score_cells)
_PLACE = {name: place for place, name in enumerate(COUNTS)}
_OUTCOME = {
    (1, 1): _PLACE["true_positives"],
    (1, 0): _PLACE["false_positives"],
    (0, 0): _PLACE["true_negatives"],
    (0, 1): _PLACE["false_negatives"],
}


def bin_of(score: float) -> int:
    """The number of the bin of a score; 1 belongs to the last."""
    return min(int(score * BINS), BINS - 1)


class Growth:
    """What a transaction adds, by version, set of attributes and day."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int, date], list[float]] = defaultdict(lambda: [0] * len(COUNTS))
        self._scores: dict[tuple[int, int, date, int], list[float]] = defaultdict(lambda: [0] * len(SCORES))

    def event(self, stream: int, attributes: int, row: Mapping[str, Any]) -> None:
        """Count a new prediction, without its label; `row` has the columns of `predictions`."""
        counts, day = self._cells[stream, attributes, row["time"].date()], row["time"].date()
        if row["kind"] == "generation":
            _generation(counts, row)
            return
        counts[_PLACE["events"]] += 1
        if row["decision"] is not None:
            counts[_PLACE["decisions"]] += 1
            counts[_PLACE["selected"]] += row["decision"]
        if row["score"] is not None:
            scores = self._scores[stream, attributes, day, bin_of(row["score"])]
            scores[0] += 1
            scores[3] += row["score"]

    def label(self, stream: int, attributes: int, row: Mapping[str, Any], label: int) -> None:
        """Count the label of a prediction that is counted already, or in this transaction."""
        day = row["time"].date()
        if row["decision"] is not None:
            counts = self._cells[stream, attributes, day]
            counts[_PLACE["labelled"]] += 1
            counts[_OUTCOME[row["decision"], label]] += 1
        if row["score"] is not None:
            scores = self._scores[stream, attributes, day, bin_of(row["score"])]
            scores[1] += 1
            scores[2] += label
            scores[4] += row["score"]

    def write(self, connection: Connection, groups: Mapping[int, Sequence[int]]) -> None:
        """Add everything to the database; `groups` are those of each set of attributes."""
        own: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0] * len(COUNTS))
        for (stream, attributes, day), counts in self._cells.items():
            for group in groups[attributes]:
                _add(own[stream, group, day], counts)
        scores: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0] * len(SCORES))
        for (stream, attributes, day, number), counts in self._scores.items():
            for group in groups[attributes]:
                _add(scores[stream, group, day, number], counts)
        _grow(connection, cells, own)
        _grow(connection, score_cells, scores)


def _generation(counts: list[float], row: Mapping[str, Any]) -> None:
    counts[_PLACE["generations"]] += 1
    if row["refused"] is not None:
        counts[_PLACE["judged"]] += 1
        counts[_PLACE["refusals"]] += row["refused"]
    if (toxicity := row["toxicity"]) is not None:
        counts[_PLACE["rated"]] += 1
        counts[_PLACE["toxic"]] += toxicity >= TOXIC
        counts[_PLACE["toxicity"]] += toxicity
        counts[_PLACE["toxicity_squares"]] += toxicity**2
    if (length := row["length"]) is not None:
        counts[_PLACE["measured"]] += 1
        counts[_PLACE["length"]] += length
        counts[_PLACE["length_squares"]] += float(length) ** 2


def _add(total: list[float], more: Iterable[float]) -> None:
    total[:] = map(add, total, more)


def _grow(connection: Connection, table: Table, growth: Mapping[tuple[Any, ...], Sequence[float]]) -> None:
    """Add to rows, or make them; in order, so that two writers never wait for each other in a circle."""
    names = [*(column.name for column in table.primary_key), *_numbers(table)]
    rows = [dict(zip(names, (*key, *growth[key]), strict=True)) for key in sorted(growth) if any(growth[key])]
    if rows:
        insert_rows(connection, table, rows, _added)


def _added(made: Any) -> Any:
    """The insertion, which adds its numbers to those of a row that is there."""
    table = made.table
    sums = {name: table.c[name] + made.excluded[name] for name in _numbers(table)}
    return made.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums)
