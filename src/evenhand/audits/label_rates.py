"""Label rates: how often each group has the favourable label, and how far the groups lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, ends, extremes, judged, known_of, p_text, rates, said
from evenhand.decimals import fixed, percent
from evenhand.frames.cells import Array
from evenhand.records import Finding


@dataclass(frozen=True)
class LabelRates:
    """Bias parity: the largest difference of rates of favourable labels, by group and intersection.

    With two groups it is the difference of the two rates, with Newcombe's interval; with more the largest of
    all pairs, with the interval that allows for having looked at them all.

    Attributes:
        tolerance: the difference up to which rates count as equal.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute, and one for their intersection."""
        found = [self._of(question, attribute) for attribute in question.attributes]
        return adjusted([one for one in found if one is not None])

    def _of(self, question: Question, attribute: tuple[str, ...]) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        people, won = question.labelled(attribute)
        size = people.effective
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(people.weight > 0, won.weight / people.weight, np.nan)
        label = "*".join(attribute)
        columns = (*attribute, question.target)
        groups = rates(people.names, shares * size, size, people.n) + question.unseen(attribute)
        if len(people.keys) < 2:
            text = f"{label} has fewer than two groups with a label: no rates to compare."
            return Finding(
                "label_rates", columns, None, None, None, None, None, people.total, text, groups=groups
            )
        if won.weight.sum() in (0, people.weight.sum()):
            who = "everybody" if won.weight.sum() else "nobody"
            text = (
                f"{label}: {question.target} is favourable for {who}, so that there are no rates to compare. "
                f"See that --positive names the favourable labels."
            )
            return Finding(
                "label_rates", columns, None, None, None, None, None, people.total, text, groups=groups
            )
        test = equal_shares(shares * size, size, seed=question.seed)
        gap, low, high, bound = _gap(shares, size)
        most, least = extremes(shares)
        state = judged(low, high, known_of(bound, people.names), self.tolerance)
        statistic, p_value = test or (None, None)
        return Finding(
            "label_rates",
            columns,
            statistic,
            p_value,
            gap,
            low,
            high,
            people.total,
            f"{label}: {question.target} is favourable for {percent(shares[most])} of {people.names[most]} "
            f"and "
            f"{percent(shares[least])} of {people.names[least]}, a difference of {fixed(gap, 4)} "
            f"({ends(low, high, 4)}; {p_text(p_value)}). {said(state, self.tolerance)}",
            state,
            "largest difference of rates",
            self.tolerance,
            mend="Weigh the rows so that label and group are independent, and train with the weights.",
            command=question.reweighing(),
            groups=groups,
        )


def _gap(shares: Array, size: Array) -> tuple[float, float | None, float | None, float | None]:
    """The largest difference, its interval, and the upper end of the 90 % one."""
    from evenhand.stats.gaps import Rates, between, gap_ends
    from evenhand.stats.proportions import newcombe

    if len(shares) == 2:
        order = (0, 1) if shares[0] >= shares[1] else (1, 0)
        p, n = (
            (float(shares[order[0]]), float(shares[order[1]])),
            (float(size[order[0]]), float(size[order[1]])),
        )
        low, high = newcombe(p, n)
        _, bound = newcombe(p, n, 0.90)
        return p[0] - p[1], low if low is None else max(low, 0.0), high, bound
    both = between(Rates(shares, size))
    low, high = gap_ends([both], len(shares))
    _, bound = gap_ends([both], len(shares), level=0.90)
    return float(np.ptp(shares)), low, high, bound


component = LabelRates
