"""Leaving columns out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand import quoting
from evenhand.audits import Question
from evenhand.errors import BadOption
from evenhand.repairs import Reads, Repaired


@dataclass(frozen=True)
class Drop:
    """The table without some columns, such as proxies of the attribute.

    Attributes:
        columns: their names, with ``|`` between them; a name with a bar or a comma stands in double quotes.
    """

    columns: str = ""
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def check(self, question: Question) -> None:
        """Refuse columns that are not there, or that the audit needs.

        Raises:
            as `repaired`.
        """
        self._names(question)

    def repaired(self, question: Question) -> Repaired:
        """The table with the other columns.

        Raises:
            BadOption: no column is named, or one that the audit needs.
            UnknownName: there is no such column.
        """
        names = self._names(question)
        return Repaired(question.written.table.drop(*names), f"Left out: {', '.join(names)}.")

    def _names(self, question: Question) -> list[str]:
        names = [question.frame.column(name) for name in quoting.names(self.columns, "|")]
        if not names or set(names) & set(question.keys):
            raise BadOption(
                "Name the columns to leave out, other than the sensitive ones and the target.",
                mend="Write --repair 'drop:columns=height|job'.",
            )
        return names


component = Drop
