"""Reweighing: a column of weights under which group and label are independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits import Question
from evenhand.errors import UsageError
from evenhand.frames import Cells, Frame
from evenhand.repairs import Reads, Repaired
from evenhand.repairs._keys import by_cell, check_few

USUAL = frozenset({"weight", "weights", "sample_weight", "sampleweight", "fnlwgt", "wt", "pweight"})
"""What columns of weights are often called, in lower case."""


@dataclass(frozen=True)
class Reweigh:
    """Every row gets the weight P(group) P(label) / P(group and label); nothing is left out.

    Groups are those of all sensitive columns together. Rows of unknown group or label weigh 1, and so do
    those of groups that are too small to be shown: were they counted, the weights of the others would tell
    how large they are. Under --weights the probabilities are those of the weighed rows, and the new weight
    is the old one times that ratio. Source: Kamiran & Calders 2012.

    Attributes:
        column: the name of the new column.
    """

    column: str = "weight"
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target", "intersection"})

    def check(self, question: Question) -> None:
        """Refuse a name that is taken, and groups without number.

        Raises:
            UsageError: the table has such a column, perhaps in other case, or too many groups.
        """
        frame = question.frame
        there = [name for name in frame.table.columns if name.casefold() == self.column.casefold()]
        if there:
            raise UsageError(
                f"{frame.name} has a column {there[0]} already.",
                mend="Write --repair reweigh:column=NAME.",
            )
        check_few(question.keys, _known(question).keys)

    def repaired(self, question: Question) -> Repaired:
        """The table with the column of weights.

        Raises:
            as `check`.
        """
        self.check(question)
        frame, cells = question.written, _known(question)
        labels = cells.mapped(lambda key: (*key[:-1], "good" if key[-1] in question.positive else "other"))
        held = dict(zip(labels.keys, labels.weight.tolist(), strict=True))
        total = float(labels.weight.sum())
        group: dict[tuple[str | None, ...], float] = {}
        label: dict[str | None, float] = {}
        for key, n in held.items():
            group[key[:-1]] = group.get(key[:-1], 0.0) + n
            label[key[-1]] = label.get(key[-1], 0.0) + n
        weights = {}
        for key in cells.keys:
            kind = "good" if key[-1] in question.positive else "other"
            weights[key] = group[key[:-1]] * label[kind] / (total * held[*key[:-1], kind])
        new = by_cell(frame, question.keys, weights, 1.0)
        if frame.weights:
            new = new * frame.table[frame.weights].cast("float64")
        told = f"Reweighed: train with the column {self.column} as the rows' weights."
        if question.hidden:
            told += f" Rows of groups that are not shown ({', '.join(question.withheld)}) weigh 1."
        told += _old(frame)
        return Repaired(frame.table.mutate(**{self.column: new}), told, self.column)


def _known(question: Question) -> Cells:
    return question.frame.cells(question.keys).where(lambda key: None not in key)


def _old(frame: Frame) -> str:
    """What became of weights that the table has already."""
    if frame.weights:
        return f" It holds those of the column {frame.weights} as well."
    usual = [name for name in frame.table.columns if name.casefold() in USUAL]
    return "".join(
        f" The column {name} was not taken for weights; --weights {name} does that." for name in usual
    )


component = Reweigh
