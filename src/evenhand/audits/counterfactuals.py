"""Counterfactual coverage: how many texts about one gender are there about the other as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._question import TextQuestion
from evenhand.audits._state import Reads, ends, judged, said
from evenhand.corpora.counting import LONGEST, normal
from evenhand.decimals import percent
from evenhand.lexicons import swap_gender
from evenhand.records import Finding

MOST = 2_000


@dataclass(frozen=True)
class Counterfactuals:
    """How many gendered documents have a counterpart, with the genders exchanged, in the corpus.

    Attributes:
        tolerance: the share of documents without a counterpart that counts as harmless.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "texts"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: TextQuestion) -> list[Finding]:
        """One finding; none for other attributes than gender."""
        from evenhand.stats.proportions import clopper_pearson

        if question.attribute != "gender":
            question.notes.append("counterfactuals: texts can be swapped by gender alone.")
            return []
        counted = question.counted()
        if question.unseen():
            question.notes.append("counterfactuals: not shown, for a group is mentioned by few documents.")
            return []
        texts = [text for _, text in counted.sample if len(text) < LONGEST][:MOST]
        if not texts:
            return []
        wanted = np.array([hash(normal(swap_gender(text))) for text in texts], dtype=np.int64)
        places = np.searchsorted(counted.hashes, wanted).clip(max=len(counted.hashes) - 1)
        lacking = int((counted.hashes[places] != wanted).sum())
        n = len(texts)
        (low, high), (_, bound) = clopper_pearson(lacking, n), clopper_pearson(lacking, n, 0.90)
        state = judged(low, high, bound, self.tolerance)
        return [
            Finding(
                "counterfactuals",
                (question.attribute,),
                None,
                None,
                lacking / n,
                low,
                high,
                n,
                f"{lacking} of a sample of {n} gendered documents ({percent(lacking / n)}; "
                f"{ends(low, high)}) have no "
                f"counterpart of the other gender in the corpus. {said(state, self.tolerance, 'That share')}",
                state,
                "share of documents without a counterpart",
                self.tolerance,
                mend="Write the corpus with every counterpart beside its text.",
                command=question.typed("--repair", "augment", "--out", "augmented.jsonl"),
            )
        ]


component = Counterfactuals
