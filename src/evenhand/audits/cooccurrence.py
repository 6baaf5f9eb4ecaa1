"""Co-occurrence: beside which professions the groups stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._question import TextQuestion
from evenhand.audits._state import Reads, adjusted, ends, p_text, said
from evenhand.corpora import Counted
from evenhand.decimals import percent
from evenhand.records import Finding, GroupFigure, State

LEAST = 10  # documents with the profession and one group alone


@dataclass(frozen=True)
class Cooccurrence:
    """Of the documents with a profession and one group alone, the first group's share beside that elsewhere.

    Professions are single words (236 of 262), and their plurals. A document counts once. The share is
    compared with that of all other documents that mention one group, so that a corpus that speaks more of men
    is not blamed once for each profession.

    Attributes:
        tolerance: the difference of shares that counts as harmless.
        professions: how many are shown, those with the largest differences first.
    """

    tolerance: float = 0.1
    professions: int = 10
    reads: ClassVar[Reads] = "texts"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: TextQuestion) -> list[Finding]:
        """One finding for each of the professions that differ most."""
        counted = question.counted()
        if len(counted.groups) < 2 or not counted.alone.sum():
            return []
        least = max(LEAST, question.suppress)
        often = np.flatnonzero(counted.beside.sum(axis=1) >= least)
        found = [one for p in often for one in self._of(question, counted, int(p), len(often))]
        if not found:
            question.notes.append(
                f"cooccurrence: no profession stands in {least} documents beside one group alone."
            )
        return sorted(adjusted(found), key=lambda one: -(one.effect or 0))[: self.professions]

    def _of(self, question: TextQuestion, counted: Counted, p: int, looks: int) -> list[Finding]:
        from evenhand.stats.proportions import newcombe
        from evenhand.stats.tables import equal_shares

        job = counted.jobs[p]
        own, rest = (
            counted.beside[p].astype(np.float64),
            (counted.alone - counted.beside[p]).astype(np.float64),
        )
        n, m = float(own.sum()), float(rest.sum())
        if not m:
            return []
        g = int(np.argmax(own / n - rest / m))  # the group that stands here more often than elsewhere
        here, there = float(own[g] / n), float(rest[g] / m)
        low, high = newcombe((here, there), (n, m))
        _, bound = newcombe((here, there), (n, m), 0.90)
        low = None if low is None else max(low, 0.0)
        surely, _ = newcombe((here, there), (n, m), 1 - 0.05 / looks)  # for having looked at all professions
        beyond = surely is not None and surely > self.tolerance
        within = bound is not None and bound < self.tolerance
        state = State.BEYOND if beyond else State.WITHIN if within else State.UNCLEAR
        tests = [equal_shares(np.array([a, b]), np.array([n, m])) for a, b in zip(own, rest, strict=True)]
        p_value = _least([one[1] for one in tests if one is not None])
        group = counted.groups[g]
        return [
            Finding(
                "cooccurrence",
                (question.attribute, job),
                None,
                p_value,
                here - there,
                low,
                high,
                int(n),
                f"{job}: {percent(here)} of {int(n)} documents with it and one group alone mention "
                f"{group}, and "
                f"{percent(there)} of the others (difference {ends(low, high)}; {p_text(p_value)}). "
                f"{said(state, self.tolerance)}",
                state,
                "difference of shares",
                self.tolerance,
                mend="Add the same texts about the other group.",
                command=question.typed("--repair", "augment", "--out", "augmented.jsonl"),
                groups=tuple(
                    GroupFigure(name, int(c), float(c / n))
                    for name, c in zip(counted.groups, own, strict=True)
                ),
            )
        ]


def _least(p_values: list[float]) -> float | None:
    """The least of the groups' p-values, for having looked at all; of two groups both tests are one."""
    looks = len(p_values) if len(p_values) > 2 else 1
    return min(1.0, min(p_values) * looks) if p_values else None


component = Cooccurrence
