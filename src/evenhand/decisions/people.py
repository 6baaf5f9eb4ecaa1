"""From the rows of a table to people with a group, a true outcome and a content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evenhand.decisions.task import DecisionTask, check_columns, text_of
from evenhand.errors import BadData


@dataclass(frozen=True, slots=True)
class Person:
    """One person to decide on.

    `shown` holds the template's columns as the prompt writes them, `group` the index of the person's own
    group, `label` the true outcome (1 favourable). `content` is a digest of all that the prompt says but for
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
        """What to say of the rows that were left out; nothing when none was."""
        return [f"{count} rows were left out: {why}." for why, count in self.left_out.items() if count]


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
            positive.
    """
    rows = list(rows)
    if not rows:
        raise BadData(f"{of} has no rows.", mend="Name a table with people in it.")
    check_columns([*task.columns, *task.attribute, task.target], list(rows[0]), of)
    values = [tuple(text_of(row[column]) for column in task.attribute) for row in rows]
    filled = replace(task, groups=task.groups or _groups(task, values))
    number = {group: index for index, group in enumerate(filled.groups)}
    names = ids or [str(n) for n in range(1, len(rows) + 1)]
    left_out = Counter[str]()
    people = []
    for name, row, value in zip(names, rows, values, strict=True):
        outcome = text_of(row[task.target])
        if outcome == "" or outcome in task.blanks:
            left_out[f"the outcome {task.target} is missing"] += 1
        elif value not in number:
            left_out[f"{'*'.join(task.attribute)} is missing or none of {', '.join(filled.group_names)}"] += 1
        else:
            people.append(_person(filled, name, row, number[value], int(outcome in task.positive)))
    _check(filled, people, of)
    return Population(filled, tuple(people), left_out)


def _groups(task: DecisionTask, values: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Every combination that occurs, without missing values, the most frequent first."""
    blank = {"", *task.blanks}
    counts = Counter(value for value in values if not blank & set(value))
    return tuple(sorted(counts, key=lambda value: (-counts[value], value)))


def _person(task: DecisionTask, name: str, row: Mapping[str, Any], group: int, label: int) -> Person:
    shown = task.shown(row)
    rest = "\x1f".join(text for column, text in shown.items() if column not in task.attribute)
    return Person(name, shown, group, label, hashlib.sha256(rest.encode()).hexdigest()[:16])


def _check(task: DecisionTask, people: Sequence[Person], of: str) -> None:
    named = "*".join(task.attribute)
    present = Counter(person.group for person in people)
    problems = []
    if len(task.groups) < 2:
        only = f" ({task.group_names[0]!r})" if task.groups else ""
        problems.append(f"the attribute {named} has one value alone{only}, so there is nothing to compare")
    problems += [
        f"nobody has {named} = {name!r}"
        for g, name in enumerate(task.group_names)
        if people and not present[g]
    ]
    if len({person.label for person in people}) < 2:
        how = "always" if people and people[0].label else "never"
        problems.append(f"the target {task.target!r} is {how} positive ({' or '.join(task.positive)})")
    if problems:
        raise BadData(
            f"{of} cannot be used for decisions: {'; '.join(problems)}.",
            mend="Name another attribute, groups, target, or values that count as positive.",
        )
