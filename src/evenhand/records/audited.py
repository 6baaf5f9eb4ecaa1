"""What an audit of a data set finds: one record a finding, and one of the whole audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from evenhand.records.made import MadeBy
from evenhand.records.measured import Value
from evenhand.records.shown import Shown

__all__ = [
    "Audited", "Finding", "GroupFigure", "State",
]  # fmt: skip


class State(StrEnum):
    """How a finding's effect stands to its tolerance, by its interval."""

    BEYOND = "beyond"  # the whole interval lies beyond the tolerance
    UNCLEAR = "unclear"  # the interval holds the tolerance: neither is shown
    WITHIN = "within"  # the 90 % interval lies within: equivalence at 5 %
    NOTE = "note"  # a fact without a tolerance, or an effect that is undefined


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """A figure of one group: `n` rows, None for all three values where it is undefined or suppressed."""

    group: str
    n: int | None
    value: Value = None
    low: Value = None
    high: Value = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of an audit.

    Attributes:
        name: the audit's.
        columns: the columns that it is about.
        statistic: the test's; None where none was made.
        p_value: of that test, as it is; `adjusted` is Holm's over the findings of its audit.
        effect: how large it is, in what `measure` says; `low` and `high` are its 95 % interval.
        n: rows (or documents) that it rests on.
        finding: one or two sentences for people.
        state: how the effect stands to the `tolerance`.
        mend: what to do, and `command`: what to type for it.
        groups: the figures by group.
    """

    name: str
    columns: tuple[str, ...]
    statistic: Value
    p_value: Value
    effect: Value
    low: Value
    high: Value
    n: int
    finding: str
    state: State = State.NOTE
    measure: str = ""
    tolerance: Value = None
    adjusted: Value = None
    mend: str = ""
    command: str = ""
    groups: tuple[GroupFigure, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Audited(Shown):
    """A data set's audit.

    Attributes:
        source: what was audited, as it was named; a data frame is "the data frame".
        kind: ``table`` or ``texts``.
        n: rows or documents.
        columns: the table's columns with their types; of texts, the totals.
        sensitive, target: the columns that were named.
        findings: in the order of the audits.
        tried: the names of the audits that ran, whether or not they found something.
        notes: what a reader has to know beside them: what was left out, pooled or not tried, and why.
        seed: decides samples and draws.
        made_by: what made this record.
    """

    source: str
    kind: str
    n: int
    columns: Mapping[str, str]
    sensitive: tuple[str, ...]
    target: str | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    seed: int = 0
    made_by: MadeBy | None = field(default=None, compare=False)

    def of(self, name: str) -> tuple[Finding, ...]:
        """The findings of one audit."""
        return tuple(one for one in self.findings if one.name == name)

    def _heading(self) -> str:
        unit = "rows" if self.kind == "table" else "documents"
        beyond = sum(one.state is State.BEYOND for one in self.findings)
        return (
            f"{self.source}: {self.n} {unit}, {len(self.findings)} findings, {beyond} beyond their tolerance"
        )

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "audit": one.name,
                "columns": ", ".join(one.columns),
                "state": str(one.state),
                "effect": one.effect,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "finding": one.finding,
            }
            for one in self.findings
        ]
