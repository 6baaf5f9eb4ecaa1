"""Impact ratios as in New York City's Local Law 144: each category's rate over the highest rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, adjusted, ends, extremes, judged, known_of, p_text, said
from evenhand.decimals import fixed, percent
from evenhand.frames import Cells
from evenhand.frames.cells import Array
from evenhand.records import Finding, GroupFigure

if TYPE_CHECKING:
    from evenhand.stats.gaps import EqualRates, Rates

SMALL = 30  # people of a category, below which its rate is uncertain by more than ten points


@dataclass(frozen=True)
class ImpactRatio:
    """The smallest impact ratio by sex, by race and by their intersections, from counts.

    The rate is the share with a favourable decision, or with a score above the median of all. Categories of
    less than `least` of the people whose category is known are left out of the ratio, and are shown with
    their numbers; people of unknown category are counted. Beside the four-fifths rule stand the interval, the
    p-value of equal rates, and the ratio to be expected if rates were equal: with many small categories that
    is far below 1.

    Attributes:
        least: the share of people below which a category is left out.
        rule: the ratio that should be reached.
    """

    least: float = 0.02
    rule: float = 0.8
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each attribute, and one for their intersection."""
        found = [self._of(question, attribute) for attribute in question.attributes]
        return adjusted([one for one in found if one is not None])

    def _of(self, question: Question, attribute: tuple[str, ...]) -> Finding | None:
        from evenhand.stats.gaps import Rates, ratio_ends

        people, won = question.labelled(attribute)
        n = people.effective  # rows as they are; under weights, the number of rows that they are worth
        k = won.weight / np.maximum(people.weight, 1e-12) * n
        label, columns = "*".join(attribute), (*attribute, question.target)
        used = people.weight >= self.least * people.weight.sum()
        rates = won.weight / np.maximum(people.weight, 1e-12)
        best = float(rates[used].max()) if used.any() else 0.0
        unknown = question.frame.rows - people.total
        rest = self._left_out(people.names, n, k, used, unknown)
        why = _no_ratio(rates[used])
        if why:
            text = f"{label}: there is no ratio, for {why}. {rest}"
            return Finding("impact_ratio", columns, None, None, None, None, None, people.total, text)
        own = Rates(rates[used], n[used])
        (low, high), (bound, _) = ratio_ends(own), ratio_ends(own, level=0.90)
        chance = _chance(k[used], n[used], question.seed)
        ratio = float(rates[used].min() / best)
        state = judged(
            None if high is None else 1 - high,
            None if low is None else 1 - low,
            known_of(None if bound is None else 1 - bound, people.names),
            1 - self.rule,
        )
        return Finding(
            "impact_ratio",
            columns,
            None,
            None if chance is None else chance.p,
            ratio,
            low,
            high,
            people.total,
            f"{label}: {_sentence(people, rates, used, best)} ({ends(low, high)}"
            f"{_expected(chance)}). {_rule(ratio, self.rule)} {said(state, 1 - self.rule, 'A shortfall')} "
            f"{_small(people.names, n, used)}{rest}".strip(),
            state,
            "smallest impact ratio",
            self.rule,
            mend=(
                "Look at the decisions of the group with the lowest rate; weigh the rows if a model "
                "learns from them."
            ),
            command=question.reweighing(),
            groups=self._figures(people.names, people.n, Rates(rates, n), used) + question.unseen(attribute),
        )

    def _figures(
        self, names: Sequence[str], rows: Array, rates: Rates, used: NDArray[np.bool_]
    ) -> tuple[GroupFigure, ...]:
        """Each category's ratio to the highest rate, and its interval; none for those left out."""
        from evenhand.stats.gaps import Rates, ratio_ends

        top = int(np.flatnonzero(used)[np.argmax(rates.p[used])])
        found = []
        for i, name in enumerate(names):
            size = int(rows[i])
            if not used[i]:
                found.append(GroupFigure(f"{name} (left out)", size))
            elif i == top:
                found.append(GroupFigure(name, size, 1.0))
            else:
                low, high = ratio_ends(Rates(rates.p[[i, top]], rates.n[[i, top]]))
                found.append(GroupFigure(name, size, float(rates.p[i] / rates.p[top]), low, high))
        return tuple(found)

    def _left_out(
        self, names: Sequence[str], n: Array, k: Array, used: NDArray[np.bool_], unknown: int
    ) -> str:
        out = [
            f"{name} ({fixed(k[i], 0)} of {fixed(n[i], 0)})" for i, name in enumerate(names) if not used[i]
        ]
        told = f"Left out with less than {percent(self.least)}: {', '.join(out[:20])}. " if out else ""
        return told + f"{unknown} people are of unknown category or have no decision."


def _no_ratio(rates: Array) -> str:
    """Why the rates [k] of the categories that are compared say nothing; empty where they do."""
    if len(rates) < 2:
        return "fewer than two categories are compared"
    if not rates.max() > 0:
        return "nobody was selected"
    return "everybody was selected, so that nothing was decided" if not rates.min() < 1 else ""


def _chance(k: Array, n: Array, seed: int) -> EqualRates | None:
    """How often equal rates give as small a ratio, and the ratio that they give on average."""
    from evenhand.stats.gaps import equal_rates

    def shortfall(rates: Sequence[Array]) -> Array:
        highest = rates[0].max(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(1 - rates[0].min(axis=1) / highest)

    return equal_rates([(np.rint(k)[None], np.rint(n)[None])], shortfall, draws=9999, seed=seed)


def _sentence(people: Cells, rates: Array, used: NDArray[np.bool_], best: float) -> str:
    own = np.flatnonzero(used)
    most, least = own[list(extremes(rates[own]))]
    return (
        f"the smallest impact ratio is {fixed(rates[least] / best)}: {percent(rates[least])} of "
        f"{people.names[least]} beside {percent(rates[most])} of {people.names[most]}, from counts"
    )


def _expected(chance: EqualRates | None) -> str:
    if chance is None:
        return ""
    return f"; {p_text(chance.p)}; equal rates would give {fixed(1 - chance.expected)} on average"


def _rule(ratio: float, rule: float) -> str:
    reached = "reached" if ratio >= rule else "not reached"
    return f"The four-fifths rule ({rule:g}) is {reached} by the figure itself, which is no test."


def _small(names: Sequence[str], n: Array, used: NDArray[np.bool_]) -> str:
    few = [names[i] for i in np.flatnonzero(used & (n < SMALL)).tolist()]
    return f"Fewer than {SMALL} people are in: {', '.join(few)}; their rates are uncertain. " if few else ""


component = ImpactRatio
