"""``--suppress``: no figure holds the rows of groups that are too small to be shown.

A group's figure is not hidden where it follows from those that are shown: from a total less the other groups,
or from the largest difference. So the rows of small groups, those of intersections among them, are left out
before anything is counted, and the groups' names alone are told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evenhand.audits import Question
from evenhand.errors import UsageError
from evenhand.frames import OTHER, Cells, Frame
from evenhand.frames.cells import Key

MOST_LOST = 0.05  # of the rows, for the sake of intersections; where more are concerned, these are not shown
MOST_NAMED = 20
MOST_CELLS = 500  # intersections that are left out one by one
Attribute = tuple[str, ...]
Hidden = Mapping[Attribute, frozenset[Key]]


def suppressed(question: Question) -> Question:
    """The question about the rows of groups that may be shown; a note names the others.

    A group is small if fewer than `suppress` rows, or fewer with a label, are of it, here or in the other
    table. Leaving rows out may make further groups small; these are left out as well.

    Raises:
        UsageError: no attribute has a group that may be shown.
    """
    if question.suppress < 2 or not question.sensitive:
        return question
    frames = [one for one in (question.frame, question.against) if one is not None]
    whole = [one.cells(question.keys) for one in frames]
    hidden, left = _left(question, whole, [(one,) for one in question.sensitive])
    crossed = True
    if len(question.sensitive) > 1:
        every, fewer = _left(question, left, [*hidden, question.sensitive], hidden)
        crossed = len(every[question.sensitive]) <= MOST_CELLS and all(
            after.total >= (1 - MOST_LOST) * before.total for after, before in zip(fewer, left, strict=True)
        )
        if crossed:
            hidden, left = every, fewer
        else:
            question.notes.append(
                f"{'*'.join(question.sensitive)} is not shown: too many of its groups have fewer than "
                f"{question.suppress} rows."
            )
    for name in question.sensitive:
        if not left[0].by((name,)).keys:
            raise UsageError(
                f"No group of {name} has {question.suppress} rows that can be shown.",
                mend="Suppress fewer with --suppress, or make larger groups with --bins.",
            )
    if not any(hidden.values()):
        return replace(question, crossed=crossed)
    made = [one.without(_rows(one, hidden), kept) for one, kept in zip(frames, left, strict=True)]
    names = {attribute: _names(attribute, keys) for attribute, keys in hidden.items() if keys}
    question.notes.append(_told(names, question.suppress))
    return replace(
        question,
        frame=made[0],
        against=made[1] if len(made) > 1 else None,
        hidden=names,
        crossed=crossed,
        whole=question.frame,
    )


def _left(
    question: Question, counts: Sequence[Cells], attributes: Sequence[Attribute], begun: Hidden | None = None
) -> tuple[Hidden, Sequence[Cells]]:
    """The small groups by attribute, those of `begun` among them, and the counts without their rows."""
    hidden: dict[Attribute, frozenset[Key]] = {one: (begun or {}).get(one, frozenset()) for one in attributes}
    while True:
        found = {one: _small(question, counts, one) for one in attributes}
        if not any(found.values()):
            return hidden, counts
        hidden = {one: hidden[one] | found[one] for one in attributes}
        counts = [_without(one, found) for one in counts]


def _small(question: Question, counts: Sequence[Cells], attribute: Attribute) -> frozenset[Key]:
    """The groups with fewer rows, or rows with a label, than may be shown; those without any are none."""
    made: set[Key] = set()
    for cells in counts:
        known = cells.where(lambda key: key[-1] is not None) if question.target else cells
        for one in (cells.by(attribute), known.by(attribute)):
            made |= {key for key, n in zip(one.keys, one.n, strict=True) if 0 < n < question.suppress}
    return frozenset(key for key in made if OTHER not in key)


def _without(cells: Cells, found: Hidden) -> Cells:
    places = {one: [cells.columns.index(name) for name in one] for one in found}
    return cells.where(
        lambda key: not any(tuple(key[p] for p in places[one]) in own for one, own in found.items())
    )


def _rows(frame: Frame, hidden: Hidden) -> object:
    """An expression: whether a row is of a small group. Groups that differ in the last value are one part."""
    import ibis

    parts = []
    for attribute, keys in hidden.items():
        alike: dict[Key, list[str]] = defaultdict(list)
        for key in sorted(keys, key=str):
            alike[key[:-1]].append(str(key[-1]))
        for head, last in alike.items():
            own = [frame.holds(name, [str(v)]) for name, v in zip(attribute, head, strict=False)]
            parts.append(ibis.and_(*own, frame.holds(attribute[-1], last)))
    return ibis.or_(*(one.fill_null(False) for one in parts))


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
