"""Proxies: how well the other columns tell the sensitive attribute, each alone and all together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evenhand.audits._features import (
    Codes,
    Feature,
    codes_of,
    features,
    folds_of,
    told_by_all,
    told_by_one,
)
from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, ends, judged, p_text, said
from evenhand.decimals import fixed
from evenhand.frames.cells import Array
from evenhand.records import Finding, GroupFigure

if TYPE_CHECKING:
    from evenhand.stats.areas import Area

_MEND = (
    "Leaving the attribute out does not hide it. Leave this column out as well, or check the model's "
    "decisions "
    "by group."
)
LEAST = 20  # rows of a group in the sample, below which it is left out


@dataclass(frozen=True)
class Proxies:
    """The area under the ROC curve with which a column tells the groups apart, cross-validated on a sample.

    0.5 is chance, 1 a copy of the attribute. Alone, a column's values vote by their shares of the groups;
    together, a ridge regression does on all columns' values, so that what only shows in combinations of
    values may be missed. The target is left out.

    Attributes:
        tolerance: the area up to which a column counts as telling nothing of use.
        columns: how many columns are shown, the best first.
    """

    tolerance: float = 0.6
    columns: int = 10
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """For each attribute one finding about all columns together, then one for each of the best."""
        return [one for attribute in question.sensitive for one in self._of(question, attribute)]

    def _of(self, question: Question, attribute: str) -> list[Finding]:
        sample = question.frame.sample(question.sample, question.seed)
        groups, names = codes_of(sample[attribute])
        least = max(LEAST, question.suppress)
        kept = np.flatnonzero(np.bincount(groups[groups >= 0], minlength=len(names)) >= least)
        used = np.isin(groups, kept)
        if len(kept) < 2:
            question.notes.append(
                f"proxies of {attribute} are not looked for: fewer than two groups have {least} rows in "
                f"the sample."
            )
            return []
        found = [Feature(one.name, one.codes[used], one.size) for one in features(sample, question.others)]
        if not found:
            question.notes.append(f"proxies of {attribute} are not looked for: there are no other columns.")
            return []
        codes = np.searchsorted(kept, groups[used])
        folds = folds_of(len(codes), question.seed)
        alone = [self._alone(question, attribute, one, codes, folds) for one in found]
        made = sorted((one for one in alone if one is not None), key=lambda one: -(one.effect or 0))
        shown = tuple(GroupFigure(one.columns[1], one.n, one.effect, one.low, one.high) for one in made)
        together = self._together(question, attribute, found, codes, folds)
        best = adjusted([*together, *made])[: self.columns + len(together)]
        return [replace(one, groups=shown) if len(one.columns) == 1 else one for one in best]

    def _alone(
        self, question: Question, attribute: str, one: Feature, codes: Codes, folds: Codes
    ) -> Finding | None:
        from evenhand.stats.areas import area
        from evenhand.stats.tables import independence

        k = int(codes.max()) + 1
        told = area(told_by_one(one, codes, k, folds), codes, folds)
        test = independence(
            _pooled(
                np.bincount(one.codes * k + codes, minlength=one.size * k).reshape(-1, k).astype(np.float64)
            )
        )
        if told is None:
            return None
        statistic, p_value = (test[0], test[1]) if test else (None, None)
        return self._finding(
            question,
            (attribute, one.name),
            told,
            len(codes),
            f"{one.name} alone tells {attribute}",
            test=(statistic, p_value),
        )

    def _together(
        self, question: Question, attribute: str, found: list[Feature], codes: Codes, folds: Codes
    ) -> list[Finding]:
        from evenhand.stats.areas import LATE, area

        told = area(told_by_all(found, codes, int(codes.max()) + 1, folds), codes, folds, LATE)
        if told is None:
            return []
        text = f"All {len(found)} other columns together tell {attribute}"
        return [self._finding(question, (attribute,), told, len(codes), text, test=(told.z, told.p_value))]

    def _finding(
        self,
        question: Question,
        columns: tuple[str, ...],
        told: Area,
        n: int,
        text: str,
        *,
        test: tuple[float | None, float | None],
    ) -> Finding:
        state = judged(told.low, told.high, told.bound, self.tolerance)
        drop = columns[1] if len(columns) > 1 else ""
        return Finding(
            "proxies",
            columns,
            test[0],
            test[1],
            told.value,
            told.low,
            told.high,
            n,
            f"{text} with an area of {fixed(told.value)} ({ends(told.low, told.high)}; {p_text(test[1])}), "
            f"where 0.5 is chance, in a sample of {n} rows. {said(state, self.tolerance, 'The area')}",
            state,
            "area under the ROC curve",
            self.tolerance,
            mend=_MEND if drop else "Leaving the attribute out does not hide it: see which columns tell it.",
            command=question.dropping(drop)
            if drop
            else question.typed("--audits", f"proxies:columns={len(question.others)}"),
        )


def _pooled(table: Array) -> Array:
    """The rows of a table of counts, those in which fewer than 5 are expected somewhere added up."""
    share = table.sum(axis=0) / max(table.sum(), 1)
    small = table.sum(axis=1) * share.min() < 5
    return np.vstack([table[~small], table[small].sum(axis=0)]) if small.any() else table


component = Proxies
