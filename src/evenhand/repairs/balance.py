"""Balanced sampling: rows are drawn so that groups have the baseline's shares, or equal label rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from evenhand.audits import Question
from evenhand.errors import UsageError
from evenhand.frames import OTHER, Cells
from evenhand.frames.engines import drawn
from evenhand.repairs import Reads, Repaired
from evenhand.repairs._keys import in_cell

MOST_GROUPS = 200


@dataclass(frozen=True)
class Balance:
    """As many rows as possible, drawn at random within each group; what is rare is kept whole.

    Attributes:
        by: ``group`` for the baseline's shares of the groups of all sensitive columns together, ``label`` for
            the same rate of favourable labels in all groups.
    """

    by: Literal["group", "label"] = "group"
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"all groups", "rows left"})

    def check(self, question: Question) -> None:
        """Refuse what cannot be balanced.

        Raises:
            UsageError: there is no target for ``by=label``, or there are too many groups.
        """
        if self.by == "label" and not question.target:
            raise UsageError(
                "balance:by=label needs a target.", mend="Add --target with the column of labels."
            )
        cells = self._cells(question)
        pooled = any(OTHER in key for key in cells.keys)
        if pooled or not 1 < len(cells.keys) <= MOST_GROUPS:
            many = f"more than {len(cells.keys)}" if pooled else str(len(cells.keys))
            raise UsageError(
                f"There are {many} groups; 2 to {MOST_GROUPS} can be balanced.",
                mend="Name other sensitive columns, or make bins: --bins age=30|50.",
            )

    def _cells(self, question: Question) -> Cells:
        columns = question.keys if self.by == "label" else question.sensitive
        return question.frame.cells(question.keys).by(columns)

    def repaired(self, question: Question) -> Repaired:
        """The rows that were drawn.

        Raises:
            as `check`.
        """
        self.check(question)
        frame, cells = question.frame, self._cells(question)
        wanted = (
            _label_shares(question, cells.keys, cells.n)
            if self.by == "label"
            else self._shares(question, cells.names)
        )
        kept = np.min(cells.n / wanted) * wanted / cells.n
        parts = []
        for i, (key, share) in enumerate(zip(cells.keys, kept, strict=True)):
            own = frame.table.filter(in_cell(frame, cells.columns, key))
            parts.append(own if share >= 1 - 1e-9 else drawn(own, float(share), question.seed + i))
        first, *rest = parts
        lost = cells.total - int(np.round((cells.n * kept).sum()))
        # The number of all rows less that of the groups that are shown is that of the ones that are not.
        told = "" if question.suppress else f": about {lost} of {cells.total} rows are left out"
        return Repaired(first.union(*rest), f"Balanced by {self.by}{told}.")

    def _shares(self, question: Question, names: tuple[str, ...]) -> np.ndarray:
        groups, shares = question.shares(question.sensitive, names)
        own = np.array([share for group, share in zip(groups, shares, strict=True) if group in names])
        return np.asarray(own / own.sum())


def _label_shares(question: Question, keys: tuple[tuple[str | None, ...], ...], n: np.ndarray) -> np.ndarray:
    """Shares of the cells of group and label with independent group and label."""
    good = np.array([key[-1] in question.positive for key in keys])
    rate = n[good].sum() / n.sum()
    group = {key[:-1]: 0.0 for key in keys}
    own = dict.fromkeys(((key[:-1], bool(g)) for key, g in zip(keys, good, strict=True)), 0.0)
    for key, g, count in zip(keys, good, n, strict=True):
        group[key[:-1]] += count
        own[key[:-1], bool(g)] += count
    found = [
        group[key[:-1]] * (rate if g else 1 - rate) * count / own[key[:-1], bool(g)]
        for key, g, count in zip(keys, good, n, strict=True)
    ]
    return np.asarray(np.array(found) / np.sum(found))


component = Balance
