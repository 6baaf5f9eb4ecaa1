"""From the rows of a table to people with a group, a true outcome and a content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evenhand.errors import BadData
from evenhand.people import bins, suspects
from evenhand.people.task import DecisionTask, check_columns, text_of


@dataclass(frozen=True, slots=True)
class Person:
    """One person to decide on.

    `shown` holds the template's columns as the prompt writes them, `group` the index of the person's own
    group, `label` the true outcome (1 favourable). `content` is a digest of everything in the prompt except
    the attribute: people of one content are twins of one another, whatever their id.
    """

    id: str
    shown: Mapping[str, str] = field(repr=False)
    group: int
    label: int
    content: str


@dataclass(frozen=True)
class Population:
    """A task with its groups filled in, its people, and how many rows were left out and why."""

    task: DecisionTask
    people: tuple[Person, ...]
    left_out: Mapping[str, int]

    def remarks(self) -> list[str]:
        """A sentence for each reason for which rows were left out."""
        return [
            f"{count} {'row was' if count == 1 else 'rows were'} left out: {why}."
            for why, count in self.left_out.items()
            if count
        ]


def gather(
    task: DecisionTask,
    rows: Iterable[Mapping[str, Any]],
    *,
    ids: Sequence[str] | None = None,
    of: str = "the table",
) -> Population:
    """The people in `rows`; `ids` names them (None numbers them from 1), `of` names the table in messages.

    Raises:
        UnknownName: the table lacks a column that the task names.
        BadData: no rows, an attribute with fewer than two values, or a target that is always or never
            positive; or values that can mean several things (see `evenhand.people.suspects`).
    """
    rows = list(rows)
    if not rows:
        raise BadData(f"{of} has no rows.", mend="Name a table with people in it.")
    used = list(dict.fromkeys([*task.columns, *task.attribute, task.target]))
    check_columns(used, list(rows[0]), of)
    suspects.raise_any(task, {column: suspects.counts(rows, column, of) for column in used}, of)
    written = [task.value_of(row) for row in rows]
    there = Counter(value for value in written if all(value))
    suspects.raise_variants(task, there, of)
    means = dict(task.spellings)
    values = [means.get(value, value) for value in written] if means else written
    outcomes = [text_of(row[task.target]) for row in rows]
    decided = {v for v, outcome in zip(written, outcomes, strict=True) if task.has_outcome(outcome)}
    filled = replace(task, groups=task.groups or _groups(task, {v: there[v] for v in decided if all(v)}))
    number = {group: index for index, group in enumerate(filled.groups)}
    left_out = _LeftOut(filled)
    people = []
    names = ids or [str(n) for n in range(1, len(rows) + 1)]
    for name, row, value, outcome in zip(names, rows, values, outcomes, strict=True):
        if left_out.takes(outcome, value):
            continue
        people.append(_person(filled, name, row, number[value], int(outcome in task.positive)))
    _check(filled, people, Counter({"*".join(value): n for value, n in there.items()}), of)
    return Population(filled, tuple(people), left_out.reasons())


class _LeftOut:
    """Decides which rows are left out, and counts them by reason."""

    def __init__(self, task: DecisionTask) -> None:
        self._task = task
        self._groups = set(task.groups)
        self._missing = Counter[str]()
        self._outcomes = Counter[str]()
        self._others = Counter[str]()

    def takes(self, outcome: str, value: tuple[str, ...]) -> bool:
        """Whether a row with this outcome and these values of the attribute is left out; if so, count it."""
        task = self._task
        if task.is_absent(outcome):
            self._missing[f"the outcome {task.target}"] += 1
        elif not task.has_outcome(outcome):
            self._outcomes[outcome] += 1
        elif not all(value):
            self._missing["*".join(task.attribute)] += 1
        elif value not in self._groups:
            self._others["*".join(value)] += 1
        else:
            return False
        return True

    def reasons(self) -> dict[str, int]:
        """Why rows are left out, and how many for each reason."""
        task, attribute = self._task, "*".join(self._task.attribute)
        found = {f"{what} is missing": count for what, count in self._missing.items()}
        if self._outcomes:
            sides = ", ".join((*task.positive, *task.negative))
            why = f"the outcome {task.target} is none of {sides}, but {suspects.shown(self._outcomes)}"
            found[why] = self._outcomes.total()
        if self._others:
            groups = ", ".join(task.group_names)
            why = f"{attribute} is none of {groups}, but {suspects.shown(self._others)}"
            found[why] = self._others.total()
        return found


def _groups(task: DecisionTask, values: Mapping[tuple[str, ...], int]) -> tuple[tuple[str, ...], ...]:
    """Every combination that has an outcome, the most frequent first; of bins alone, the lowest first."""
    if len(task.attribute) == 1 and task.bins:
        ordered = [(name,) for name in bins.names(task.bins[0][1])]
        return tuple(value for value in ordered if value in values)
    return tuple(sorted(values, key=lambda value: (-values[value], value)))


def _person(task: DecisionTask, name: str, row: Mapping[str, Any], group: int, label: int) -> Person:
    shown = task.shown(row)
    rest = "\x1f".join(text for column, text in shown.items() if column not in task.attribute)
    return Person(name, shown, group, label, hashlib.sha256(rest.encode()).hexdigest()[:16])


def _check(task: DecisionTask, people: Sequence[Person], there: Counter[str], of: str) -> None:
    """Refuse people among whom nothing can be compared; `there` counts the values of the attribute."""
    named = "*".join(task.attribute)
    present = Counter(person.group for person in people)
    problems = []
    if len(task.groups) < 2:
        only = f" ({task.group_names[0]!r})" if task.groups else ""
        problems.append(f"the attribute {named} has one value alone{only}, so there is nothing to compare")
    absent = [repr("*".join(group)) for g, group in enumerate(task.groups) if not present[g]]
    if absent:
        occur = suspects.shown(there) or "no value"
        problems.append(f"nobody has {named} = {' or '.join(absent)}; the table has {occur}")
    if people and len({person.label for person in people}) < 2:
        how = "always" if people[0].label else "never"
        problems.append(f"the target {task.target!r} is {how} positive ({' or '.join(task.positive)})")
    if problems:
        raise BadData(
            f"{of} cannot be used for decisions: {'; '.join(problems)}.",
            mend="Name another attribute, groups, target, or values that count as positive.",
        )
