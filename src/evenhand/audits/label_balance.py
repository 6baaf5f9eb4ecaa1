"""Label balance: how many unfavourable labels there are for each favourable one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, ends, judged, said
from evenhand.decimals import fixed
from evenhand.frames.cells import Key
from evenhand.records import Finding


@dataclass(frozen=True)
class LabelBalance:
    """The imbalance of the labels over all rows: unfavourable ones for each favourable one.

    Attributes:
        tolerance: the ratio, either way round, up to which training needs no care.
    """

    tolerance: float = 10.0
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def findings(self, question: Question) -> list[Finding]:
        """One finding about the whole table."""
        cells = question.frame.cells(question.keys).by((question.target,))

        def good(key: Key) -> bool:
            return key[0] in question.positive

        n = float(cells.effective.sum()) if question.frame.weights else float(cells.n.sum())
        won = float(cells.where(good).weight.sum() / cells.weight.sum()) * n if n else 0.0
        if not 0 < won < n:
            text = (
                f"{question.target} has one kind of label alone among {cells.total} rows: nothing can "
                f"be learnt."
            )
            return [
                Finding("label_balance", (question.target,), None, None, None, None, None, cells.total, text)
            ]
        (low, high), (_, bound) = _odds(won, n, 0.95), _odds(won, n, 0.90)
        ratio = (n - won) / won
        flipped = ratio < 1
        state = judged(
            1 / high if flipped else low,
            1 / low if flipped else high,
            1 / ratio if flipped else bound,
            self.tolerance,
        )
        named = ", ".join(map(repr, question.positive[:5]))
        return [
            Finding(
                "label_balance",
                (question.target,),
                None,
                None,
                ratio,
                low,
                high,
                cells.total,
                f"{question.target}: {fixed(ratio, 2)} unfavourable labels for each favourable one "
                f"({ends(low, high, 2)}); favourable is {named}. "
                f"{said(state, self.tolerance, 'A larger ratio')}",
                state,
                "unfavourable for each favourable label",
                self.tolerance,
                mend="Check first that every spelling of the favourable label is counted as favourable.",
                command=question.typed("--audits", "spellings,label_balance"),
            )
        ]


def _odds(won: float, n: float, level: float) -> tuple[float, float]:
    """The interval of ``(n - won) / won`` by that of the share."""
    from evenhand.stats.proportions import clopper_pearson

    low, high = clopper_pearson(won, n, level)
    assert low is not None
    assert high is not None
    return (1 - high) / high, (1 - low) / low


component = LabelBalance
