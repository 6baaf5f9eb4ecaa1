"""Missingness: in which columns some groups lack values more often than others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, apart, ends, extremes, p_text, rates, said
from evenhand.decimals import percent
from evenhand.frames import Cells
from evenhand.records import Finding


@dataclass(frozen=True)
class Missingness:
    """Shares of missing values by group: nothing, or one of "?", "NA", "null" and the like.

    Attributes:
        tolerance: the largest difference of the groups' shares that counts as harmless.
        columns: how many columns with missing values are shown, those with the largest differences first.
    """

    tolerance: float = 0.05
    columns: int = 20
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute's own missing values, and for each column with any."""
        cells = question.frame.cells(question.keys)
        if question.frame.weights:
            question.notes.append(f"missingness counts rows as they are, without {question.frame.weights}.")
        found = [one for a in question.sensitive for one in self._attribute(question, cells, a)]
        made = [
            self._of(question, (attribute,), column, cells)
            for attribute in question.sensitive
            for column in self._lacking(question, cells)
        ]
        by_size = sorted((one for one in made if one is not None), key=lambda one: -(one.effect or 0))
        if len(by_size) > self.columns:
            question.notes.append(
                f"{len(by_size) - self.columns} more pairs of attribute and column have missing values; "
                f"see them "
                f"with --audits missingness:columns={len(by_size)}."
            )
        return [*found, *adjusted(by_size)[: self.columns]]

    def _lacking(self, question: Question, cells: Cells) -> list[str]:
        """The columns with missing values; the target's are rows without a label."""
        lacking = [name for name, held in cells.present.items() if held.sum() < cells.total]
        unlabelled = any(key[-1] is None for key in cells.keys) if question.target else False
        return [question.target, *lacking] if unlabelled else lacking

    def _attribute(self, question: Question, cells: Cells, name: str) -> list[Finding]:
        place = cells.columns.index(name)
        lacking = cells.where(lambda key: key[place] is None).total
        if not lacking:
            return []
        text = f"{name} itself is missing in {lacking} of {cells.total} rows, which no group's figures hold."
        return [Finding("missingness", (name,), None, None, None, None, None, cells.total, text)]

    def _of(
        self, question: Question, attribute: tuple[str, ...], column: str, cells: Cells
    ) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        whole = question.cells(attribute)
        if len(whole.keys) < 2:
            return None
        if column == question.target:
            held = whole.figure(dict(zip(*_counts(question.labelled(attribute)[0]), strict=True)))
            lost = whole.n - np.nan_to_num(held)
        else:
            lost = whole.n - whole.present[column]
        shares = lost / whole.n
        if lost.sum() == whole.total:
            text = f"{column} has no value in any row with a known {'*'.join(attribute)}."
            return Finding(
                "missingness", (*attribute, column), None, None, None, None, None, whole.total, text
            )
        test = equal_shares(lost, whole.n, seed=question.seed)
        low, high, state = apart(shares, whole.n, self.tolerance, whole.names)
        most, least = extremes(shares)
        label = "*".join(attribute)
        statistic, p_value = test or (None, None)
        return Finding(
            "missingness",
            (*attribute, column),
            statistic,
            p_value,
            float(np.ptp(shares)),
            low,
            high,
            whole.total,
            f"{column} is missing for {percent(shares[most])} of {whole.names[most]} and "
            f"{percent(shares[least])} "
            f"of {whole.names[least]} by {label} (difference {ends(low, high)}; {p_text(p_value)}). "
            f"{said(state, self.tolerance)}",
            state,
            "largest difference of missing shares",
            self.tolerance,
            mend="Find out why, and who is not labelled; a model learns nothing from these rows."
            if column == question.target
            else "Find out why; a model that learns from this column learns from the group. Or leave it out.",
            command=question.typed("--audits", "missingness")
            if column == question.target
            else question.dropping(column),
            groups=rates(whole.names, lost, whole.n, whole.n) + question.unseen(attribute),
        )


def _counts(cells: Cells) -> tuple[tuple[tuple[str | None, ...], ...], list[float]]:
    return cells.keys, cells.n.tolist()


component = Missingness
