"""One of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits import Question
from evenhand.repairs import Reads, Repaired


@dataclass(frozen=True)
class Deduplicate:
    """The rows that differ in at least one column, other than that of --weights, each once."""

    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"rows left"})

    def check(self, question: Question) -> None:
        """Nothing: of every table one of each row can be kept."""

    def repaired(self, question: Question) -> Repaired:
        """The different rows."""
        frame = question.written
        table = frame.table.distinct(on=list(frame.columns)) if frame.weights else frame.table.distinct()
        rest = f" Weights ({frame.weights}) were not compared." if frame.weights else ""
        return Repaired(table, f"One of each row was kept.{rest}")


component = Deduplicate
