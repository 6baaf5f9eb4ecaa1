"""Repairs: what is written instead of a data set, so that a model trains on something better. One file each.

A repair is a frozen dataclass; its fields are the options of its spec. It makes a new table out of a
`Question` inside the engine, or new documents out of a `TextQuestion` one by one; the source stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import ibis.expr.types as ir

Reads = Literal["table", "texts"]


@dataclass(frozen=True)
class Repaired:
    """A repaired table.

    Attributes:
        table: its expression.
        told: what was done, in a sentence.
        weights: its column of weights; empty for none.
        renamed: by column the values that are written otherwise now, and how.
    """

    table: ir.Table
    told: str
    weights: str = ""
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@runtime_checkable
class Repair(Protocol):
    """One way to mend a data set.

    Attributes:
        needs: ``target``; ``all groups``, where what is written, and so the audit of it, depends on groups
            that may be too small to be shown; ``intersection``, where it depends on how large the groups of
            all attributes together are; ``rows left``, where what is written has fewer rows, each time the
            same, so that a group which is shown may become too small to be.
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
