"""Label doubts: labels that the other columns contradict, by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.audits._features import Feature, codes_of, features, folds_of, told_by_all
from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, apart, ends, extremes, p_text, rates, said
from evenhand.decimals import fixed, percent
from evenhand.frames import text_of
from evenhand.frames.cells import Array
from evenhand.records import Finding

LEAST = 50  # rows of a group in the sample


@dataclass(frozen=True)
class LabelDoubts:
    """Of the rows of a sample, the share whose label a model of the other columns contradicts, by group.

    The model is a ridge regression on the columns' values, asked out of fold. A label is in doubt where the
    other label's score is at least as high as it is on average among rows that have that label (confident
    learning: Northcutt, Jiang & Chuang 2021). Where the model hardly tells the labels apart nothing is said.
    A hint, no proof: what the columns do not show decides as well, and a group that they describe badly has
    more doubts.

    Attributes:
        tolerance: the difference of the shares between groups that counts as harmless.
        area: the area under the ROC curve of the labels, below whose interval nothing is said.
    """

    tolerance: float = 0.05
    area: float = 0.8
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute, where the other columns tell the label well."""
        from evenhand.stats.areas import LATE, area

        sample = question.frame.sample(question.sample, question.seed)
        texts = [text_of(value) for value in sample[question.target]]
        known = np.array([text is not None for text in texts], dtype=bool)
        label = np.array([int(text in question.positive) for text in texts], dtype=np.intp)[known]
        found = [Feature(f.name, f.codes[known], f.size) for f in features(sample, question.others)]
        if not found or len(np.unique(label)) < 2:
            return []
        folds = folds_of(len(label), question.seed)
        scores = told_by_all(found, label, 2, folds)
        told = area(scores, label, folds, LATE)
        if told is None or told.low < self.area:
            said_of = "too few labels" if told is None else f"an area of {fixed(told.value)}"
            question.notes.append(f"label_doubts: the other columns tell {question.target} with {said_of}.")
            return []
        doubted = in_doubt(scores, label)
        made = [
            self._of(
                question, attribute, np.array(sample[attribute], dtype=object)[known], doubted, told.value
            )
            for attribute in question.sensitive
        ]
        return adjusted([one for one in made if one is not None])

    def _of(
        self,
        question: Question,
        attribute: str,
        values: NDArray[np.object_],
        doubted: NDArray[np.bool_],
        told: float,
    ) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        codes, names = codes_of(values.tolist())
        sizes = np.bincount(codes[codes >= 0], minlength=len(names))
        kept = [g for g in range(len(names)) if sizes[g] >= max(LEAST, question.suppress)]
        if len(kept) < 2:
            return None
        n = sizes[kept].astype(np.float64)
        held = np.array([float(doubted[codes == g].sum()) for g in kept])
        shares, named = held / n, [names[g] for g in kept]
        low, high, state = apart(shares, n, self.tolerance)
        most, least = extremes(shares)
        statistic, p_value = equal_shares(held, n, seed=question.seed) or (None, None)
        return Finding(
            "label_doubts",
            (attribute, question.target),
            statistic,
            p_value,
            float(np.ptp(shares)),
            low,
            high,
            int(n.sum()),
            f"The other columns tell {question.target} with an area of {fixed(told)}, and contradict "
            f"the label of {percent(shares[most])} of {named[most]} and {percent(shares[least])} of "
            f"{named[least]} by {attribute} (difference {ends(low, high)}; {p_text(p_value)}) in a sample of "
            f"{int(n.sum())} rows. {said(state, self.tolerance)}",
            state,
            "largest difference of shares of doubted labels",
            self.tolerance,
            mend="Have some of these labels checked: they are wrong, or a column that decides is missing.",
            command=question.typed("--audits", "label_doubts,label_noise"),
            groups=rates(named, held, n, n) + question.unseen((attribute,)),
        )


def in_doubt(scores: Array, label: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the other label's score reaches its mean among rows with that label, and the own one does not.

    `scores` [n, 2] of both labels, `label` [n] 0 or 1.
    """
    limit = np.array([scores[label == one, one].mean() for one in (0, 1)])
    rows = np.arange(len(label))
    own, other = scores[rows, label], scores[rows, 1 - label]
    return np.asarray((other >= limit[1 - label]) & (own < limit[label]))


component = LabelDoubts
