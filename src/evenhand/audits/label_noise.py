"""Label noise: equal rows with different labels, by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._copies import conflicts
from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, apart, ends, extremes, p_text, rates, said
from evenhand.decimals import percent
from evenhand.records import Finding


@dataclass(frozen=True)
class LabelNoise:
    """Of the rows that equal another one in all columns but the target, the share with the rarer label.

    A hint, no proof: two people may be alike in every column and still differ.

    Attributes:
        tolerance: the difference of the shares between groups that counts as harmless.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute, where there are such rows."""
        found = [self._of(question, attribute) for attribute in question.sensitive]
        return adjusted([one for one in found if one is not None])

    def _of(self, question: Question, attribute: str) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        found = conflicts(question, attribute)
        names, n, rarer, worth = found.names, found.n, found.lesser, found.worth
        if not n.sum() or not rarer.sum():
            return None
        shares = rarer / n
        low, high, state = apart(shares, worth, self.tolerance, names)
        most, least = extremes(shares)
        statistic, p_value = equal_shares(rarer / n * worth, worth, seed=question.seed) or (None, None)
        but = " and ".join(filter(None, (question.target, question.frame.weights)))
        where = f" (in one of {found.parts} parts of the rows)" if found.parts > 1 else ""
        whole = (
            f"{int(n.sum())} rows equal another one in all columns but {but}{where}, and "
            f"{percent(rarer.sum() / n.sum())} of them have the rarer of its labels: "
        )
        if len(n) < 2:
            text = f"{whole}all are of {names[0]} by {attribute}, so that there is nothing to compare."
            figures = (None, None, None, None, None, int(n.sum()))
            return Finding("label_noise", (attribute, question.target), *figures, text)
        return Finding(
            "label_noise",
            (attribute, question.target),
            statistic,
            p_value,
            float(np.ptp(shares)),
            low,
            high,
            int(n.sum()),
            f"{whole}{percent(shares[most])} of {names[most]}, {percent(shares[least])} of {names[least]} by "
            f"{attribute} (difference {ends(low, high)}; {p_text(p_value)}). {said(state, self.tolerance)}",
            state,
            "largest difference of shares of rarer labels",
            self.tolerance,
            mend="Look at some of these rows: the labels may be wrong, or a column that decides is missing.",
            command=question.typed("--audits", "label_noise,spellings"),
            groups=rates(names, rarer / n * worth, worth, n) + question.unseen((attribute,)),
        )


component = LabelNoise
