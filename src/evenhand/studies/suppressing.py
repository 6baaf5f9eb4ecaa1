"""``--suppress``: no figure holds the rows of groups that are too small to be shown.

A group's figure is not hidden where it follows from those that are shown: from a total less the other groups,
or from the largest difference. So the rows of small groups, those of intersections among them and those of
which few lack a value, are left out before anything is counted, and the groups' names alone are told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evenhand.audits import Question
from evenhand.errors import UsageError, listed
from evenhand.frames import OTHER, Cells, Frame
from evenhand.frames.cells import Key
from evenhand.studies.reading import numeric

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_LOST = 0.05  # of the rows, for the sake of intersections; where more are concerned, these are not shown
MOST_NAMED = 20
MOST_CELLS = 500  # intersections that are left out one by one
Attribute = tuple[str, ...]
Hidden = Mapping[Attribute, frozenset[Key]]


def suppressed(question: Question, *, scores: bool = False) -> Question:
    """The question about the rows of groups that may be shown; a note names the others.

    A group is small if fewer than `suppress` rows, or fewer with a label, are of it, here or in the other
    table; so are the rows without a value in an attribute. Leaving rows out may make further groups small;
    these are left out as well. The target is as it stands in the file: which labels are favourable is decided
    by the rows that are shown, and with `scores` only numbers are labels. What the question leaves out
    already, or may not show, stays so.

    Raises:
        UsageError: no attribute has a group that may be shown.
    """
    if question.suppress < 2 or not question.sensitive:
        return question
    frames = [one for one in (question.frame, question.against) if one is not None]
    marked = [_marked(one, question.target, scores) for one in frames]
    whole = [one.cells(question.keys) for one in marked]
    begun = {one: keys for one, keys in question.left_out.items() if set(one) <= set(question.sensitive)}
    left: Sequence[Cells] = [_without(one, begun) for one in whole]
    hidden, left = _left(question, left, [(one,) for one in question.sensitive], begun)
    crossed = question.crossed
    if len(question.sensitive) > 1 and crossed:
        every, fewer = _left(question, left, [*hidden, question.sensitive], {**begun, **hidden})
        crossed = len(every[question.sensitive]) <= MOST_CELLS and all(
            after.total >= (1 - MOST_LOST) * before.total for after, before in zip(fewer, left, strict=True)
        )
        if crossed:
            hidden, left = every, fewer
    if len(question.sensitive) > 1 and not crossed:
        question.notes.append(
            f"{'*'.join(question.sensitive)} is not shown: too many of its groups have fewer than "
            f"{question.suppress} rows."
        )
    for name in question.sensitive:
        if whole[0].by((name,)).keys and not left[0].by((name,)).keys:
            raise UsageError(
                f"No group of {name} has {question.suppress} rows that can be shown.",
                mend="Suppress fewer with --suppress, or make larger groups with --bins.",
            )
    if not any(hidden.values()):
        return replace(question, crossed=crossed)
    rows = [_rows(one, hidden, cells) for one, cells in zip(frames, whole, strict=True)]
    made = [one.having(one.table.filter(~own)) for one, own in zip(frames, rows, strict=True)]
    names = {attribute: _names(attribute, keys) for attribute, keys in hidden.items() if keys}
    question.notes.append(_told(names, question.suppress))
    return replace(
        question,
        frame=made[0],
        against=made[1] if len(made) > 1 else None,
        hidden=names,
        left_out=hidden,
        crossed=crossed,
        whole=question.frame,
    )


def check_alike(before: Question, after: Question) -> None:
    """Refuse the audit after a repair that hides other groups than the one before, beside which it stands.

    How many rows such a group has would follow by subtraction: from all rows, and from how many of them the
    repair took away, which the two audits tell together.

    Raises:
        UsageError: a group, or the intersection of the attributes, is shown in one of them alone.
    """
    first, second = ({a: keys for a, keys in one.left_out.items() if keys} for one in (before, after))
    if first == second and before.crossed == after.crossed:
        return
    new = sorted(set(after.withheld) - set(before.withheld)) or sorted(after.withheld)
    raise UsageError(
        f"The audit before shows {listed(new)}, of which fewer than {before.suppress} rows are left, and the "
        f"two audits together would tell how many.",
        mend="Audit without --repair, leave out --suppress, or join small groups: with --bins age=30|50, or "
        "other columns.",
    )


def _marked(frame: Frame, target: str, scores: bool) -> Frame:
    """The frame with a mark for each label, whatever it is."""
    import ibis

    if not target:
        return frame
    there = numeric(frame, frame.table[target]).notnull() if scores else frame.known(target)
    label: Any = ibis.ifelse(there, "label", None)
    return frame.having(frame.table.mutate(**{target: label}), changed=[target])


def _left(
    question: Question, counts: Sequence[Cells], attributes: Sequence[Attribute], begun: Hidden
) -> tuple[Hidden, Sequence[Cells]]:
    """The small groups by attribute, those of `begun` among them, and the counts without their rows."""
    hidden = {one: begun.get(one, frozenset()) for one in (*attributes, *begun)}
    while True:
        found = {one: _small(question, counts, one) for one in attributes}
        if not any(found.values()):
            return hidden, counts
        hidden = {one: own | found.get(one, frozenset()) for one, own in hidden.items()}
        counts = [_without(one, found) for one in counts]


def _small(question: Question, counts: Sequence[Cells], attribute: Attribute) -> frozenset[Key]:
    """The groups with fewer rows, or rows with a label, than may be shown; those without any are none.

    Rows without a value are such a group: their number is that of all rows less those of the others.
    """
    made: set[Key] = set()
    for cells in counts:
        known = cells.where(lambda key: key[-1] is not None) if question.target else cells
        for one in (cells.by(attribute, known=False), known.by(attribute, known=False)):
            made |= {key for key, n in zip(one.keys, one.n, strict=True) if 0 < n < question.suppress}
    return frozenset(made)


def _without(cells: Cells, found: Hidden) -> Cells:
    places = {one: [cells.columns.index(name) for name in one] for one in found}
    return cells.where(
        lambda key: not any(tuple(key[p] for p in places[one]) in own for one, own in found.items())
    )


def _rows(frame: Frame, hidden: Hidden, counts: Cells) -> ir.BooleanValue:
    """An expression: whether a row is of a small group. Groups that differ in the last value are one part."""
    import ibis

    values = {name: {key[i] for key in counts.keys} for i, name in enumerate(counts.columns)}
    parts = []
    for attribute, keys in hidden.items():
        alike: dict[Key, list[str | None]] = defaultdict(list)
        for key in sorted(keys, key=str):
            alike[key[:-1]].append(key[-1])
        for head, last in alike.items():
            own = [_is_of(frame, name, [v], values[name]) for name, v in zip(attribute, head, strict=False)]
            parts.append(ibis.and_(*own, _is_of(frame, attribute[-1], last, values[attribute[-1]])))
    return ibis.or_(*parts)


def _is_of(frame: Frame, name: str, groups: Sequence[str | None], every: set[str | None]) -> ir.BooleanValue:
    """An expression, never null: whether a row has one of these values of a column, of `every` one."""
    import ibis

    def held(values: Iterable[str | None]) -> ir.BooleanValue:
        return frame.holds(name, [one for one in values if one is not None and one != OTHER]).fill_null(False)

    parts = [held(groups)]
    if OTHER in groups:  # what is none of the values that are counted alone
        parts.append(~(held(every) | frame.lacks(name)))
    if None in groups:
        parts.append(frame.lacks(name))
    return ibis.or_(*parts)


def _names(attribute: Attribute, keys: frozenset[Key]) -> tuple[str, ...]:
    import numpy as np

    none = np.zeros(len(keys))
    return Cells(attribute, tuple(sorted(keys, key=str)), none, none, none).names


def _told(names: Mapping[Attribute, Sequence[str]], least: int) -> str:
    told = []
    for attribute, own in names.items():
        more = f" and {len(own) - MOST_NAMED} more" if len(own) > MOST_NAMED else ""
        told.append(f"{'*'.join(attribute)}: {', '.join(own[:MOST_NAMED])}{more}")
    return (
        f"Groups of fewer than {least} rows are left out of every figure, with their rows: {'; '.join(told)}."
    )
