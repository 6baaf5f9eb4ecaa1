"""Duplicates: rows that repeat another one in every column, by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._copies import copies
from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, apart, ends, extremes, p_text, rates, said
from evenhand.decimals import percent
from evenhand.records import Finding


@dataclass(frozen=True)
class Duplicates:
    """Shares of rows that are copies of an earlier row, and how far they lie apart between groups.

    A column of numbers of persons makes every row its own: leave it out of the file first. Of more than two
    million rows one part is looked at, chosen by what the rows hold.

    Attributes:
        tolerance: the difference of the shares between groups that counts as harmless.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute."""
        found = [self._of(question, attribute) for attribute in question.sensitive]
        return adjusted([one for one in found if one is not None])

    def _of(self, question: Question, attribute: str) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        found = copies(question, attribute)
        names, n, repeated, worth = found.names, found.n, found.lesser, found.worth
        if len(n) < 2 or not repeated.sum():
            return None
        shares = repeated / n
        low, high, state = apart(shares, worth, self.tolerance, names)
        most, least = extremes(shares)
        statistic, p_value = equal_shares(repeated / n * worth, worth, seed=question.seed) or (None, None)
        but = f" but {question.frame.weights}" if question.frame.weights else ""
        where = f" (in one of {found.parts} parts of the rows)" if found.parts > 1 else ""
        return Finding(
            "duplicates",
            (attribute,),
            statistic,
            p_value,
            float(np.ptp(shares)),
            low,
            high,
            int(n.sum()),
            f"{int(repeated.sum())} of {int(n.sum())} rows repeat another one in every column{but}{where}: "
            f"{percent(shares[most])} of {names[most]} and {percent(shares[least])} of {names[least]} by "
            f"{attribute} "
            f"(difference {ends(low, high)}; {p_text(p_value)}). {said(state, self.tolerance)}",
            state,
            "largest difference of shares of copies",
            self.tolerance,
            mend="Keep one of each, unless the copies are different people.",
            command=question.typed("--repair", "deduplicate", "--out", "different.parquet"),
            groups=rates(names, repeated / n * worth, worth, n) + question.unseen((attribute,)),
        )


component = Duplicates
