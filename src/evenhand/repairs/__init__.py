"""Repairs: what is written instead of a data set, so that a model trains on something better. One file each.

A repair is a frozen dataclass; its fields are the options of its spec. It makes a new table out of a
`Question` inside the engine, or new documents out of a `TextQuestion` one by one; the source stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import ibis.expr.types as ir

Reads = Literal["table", "texts"]


@dataclass(frozen=True)
class Repaired:
    """A repaired table: its expression, what was done in a sentence, and its column of weights."""

    table: ir.Table
    told: str
    weights: str = ""


@runtime_checkable
class Repair(Protocol):
    """One way to mend a data set.

    Attributes:
        needs: ``target``; ``all groups``, where what is written, and so the audit of it, depends on groups
            that may be too small to be shown; ``intersection``, where it depends on how large the groups of
            all attributes together are.
    """

    reads: Reads
    needs: frozenset[str]

    def check(self, question: Any) -> None:
        """Refuse what cannot be repaired so, by counts alone; findings recommend no repair that is refused.

        Raises:
            UsageError: the data set does not fit; BadOption, UnknownName: the options do not.
        """
        ...

    def repaired(self, question: Any) -> Any:
        """A `Repaired` table, or an iterator of documents."""
        ...
