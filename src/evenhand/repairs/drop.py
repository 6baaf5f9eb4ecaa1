"""Leaving columns out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits import Question
from evenhand.errors import BadOption
from evenhand.repairs import Reads, Repaired


@dataclass(frozen=True)
class Drop:
    """The table without some columns, such as proxies of the attribute.

    Attributes:
        columns: their names, with ``|`` between them.
    """

    columns: str = ""
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def repaired(self, question: Question) -> Repaired:
        """The table with the other columns.

        Raises:
            BadOption: no column is named, or one that the audit needs.
            UnknownName: there is no such column.
        """
        names = [question.frame.column(name) for name in self.columns.split("|") if name.strip()]
        if not names or set(names) & set(question.keys):
            raise BadOption(
                "Name the columns to leave out, other than the sensitive ones and the target.",
                mend="Write --repair 'drop:columns=height|job'.",
            )
        return Repaired(question.frame.table.drop(*names), f"Left out: {', '.join(names)}.")


component = Drop
