"""Reweighing: a column of weights under which group and label are independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits import Question
from evenhand.errors import UsageError
from evenhand.repairs import Reads, Repaired
from evenhand.repairs._keys import by_cell


@dataclass(frozen=True)
class Reweigh:
    """Every row gets the weight P(group) P(label) / P(group and label); nothing is left out.

    Groups are those of all sensitive columns together. Rows of unknown group or label weigh 1. Source:
    Kamiran & Calders 2012.

    Attributes:
        column: the name of the new column.
    """

    column: str = "weight"
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def repaired(self, question: Question) -> Repaired:
        """The table with the column of weights.

        Raises:
            UsageError: the table has such a column.
        """
        frame = question.frame
        if self.column in frame.table.columns:
            raise UsageError(
                f"{frame.name} has a column {self.column} already.",
                mend="Write --repair reweigh:column=NAME.",
            )
        cells = frame.cells(question.keys).where(lambda key: None not in key)
        labels = cells.mapped(lambda key: (*key[:-1], "good" if key[-1] in question.positive else "other"))
        held = dict(zip(labels.keys, labels.n.tolist(), strict=True))
        total = labels.total
        group: dict[tuple[str | None, ...], float] = {}
        label: dict[str | None, float] = {}
        for key, n in held.items():
            group[key[:-1]] = group.get(key[:-1], 0.0) + n
            label[key[-1]] = label.get(key[-1], 0.0) + n
        weights = {}
        for key in cells.keys:
            kind = "good" if key[-1] in question.positive else "other"
            weights[key] = group[key[:-1]] * label[kind] / (total * held[*key[:-1], kind])
        table = frame.table.mutate(
            **{self.column: by_cell(frame, question.keys, weights, 1.0).cast("float64")}
        )
        return Repaired(
            table, f"Reweighed: train with the column {self.column} as the rows' weights.", self.column
        )


component = Reweigh
