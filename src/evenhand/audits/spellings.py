"""Spellings: one value written in several ways, as a label or as a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, ends
from evenhand.decimals import fixed, percent
from evenhand.frames import Cells, is_missing
from evenhand.frames.values import folded
from evenhand.records import Finding, GroupFigure, State

_MEND = "Write each value in one way, then audit what was written."


@dataclass(frozen=True)
class Spellings:
    """Values of the target and the attributes that differ in case, spaces or a full stop alone.

    The test half of UCI Adult writes ">50K." for ">50K": read literally, 3.18 becomes 5.23 unfavourable
    labels for each favourable one.
    """

    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each column that has such values."""
        # Of the rows that are shown: with all rows, the difference would tell of the groups that are hidden.
        cells = question.frame.cells(question.keys)
        found = [self._of(question, cells.by((name,)), name) for name in question.keys]
        return [one for one in found if one is not None]

    def _of(self, question: Question, cells: Cells, name: str) -> Finding | None:
        from evenhand.stats.proportions import clopper_pearson

        alike: dict[str, dict[str, float]] = defaultdict(dict)
        for key, n in zip(cells.keys, cells.n, strict=True):
            alike[folded(str(key[0]))][str(key[0])] = float(n)
        for text in question.hidden.get((name,), ()):  # its name is told, its rows are not among these
            if not is_missing(text):
                alike[folded(text)][text] = 0.0
        twice = [spelt for spelt in alike.values() if len(spelt) > 1]
        if not twice:
            return None
        least = question.suppress
        if any(n < least for spelt in twice for n in spelt.values()):
            return _without_figures(question, name, twice)
        rare = sum(sum(spelt.values()) - max(spelt.values()) for spelt in twice)
        low, high = clopper_pearson(rare, cells.total)
        told = "; ".join(
            ", ".join(
                f"{text!r} ({fixed(n, 0)})" for text, n in sorted(spelt.items(), key=lambda one: -one[1])
            )
            for spelt in twice[:5]
        )
        counted = ""
        if name == question.target:
            lost = [
                t
                for spelt in twice
                if set(spelt) & set(question.positive)
                for t in spelt
                if t not in question.positive
            ]
            counted = (
                f" Only {', '.join(map(repr, question.positive))} count as favourable now." if lost else ""
            )
        return Finding(
            "spellings",
            (name,),
            None,
            None,
            rare / cells.total,
            low,
            high,
            cells.total,
            f"{name} has values that seem to be one value in several spellings: {told}. The rarer "
            f"spellings are "
            f"{percent(rare / cells.total)} of the rows ({ends(low, high)}).{counted}",
            State.BEYOND,
            "share of rows with a rarer spelling",
            0.0,
            mend=_MEND,
            command=question.typed("--repair", "spell", "--out", "spelt.parquet"),
            groups=tuple(
                GroupFigure(t, int(n), n / cells.total) for spelt in twice for t, n in spelt.items()
            ),
        )


def _without_figures(question: Question, name: str, twice: Sequence[Mapping[str, float]]) -> Finding:
    """What is told of spellings some of which are too rare to be shown."""
    told = "; ".join(", ".join(map(repr, sorted(spelt))) for spelt in twice[:5])
    return Finding(
        "spellings",
        (name,),
        None,
        None,
        None,
        None,
        None,
        question.frame.rows,
        f"{name} has values that seem to be one value in several spellings: {told}. Some are of fewer than "
        f"{question.suppress} rows, so that no number is shown.",
        mend=_MEND,
        command=question.typed("--repair", "spell", "--out", "spelt.parquet"),
        groups=tuple(GroupFigure(text, None) for spelt in twice for text in spelt),
    )


component = Spellings
