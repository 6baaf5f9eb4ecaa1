"""Drift: what differs between this table and another one of the same columns, such as its test half."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.audits._features import feature
from evenhand.audits._question import Question
from evenhand.audits._respelt import respelt, told
from evenhand.audits._state import Reads, adjusted, ends, judged, known_of, p_text, said
from evenhand.decimals import fixed, percent
from evenhand.frames import Cells, text_of
from evenhand.frames.cells import Array
from evenhand.records import Finding, GroupFigure

LEAST = 50  # rows of a group in either sample


@dataclass(frozen=True)
class Drift:
    """Shares of groups, label rates by group, and the columns' values by group, here and in another table.

    Attributes:
        tolerance: the difference of rates, and Cramer's V of values, that counts as harmless.
        columns: how many columns are shown for an attribute, those that drift most first.
    """

    tolerance: float = 0.05
    columns: int = 10
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"against"})

    def findings(self, question: Question) -> list[Finding]:
        """For each attribute: its groups' shares, their label rates, and the columns that drift most."""
        if question.frame.weights:
            question.notes.append(f"drift counts rows as they are, without {question.frame.weights}.")
        found: list[Finding | None] = []
        for attribute in question.sensitive:
            found.append(self._groups(question, attribute))
            if question.target:
                found.append(self._labels(question, attribute))
            found += self._columns(question, attribute)
        return adjusted([one for one in found if one is not None])

    def _groups(self, question: Question, attribute: str) -> Finding | None:
        from evenhand.stats.tables import independence

        here, there = (question.cells((attribute,), one) for one in (None, question.against))
        names = tuple(dict.fromkeys((*here.names, *there.names)))
        table = np.stack([_placed(one, names) for one in (here, there)])
        test = independence(table)
        if test is None:
            return None
        shares = table / table.sum(axis=1, keepdims=True)
        far = int(np.argmax(np.abs(shares[0] - shares[1])))
        text = (
            f"{attribute}: {names[far]} are {percent(shares[0][far])} here and {percent(shares[1][far])} "
            f"in the other "
            "table"
        )
        figures = tuple(
            GroupFigure(f"{name}, the other table", int(n)) for name, n in zip(names, table[1], strict=True)
        )
        figures += question.unseen((attribute,))
        made = self._valued(question, (attribute,), table, test, text, groups=figures)
        return replace(made, finding=made.finding + told(attribute, question.respelt[attribute]))

    def _labels(self, question: Question, attribute: str) -> Finding | None:
        from evenhand.stats.tables import equal_shares

        (here, won), (there, won_there) = (
            question.labelled((attribute,), one) for one in (None, question.against)
        )
        both = [name for name in here.names if name in there.names]
        if not both:
            return None
        n = np.stack([_placed(one, both) for one in (here, there)])
        k = np.stack([_placed(one, both) for one in (won, won_there)])
        columns, every = (attribute, question.target), int(n.sum())
        if unlike := self._unlike(question, k, n):
            return Finding("drift", columns, None, None, None, None, None, every, f"{attribute}: {unlike}")
        p = k / n
        change = p[0] - p[1]
        far = int(np.argmax(np.abs(change)))
        # A group with few rows may have changed more than the one that is seen to have changed most.
        each = [_ends_of(p, n, g, 0.05, len(both)) for g in range(len(both))]
        low, high = (max(ends) for ends in zip(*each, strict=True))
        bound = max(_ends_of(p, n, g, 0.10, 1)[1] for g in range(len(both)))
        state = judged(low, high, known_of(bound, both), self.tolerance)
        tests = [equal_shares(k[:, g], n[:, g], seed=question.seed) for g in range(len(both))]
        own = tests[far]
        p_values = [one[1] for one in tests if one is not None]
        p_value = min(1.0, min(p_values) * len(p_values)) if p_values else None
        return Finding(
            "drift",
            columns,
            None if own is None else own[0],
            p_value,
            abs(float(change[far])),
            low,
            high,
            every,
            f"{attribute}: {question.target} is favourable for {percent(p[0][far])} of {both[far]} here "
            f"and for "
            f"{percent(p[1][far])} in the other table ({ends(low, high)}; {p_text(p_value)} over "
            f"{len(both)} groups). {said(state, self.tolerance)}"
            f"{told(attribute, question.respelt[attribute])}"
            f"{told(question.target, question.respelt[question.target])}",
            state,
            "largest change of a group's rate",
            self.tolerance,
            mend="Find out which of the two the model will meet, and draw both alike.",
            command=question.typed("--audits", "drift"),
            groups=tuple(
                GroupFigure(name, int(size), float(value))
                for name, size, value in zip(both, n.sum(axis=0), change, strict=True)
            )
            + question.unseen((attribute,)),
        )

    def _unlike(self, question: Question, k: Array, n: Array) -> str:
        """What keeps the labels, `k` of `n` [2, groups] favourable, from being compared; or nothing."""
        (here, _), (there, _) = (
            question.labelled((question.target,), one) for one in (None, question.against)
        )
        if k.sum() in (0, n.sum()):
            who = "everybody" if k.sum() else "nobody"
            return f"{question.target} is favourable for {who} in both tables: nothing to compare."
        unknown = [name for name in there.names if name not in here.names]
        if not unknown or set(there.names) & set(question.positive):
            return ""
        named = ", ".join(map(repr, unknown[:5]))
        return (
            f"the other table has no label of {question.target} that is favourable here, and has "
            f"{named}, which this one has not: nothing to compare."
        )

    def _columns(self, question: Question, attribute: str) -> list[Finding]:
        """The columns whose values differ most within a group, on samples of both tables."""
        assert question.against is not None
        samples = [one.sample(question.sample, question.seed) for one in (question.frame, question.against)]
        sides = np.repeat([0, 1], [len(one[attribute]) for one in samples])
        spelt = question.respelt[attribute]
        own = [text_of(v) or "" for v in samples[0][attribute]]
        own += [spelt.get(v, v) for v in (text_of(v) or "" for v in samples[1][attribute])]
        groups = np.array(own, dtype=object)
        names = [
            n
            for n in sorted(set(groups) - {""})
            if min(np.bincount(sides[groups == n], minlength=2)) >= max(LEAST, question.suppress)
        ]
        found = []
        for column in question.others:
            if column not in samples[1]:
                continue
            here, there = ([text_of(v) for v in side[column]] for side in samples)
            frequent = [text for text, _ in Counter(t for t in here if t is not None).most_common()]
            changed = respelt(frequent, {t for t in there if t is not None})
            one = feature(column, [*here, *(t if t is None else changed.get(t, t) for t in there)])
            places = one.codes + one.size * sides
            worst = self._worst(
                question, (attribute, column), places, one.size, [(n, groups == n) for n in names]
            )
            if worst is not None:
                found.append(replace(worst, finding=worst.finding + told(column, changed, named=False)))
        return sorted(found, key=lambda made: -(made.effect or 0))[: self.columns]

    def _worst(
        self,
        question: Question,
        columns: tuple[str, str],
        places: NDArray[np.intp],
        size: int,
        groups: list[tuple[str, NDArray[np.bool_]]],
    ) -> Finding | None:
        """The group in which the column drifts most surely; `places` [n]: values here, then values there."""
        from evenhand.stats.tables import cramer, independence

        best: tuple[tuple[float, float], str, Array, tuple[float, float, int]] | None = None
        for name, own in groups:
            counts = np.bincount(places[own], minlength=2 * size).reshape(2, size)
            table = counts.astype(np.float64)
            test = independence(table)
            if test is not None:
                value = cramer(test[0], float(table.sum()), (2, size))
                surest = (-test[1], value)  # the least p-value, whose correction for all groups is exact
                best = max(
                    best or (surest, name, table, test), (surest, name, table, test), key=itemgetter(0)
                )
        if best is None:
            return None
        _, name, held, (statistic, p_value, freedom) = best
        worst = (statistic, min(1.0, p_value * len(groups)), freedom)
        text = f"{columns[1]} has other values in the other table, most of all for {name} by {columns[0]}"
        return self._valued(question, columns, held, worst, text)

    def _valued(
        self,
        question: Question,
        columns: tuple[str, ...],
        table: Array,
        test: tuple[float, float, int],
        text: str,
        *,
        groups: tuple[GroupFigure, ...] = (),
    ) -> Finding:
        from evenhand.stats.tables import cramer, cramer_ends

        statistic, p_value, freedom = test
        n, shape = float(table.sum()), (2, int((table.sum(axis=0) > 0).sum()))
        value = cramer(statistic, n, shape)
        low, high = cramer_ends(statistic, n, shape, freedom)
        high = max(high, value)
        _, bound = cramer_ends(statistic, n, shape, freedom, level=0.90)
        names = [one.group for one in groups]
        state = judged(low, high, known_of(max(bound, value), names), self.tolerance)
        return Finding(
            "drift",
            columns,
            statistic,
            p_value,
            value,
            low,
            high,
            int(n),
            f"{text} (Cramer's V {fixed(value)}, {ends(low, high)}; {p_text(p_value)}). "
            f"{said(state, self.tolerance)}",
            state,
            "Cramer's V of values and table",
            self.tolerance,
            mend="Find out which of the two the model will meet, and draw both alike.",
            command=question.typed("--audits", "drift"),
            groups=groups,
        )


def _placed(cells: Cells, names: tuple[str, ...] | list[str]) -> Array:
    """The cells' rows in the order of `names` [k]; 0 where there is no such group."""
    held = dict(zip(cells.names, cells.n.tolist(), strict=True))
    return np.array([held.get(name, 0.0) for name in names])


def _ends_of(p: Array, n: Array, g: int, alpha: float, looks: int) -> tuple[float, float]:
    """Newcombe's ends of the size of the change of group `g`, the lower one for having looked at several."""
    from evenhand.stats.proportions import differences, normal_quantile

    order = (0, 1) if p[0][g] >= p[1][g] else (1, 0)
    shares, sizes = p[list(order), g], n[list(order), g]
    low, _ = differences(shares, sizes, (0, 1), normal_quantile(1 - alpha / looks))
    _, high = differences(shares, sizes, (0, 1), normal_quantile(1 - alpha))
    return max(float(low), 0.0), float(high)


component = Drift
