"""Mentions: how many documents speak of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._question import TextQuestion
from evenhand.audits._state import Reads, ends, judged, p_text, rates, said
from evenhand.decimals import fixed, percent
from evenhand.records import Finding


@dataclass(frozen=True)
class Mentions:
    """Documents that mention one group alone, beside equal shares; others are counted apart.

    Words come from the lexicon of the attribute; a document counts once, however often it says them.

    Attributes:
        tolerance: the total variation up to which groups count as mentioned equally often.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "texts"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: TextQuestion) -> list[Finding]:
        """One finding about all documents."""
        from evenhand.stats.compositions import departure

        counted = question.counted()
        k, alone = len(counted.groups), counted.alone.astype(np.float64)
        known = departure(alone, np.full(k, 1 / k), seed=question.seed) if k > 1 else None
        total = int(alone.sum())
        if known is None:
            few = question.unseen()
            text = (
                f"Fewer than two groups of {question.attribute} stand alone in {question.suppress} documents."
                if few
                else f"None of {counted.documents} documents mentions a group of {question.attribute}."
            )
            figures = (None, None, None, None, None, counted.documents)
            return [Finding("mentions", (question.attribute,), *figures, text, groups=few)]
        state = judged(known.low, known.high, known.bound, self.tolerance)
        shares = ", ".join(
            f"{percent(n / total)} {name}" for name, n in zip(counted.groups, alone, strict=True)
        )
        others = f"{counted.mixed} mention several, {counted.nobody} none"
        if question.withheld:
            others += f"; the fewer than {question.suppress} of {', '.join(question.withheld)} are not shown"
        return [
            Finding(
                "mentions",
                (question.attribute,),
                known.statistic,
                known.p_value,
                known.distance,
                known.low,
                known.high,
                total,
                f"Of {total} documents that mention one group of {question.attribute} alone: {shares} "
                f"(total variation "
                f"from equal shares {fixed(known.distance)}, {ends(known.low, known.high)}; "
                f"{p_text(known.p_value)}). {others}. "
                f"{said(state, self.tolerance)}",
                state,
                "total variation",
                self.tolerance,
                mend="Add the same texts about the other group.",
                command=question.typed("--repair", "augment", "--out", "augmented.jsonl"),
                groups=rates(counted.groups, alone, np.full(k, float(total)), alone) + question.unseen(),
            )
        ]


component = Mentions
