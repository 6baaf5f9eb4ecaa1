"""Near-constant columns: what varies in one group and hardly varies in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evenhand.audits._features import codes_of
from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, apart, ends, extremes, p_text, rates, said
from evenhand.decimals import percent
from evenhand.frames import text_of
from evenhand.records import Finding

LEAST = 50  # rows of a group in the sample


@dataclass(frozen=True)
class Constants:
    """Columns of which one value fills nearly all rows of a group, but not of every group.

    A model learns nothing from such a column about that group. On the seeded sample.

    Attributes:
        share: the share of one value from which on a column counts as near-constant in a group.
        tolerance: the difference of that share between groups that counts as harmless.
    """

    share: float = 0.98
    tolerance: float = 0.05
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute and column that is near-constant in some of its groups."""
        sample = question.frame.sample(question.sample, question.seed)
        found = [
            self._of(question, attribute, column, sample[attribute], sample[column])
            for attribute in question.sensitive
            for column in question.others
        ]
        return adjusted([one for one in found if one is not None])

    def _of(
        self, question: Question, attribute: str, column: str, groups: Sequence[Any], values: Sequence[Any]
    ) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        codes, names = codes_of(groups)
        texts = np.array([text_of(value) or "" for value in values], dtype=object)
        sizes = np.bincount(codes[codes >= 0], minlength=len(names))
        kept = [g for g in range(len(names)) if sizes[g] >= max(LEAST, question.suppress)]
        if len(kept) < 2:
            return None
        modes = [Counter(texts[codes == g]).most_common(1)[0] for g in kept]
        n = sizes[kept].astype(np.float64)
        fixed_in = int(np.argmax([count / size for (_, count), size in zip(modes, n, strict=True)]))
        value = modes[fixed_in][0]
        held = np.array([float((texts[codes == g] == value).sum()) for g in kept])
        shares = held / n
        if shares.max() < self.share or shares.min() >= self.share:
            return None
        low, high, state = apart(shares, n, self.tolerance)
        most, least = extremes(shares)
        test = equal_shares(held, n, seed=question.seed)
        statistic, p_value = test or (None, None)
        named = [names[g] for g in kept]
        return Finding(
            "constants",
            (attribute, column),
            statistic,
            p_value,
            float(np.ptp(shares)),
            low,
            high,
            int(n.sum()),
            f"{column} has one value for {percent(shares[most])} of {named[most]} and for "
            f"{percent(shares[least])} of "
            f"{named[least]} (difference {ends(low, high)}; {p_text(p_value)}) in a sample of "
            f"{int(n.sum())} rows: it hardly varies for {named[most]}. {said(state, self.tolerance)}",
            state,
            "largest difference of shares of one value",
            self.tolerance,
            mend=(
                "A model learns little about this group from the column; leave it out, or collect it better."
            ),
            command=question.dropping(column),
            groups=rates(named, held, n, n) + question.unseen((attribute,)),
        )


component = Constants
