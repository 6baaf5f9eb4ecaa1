"""A decision task: how a person's record becomes a prompt, and which column is predicted.

A prompt is the demonstrations, each a person as text with the label word behind it, then the person to decide
on as text, without a trailing space (`prompt`). The model answers with one of the label words.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evenhand.errors import BadData, BadOption, UnknownName, did_you_mean
from evenhand.people import bins

_WHOLE = re.compile(r"(-?[0-9]+)\.0+")


@dataclass(frozen=True)
class DecisionTask:
    """What is decided about whom, and in which words.

    Attributes:
        name: the task's name, the middle part of sample ids.
        template: a person as text, with ``{column}`` where a column's value goes; it ends where the label
            word follows, without a space.
        target: the column that holds the true outcome.
        labels: the label words, the unfavourable one first, each with its leading space.
        attribute: the sensitive column, or several of them for intersections.
        positive: the values of `target` that count as favourable.
        negative: those that count as unfavourable; empty for all others. With both, a person whose outcome is
            in neither is left out.
        groups: for each group its values of the `attribute` columns; empty for all that the table has, the
            most frequent first (of `bins` the lowest first). A person of another group is left out.
        spellings: pairs of what the table may write for the `attribute` and the group that it means; empty
            where the table writes the groups as they are.
        bins: pairs of an attribute column and the borders that make its numbers groups (see
            `evenhand.people.bins`).
        separator: the text between one demonstration's label and the next person.
        header: an instruction before everything else; empty for none.
        missing: the text in a prompt for a missing value.
        blanks: what the table writes for a missing value, beside an empty cell. None is the question mark
            alone; then a "nan", "NULL" and the like are refused until this list says what they are.
        source, licence: of the data, for the card.
    """

    name: str
    template: str
    target: str
    labels: tuple[str, str]
    attribute: tuple[str, ...]
    positive: tuple[str, ...] = ("1",)
    negative: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    spellings: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    bins: tuple[tuple[str, tuple[float, ...]], ...] = ()
    separator: str = "\n\n"
    header: str = ""
    missing: str = "not stated"
    blanks: tuple[str, ...] | None = None
    source: str = "the user's own table"
    licence: str = "the user's own"

    def __post_init__(self) -> None:
        """Refuse a task that cannot be asked, all its problems at once.

        Raises:
            BadOption: label words or template that do not work.
        """
        problems = [*_label_problems(self.labels), *_template_problems(self), *_group_problems(self)]
        if not self.positive:
            problems.append("no value of the target counts as positive")
        problems += [f"{v!r} is both positive and negative" for v in self.positive if v in self.negative]
        if problems:
            raise BadOption(
                f"The decision task {self.name!r} cannot be used: {'; '.join(problems)}.",
                mend="Mend the task's template, labels and attribute.",
            )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the template shows, each once, in its order."""
        return tuple(dict.fromkeys(_fields(self.template)))

    @property
    def group_names(self) -> tuple[str, ...]:
        """One name a group; of an intersection the values joined by ``&``."""
        return tuple("&".join(group) for group in self.groups)

    def shown(self, record: Mapping[str, Any]) -> dict[str, str]:
        """The values of the template's columns as in the prompt; a missing one becomes the text `missing`."""
        texts = {column: text_of(record.get(column)) for column in self.columns}
        return {column: self.missing if self.is_absent(text) else text for column, text in texts.items()}

    @property
    def absent(self) -> tuple[str, ...]:
        """The texts for a missing value, beside an empty cell."""
        return ("?",) if self.blanks is None else self.blanks

    def is_absent(self, text: str) -> bool:
        """Whether a cell with this text holds no value."""
        return text == "" or text in self.absent

    def has_outcome(self, text: str) -> bool:
        """Whether this text of the target is an outcome, favourable or not."""
        known = (*self.positive, *self.negative)
        return not self.is_absent(text) and (not self.negative or text in known)

    def value_of(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The values of the attribute columns, numbers as the names of their bins; "" for a missing one.

        Raises:
            BadData: a value that belongs into a bin is no number.
        """
        return tuple(self._binned(column, text_of(record[column])) for column in self.attribute)

    def _binned(self, column: str, text: str) -> str:
        edges = dict(self.bins).get(column)
        if self.is_absent(text):
            return ""
        if edges is None:
            return text
        found = bins.place(text, edges)
        if found is None:
            raise BadData(
                f"The column {column!r} has {text!r}, which is no number: no bin fits it.",
                mend="Name it among the blanks of the task file if it stands for a missing value.",
            )
        return found

    def render(self, shown: Mapping[str, str], group: int) -> str:
        """A person as text, up to where the label word follows, as a member of the group of that index."""
        return self.template.format_map(
            {**shown, **dict(zip(self.attribute, self.groups[group], strict=True))}
        )

    def block(self, shown: Mapping[str, str], group: int, label: int) -> str:
        """A demonstration: the person as text and the label word."""
        return self.render(shown, group) + self.labels[label]

    def prompt(self, blocks: Sequence[str], query: str) -> str:
        """The header, the demonstrations `blocks` and the person to decide on, joined by the separator."""
        return self.separator.join([*([self.header] if self.header else []), *blocks, query])


def text_of(value: Any) -> str:
    """A cell as text: whole numbers without a decimal point, a missing value (None, NaN) as nothing, -0 as 0.

    A column of whole numbers that lacks one becomes 41.0 in many programs, also in the CSV files they write.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    number = whole[1] if whole else text
    return "0" if number == "-0" else number


def check_columns(wanted: Sequence[str], there: Sequence[str], of: str) -> None:
    """Return if the table has every column that a task names.

    Raises:
        UnknownName: it lacks one; the message lists near names. `of` names the table.
    """
    missing = [column for column in wanted if column not in there]
    if missing:
        more = f" It also lacks {', '.join(map(repr, missing[1:]))}." if len(missing) > 1 else ""
        raise UnknownName(f"column of {of}", missing[0], there, mend=more.strip())


def _fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def _label_problems(labels: Sequence[str]) -> list[str]:
    if len(labels) != 2:
        return [f"it has {len(labels)} label words, not two"]
    problems = [f"the label word {w!r} has no leading space" for w in labels if not w.startswith(" ")]
    problems += [
        f"the label word {w!r} is empty or ends with a space" for w in labels if w.rstrip() != w or not w
    ]
    if labels[0] == labels[1]:
        problems.append(f"both label words are {labels[0]!r}")
    return problems


def _group_problems(task: DecisionTask) -> list[str]:
    wanted = len(task.attribute)
    problems = []
    if any(len(group) != wanted for group in (*task.groups, *(value for value, _ in task.spellings))):
        problems.append(f"every group needs one value for each of {', '.join(task.attribute)}")
    twice = {name for name in task.group_names if task.group_names.count(name) > 1}
    problems += [f"the group {name!r} is named twice" for name in sorted(twice)]
    written = [value for value, _ in task.spellings]
    twice = {"*".join(value) for value in written if written.count(value) > 1}
    problems += [f"{value!r} is in the list of two groups" for value in sorted(twice)]
    for column, edges in task.bins:
        if column not in task.attribute:
            problems.append(f"there are bins for {column!r}, which is not in the attribute")
        problems += bins.problems(column, edges)
    return problems


def _template_problems(task: DecisionTask) -> list[str]:
    try:
        shown = _fields(task.template)
    except ValueError as error:
        return [f"its template is malformed ({error})"]
    problems = [
        f"the template does not show the attribute {a!r}"
        f"{did_you_mean(a, shown, 2) or ' but ' + ', '.join(shown)}"
        for a in task.attribute
        if a not in shown
    ]
    if any(not name.isidentifier() for name in shown):
        problems.append(
            "the template has a {} that names no column (letters, digits, _ and no leading digit)"
        )
    if not task.attribute:
        problems.append("it names no sensitive attribute")
    if task.target in shown:
        problems.append(f"the template shows the target {task.target!r} itself")
    if task.template != task.template.rstrip():
        problems.append("the template ends with a space; the label word brings it")
    return problems
