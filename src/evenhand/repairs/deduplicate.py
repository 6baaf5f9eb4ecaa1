"""One of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits import Question
from evenhand.repairs import Reads, Repaired


@dataclass(frozen=True)
class Deduplicate:
    """The rows that differ in at least one column, each once."""

    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def repaired(self, question: Question) -> Repaired:
        """The different rows."""
        return Repaired(question.frame.table.distinct(), "One of each row was kept.")


component = Deduplicate
