"""Representation: how far the groups' shares lie from a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, ends, judged, known_of, p_text, rates, said
from evenhand.decimals import fixed, significant
from evenhand.frames.cells import Array, Cells
from evenhand.records import Finding

if TYPE_CHECKING:
    from evenhand.stats.compositions import Departure


@dataclass(frozen=True)
class Representation:
    """Shares of groups beside a baseline: chi-square, exact where counts are small, and total variation.

    A high p-value is never read as balance; "balanced" needs the 90 % interval below the tolerance.

    Attributes:
        tolerance: the total variation up to which groups count as balanced.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute, and one for their intersection."""
        found = [self._of(question, attribute) for attribute in question.attributes]
        return adjusted([one for one in found if one is not None])

    def _of(self, question: Question, attribute: tuple[str, ...]) -> Finding | None:
        from evenhand.stats.compositions import departure

        cells = question.cells(attribute)
        if question.countless(attribute) and "*".join(attribute) not in question.baseline:
            return _nothing(attribute, cells, "has too many values for equal shares")
        names, shares = question.shares(attribute, cells.names)
        counts = np.zeros(len(names))
        counts[: len(cells.keys)] = cells.counts
        known = departure(counts, shares, seed=question.seed) if len(names) > 1 else None
        label = "*".join(attribute)
        if known is None:
            alone = f"has one group alone, {cells.names[0]}" if cells.keys else "has no value in any row"
            return _nothing(attribute, cells, alone)
        rows = np.zeros(len(names))
        rows[: len(cells.keys)] = cells.n
        state = judged(known.low, known.high, known_of(known.bound, names), self.tolerance)
        return Finding(
            "representation",
            attribute,
            known.statistic,
            known.p_value,
            known.distance,
            known.low,
            known.high,
            cells.total,
            f"{label}: {_sentence(known, label in question.baseline, names, counts, shares)} "
            f"{said(state, self.tolerance, f'{label} is balanced: a total variation')}"
            f"{_unknown(question, label, cells)}",
            state,
            "total variation",
            self.tolerance,
            mend=(
                "Draw rows so that the groups have the baseline's shares, or collect more of the rare groups."
            ),
            command=question.typed("--repair", "balance", "--out", "balanced.parquet"),
            groups=rates(names, counts, np.full(len(names), counts.sum()), rows) + question.unseen(attribute),
        )


def _sentence(known: Departure, given: bool, names: tuple[str, ...], counts: Array, shares: Array) -> str:
    base = "the baseline" if given else "equal shares"
    p = counts / counts.sum()
    far = int(np.argmax(np.abs(p - shares)))
    how = "exact multinomial" if known.exact else f"chi-square {significant(known.statistic, 4)}"
    return (
        f"the shares depart from {base} by a total variation of {fixed(known.distance)} "
        f"({ends(known.low, known.high)}; {how}, {p_text(known.p_value)}), most of all {names[far]}: "
        f"{fixed(100 * p[far], 1)} % where {fixed(100 * shares[far], 1)} % are expected."
    )


def _nothing(attribute: tuple[str, ...], cells: Cells, told: str) -> Finding:
    """An attribute that nothing is compared with, for what is `told` of it."""
    return Finding(
        "representation",
        attribute,
        None,
        None,
        None,
        None,
        None,
        cells.total,
        f"{'*'.join(attribute)} {told}: nothing to compare.",
    )


def _unknown(question: Question, label: str, cells: Cells) -> str:
    lacking = question.frame.rows - cells.total
    return f" {lacking} rows without a value in {label} are left out." if lacking else ""


component = Representation
