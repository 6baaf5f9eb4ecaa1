"""Toxicity by mention: do texts about one group score higher than texts about another?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.audits._question import TextQuestion
from evenhand.audits._state import Reads, ends, extremes, judged, said
from evenhand.decimals import fixed
from evenhand.errors import BadData
from evenhand.records import Finding, GroupFigure

MOST = 2_000
LEAST = 20


@dataclass(frozen=True)
class Toxicity:
    """The largest difference of the mean scores of documents that mention one group alone.

    The scores are those of a classifier that the caller names (``--classifier lexicon``) or gives
    (`evenhand.audit(..., classifier=...)`): a function from a list of texts to a list of numbers from 0 to 1.
    On a seeded sample.

    Attributes:
        tolerance: the difference of mean scores that counts as harmless.
    """

    tolerance: float = 0.05
    reads: ClassVar[Reads] = "texts"
    needs: ClassVar[frozenset[str]] = frozenset({"classifier"})

    def findings(self, question: TextQuestion) -> list[Finding]:
        """One finding.

        Raises:
            BadData: the classifier does not give one number from 0 to 1 for each text.
        """
        from evenhand.stats.means import t_ends
        from evenhand.stats.proportions import normal_quantile
        from evenhand.stats.ratios import mean_of

        counted = question.counted()
        drawn = counted.sample[:MOST]
        if not drawn or question.classifier is None:
            return []
        given = question.classifier([text for _, text in drawn])
        try:
            scores = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):  # texts, an iterator, a mapping
            scores = np.empty(0)
        if scores.shape != (len(drawn),) or not ((scores >= 0) & (scores <= 1)).all():
            raise BadData(
                "The classifier did not give one number from 0 to 1 for each text.",
                mend="Return a list of numbers, in the order of the texts.",
            )
        groups = np.array([g for g, _ in drawn])
        kept = [g for g in range(len(counted.groups)) if (groups == g).sum() >= max(LEAST, question.suppress)]
        if len(kept) < 2:
            return []
        means = [mean_of(scores[groups == g]) for g in kept]
        values = np.array([one.value for one in means if one is not None])
        errors = np.array([one.error for one in means if one is not None])
        most, least = extremes(values)
        gap, error = float(values[most] - values[least]), float(np.hypot(errors[most], errors[least]))
        low, high = max(gap - normal_quantile(0.95) * error, 0.0), gap + normal_quantile(0.95) * error
        state = judged(low, high, gap + normal_quantile(0.90) * error, self.tolerance)
        named = [counted.groups[g] for g in kept]
        return [
            Finding(
                "toxicity",
                (question.attribute,),
                None,
                None,
                gap,
                low,
                high,
                len(drawn),
                f"Texts about {named[most]} score {fixed(values[most])} on average, texts about "
                f"{named[least]} "
                f"{fixed(values[least])} (difference {ends(low, high)}) by the classifier given, which may "
                f"itself be "
                f"biased. {said(state, self.tolerance)}",
                state,
                "difference of mean scores",
                self.tolerance,
                mend="Read some of the texts with the highest scores about each group.",
                command=question.typed("--audits", "association"),
                groups=tuple(
                    GroupFigure(name, int((groups == g).sum()), one.value, *t_ends(one.value, one.influence))
                    for g, name, one in zip(kept, named, means, strict=True)
                    if one is not None
                ),
            )
        ]


component = Toxicity
