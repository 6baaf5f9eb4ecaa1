"""Ambiguous values of a table: reported before any work, with what to write into the task file.

Without a report, a "nan" that a program wrote for a missing value would be a group, "MALE" another one than
"male", "pending" an unfavourable outcome, and every year of age a group of its own. A program cannot
distinguish them from intended values, so the owner of the task has to decide.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.errors import BadData, listed
from evenhand.people import bins
from evenhand.people.task import DecisionTask, text_of

MISSING = frozenset(
    {"nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none", "nil", "missing", "-", "--", "."}
)
"""What programs and people write for a missing value, in lower case."""
MOST_NUMBERS, MOST_GROUPS = 10, 50
_SHOWN = 6
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Letters of other scripts that are drawn like Latin ones, small or capital: once casefolded, which ones.
# The pairs are those of Unicode's list of confusables (UTS 39) that occur in words typed on a wrong keyboard.
_ALIKE = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u04bb\u0501"
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7"
    "\u0131\u0251\u0261",
    "abekmhopctyxsijhdabezhikmnoptyxiag",
)
_UNSEEN = frozenset({"Cc", "Cf"})  # categories: control characters, and formats such as U+200B (zero width)
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Suspect:
    """One ambiguity, and what to write into the task file."""

    what: str
    mend: str


def counts(rows: Sequence[Mapping[str, Any]], column: str, of: str = "the table") -> Counter[str]:
    """How often each text occurs in a column.

    Raises:
        BadData: its cells are lists or tables; `of` names the table.
    """
    try:
        raw = Counter((type(row[column]), row[column]) for row in rows)
    except TypeError:
        raise BadData(
            f"The column {column!r} of {of} holds lists or tables in its cells.",
            mend="Write one text or number into each cell.",
        ) from None
    found = Counter[str]()
    for (_, value), count in raw.items():
        found[text_of(value)] += count
    return found


def raise_any(task: DecisionTask, columns: Mapping[str, Counter[str]], of: str) -> None:
    """Return if no value is ambiguous; `columns` has the counts of those that are used.

    Raises:
        BadData: names all doubtful values and what to write into the task file; `of` names the table.
    """
    found = [
        *_blanks(task, columns),
        *(suspect for column, _ in task.bins for suspect in _no_numbers(task, column, columns[column])),
        *_outcomes(task, columns[task.target]),
        *(suspect for column in task.attribute for suspect in _many(task, column, columns[column])),
    ]
    _no_controls(columns, of)
    _raise(found, of)


def _no_controls(columns: Mapping[str, Counter[str]], of: str) -> None:
    """Return if no cell has a control character other than line breaks and tabs."""
    bad = {
        column: {text: n for text, n in found.items() if any(_control(sign) for sign in text)}
        for column, found in columns.items()
    }
    named = [f"the column {column!r} has {shown(found)}" for column, found in bad.items() if found]
    if named:
        raise BadData(
            f"{of} has control characters in its cells: {', '.join(named)}.",
            mend="Delete these characters, or save the table again in the encoding that it was written in.",
        )


def _control(sign: str) -> bool:
    return unicodedata.category(sign) == "Cc" and not sign.isspace()


def raise_variants(task: DecisionTask, values: Mapping[tuple[str, ...], int], of: str) -> None:
    """Return if no group is written in several ways; `values` counts the attribute's values.

    Raises:
        BadData: a group is; `of` names the table.
    """
    if not task.spellings:
        _raise([*_broken(task, values), *_variants(task, values)], of)


def _raise(found: Sequence[Suspect], of: str) -> None:
    if found:
        raise BadData(
            f"{of} has values that can mean several things: {'; '.join(s.what for s in found)}.",
            mend=f"In the task file, {'. And '.join(s.mend for s in found)}.",
        )


def shown(values: Counts, written: Callable[[str], str] = repr) -> str:
    """Texts as they are `written`, with their counts, the most frequent first."""
    ordered = sorted(values, key=lambda text: (-values[text], text))
    return listed([f"{written(text)} ({values[text]})" for text in ordered], _SHOWN).replace("; ", ", ")


def _blanks(task: DecisionTask, columns: Mapping[str, Counter[str]]) -> list[Suspect]:
    if task.blanks is not None:
        return []
    doubtful = {
        column: {text: n for text, n in found.items() if text.lower() in MISSING}
        for column, found in columns.items()
    }
    named = [f"{column!r} has {shown(found)}" for column, found in doubtful.items() if found]
    if not named:
        return []
    now = [text for text in task.absent if any(text in found for found in columns.values())]
    more = list(dict.fromkeys(text for found in doubtful.values() for text in found))
    return [
        Suspect(
            f"the column {', the column '.join(named)}, which often stands for a missing value",
            f"write blanks = {_toml([*now, *more])} if these are missing values, or blanks = {_toml(now)} if "
            "they are values like any other",
        )
    ]


def _outcomes(task: DecisionTask, found: Counter[str]) -> list[Suspect]:
    if task.negative:
        return []
    rest = {text: n for text, n in found.items() if text not in task.positive and not task.is_absent(text)}
    good = {text: n for text, n in found.items() if text in task.positive}
    if len(rest) < 2 or not good:  # a target that is never positive is refused elsewhere
        return []
    return [
        Suspect(
            f"the outcome {task.target!r} has {shown(good)} and more than one other value: {shown(rest)}",
            f"write negative = {_toml(sorted(rest)[:_SHOWN])} with those that are unfavourable, and add the "
            f"favourable ones to positive = {_toml(task.positive)}; rows with a value in neither are then "
            "left out and counted",
        )
    ]


def _no_numbers(task: DecisionTask, column: str, found: Counter[str]) -> list[Suspect]:
    rest = {t: n for t, n in found.items() if not task.is_absent(t) and bins.number(t) is None}
    if not rest:
        return []
    return [
        Suspect(
            f"the column {column!r} has bins, and holds what is no number: {shown(rest)}",
            f"write blanks = {_toml([*task.absent, *list(rest)[:_SHOWN]])} if these are missing values",
        )
    ]


def _many(task: DecisionTask, column: str, found: Counter[str]) -> list[Suspect]:
    if task.groups or column in dict(task.bins):
        return []
    there = [text for text in found if not task.is_absent(text)]
    numbers = [value for text in there if (value := bins.number(text)) is not None]
    if len(numbers) > MOST_NUMBERS:
        weighed = [v for text in there if (v := bins.number(text)) is not None for _ in range(found[text])]
        edges = bins.suggested(weighed)
        written = ", ".join(f"{edge:g}" for edge in edges)
        alone = len(task.attribute) == 1
        line = f"bins = [{written}]" if alone else f"bins = {{{_key(column)} = [{written}]}}"
        option = f"bins={'|'.join(f'{edge:g}' for edge in edges)}"
        return [
            Suspect(
                f"the attribute {column!r} has {len(numbers)} different numbers, from {min(numbers):g} to "
                f"{max(numbers):g}, and each would be a group",
                f"write {line}, for example, which makes the groups {', '.join(bins.names(edges))} "
                f"(or {option} beside attribute={column} in the command)",
            )
        ]
    if len(there) > MOST_GROUPS:
        most = [text for text, _ in found.most_common() if not task.is_absent(text)][:3]
        return [
            Suspect(
                f"the attribute {column!r} has {len(there)} different values, and each would be a group",
                f"write those to compare, for example groups = {_toml(most)}",
            )
        ]
    return []


def _variants(task: DecisionTask, values: Mapping[tuple[str, ...], int]) -> list[Suspect]:
    alike: dict[tuple[str, ...], dict[tuple[str, ...], int]] = {}
    for value, count in sorted(values.items(), key=lambda pair: (-pair[1], pair[0])):
        alike.setdefault(tuple(map(_folded, value)), {})[value] = count
    wanted = set(task.groups)

    def doubtful(spelt: Mapping[tuple[str, ...], int]) -> bool:
        return len(spelt) > 1 and (not wanted or (bool(wanted & set(spelt)) and not set(spelt) <= wanted))

    twice = [spelt for spelt in alike.values() if doubtful(spelt)]
    if not twice:
        return []
    what = " and ".join(_told(spelt) for spelt in twice[:_SHOWN])
    kept = [spelt for spelt in alike.values() if not wanted or wanted & set(spelt)]
    names = [next((v for v in spelt if v in wanted), next(iter(spelt))) for spelt in kept]
    written = [["*".join(value) for value in spelt] for spelt in kept]
    mapping = ", ".join(
        f"{_key('*'.join(name))} = {_toml(texts, codes=not _distinct(texts))}"
        for name, texts in zip(names, written, strict=True)
    )
    return [
        Suspect(
            f"{'*'.join(task.attribute)} seems to have one group written in several ways: {what}",
            f"write groups = {{{mapping}}} to say what belongs together; a value in no list is left out",
        )
    ]


def _broken(task: DecisionTask, values: Mapping[tuple[str, ...], int]) -> list[Suspect]:
    """Groups with a line break or a tab in their names, which would break prompts and tables."""
    wanted = set(task.groups)
    found = [v for v in values if (not wanted or v in wanted) and any(map(_breaks, v))]
    if not found:
        return []
    kept = [v for v in values if not wanted or v in wanted]
    mapping = ", ".join(
        f"{_key(' '.join('*'.join(v).split()))} = {_toml(['*'.join(v)])}" for v in kept[:MOST_GROUPS]
    )
    return [
        Suspect(
            f"{'*'.join(task.attribute)} has a line break or a tab within a group: "
            f"{shown({'*'.join(v): values[v] for v in found})}",
            f"write groups = {{{mapping}}} to name these groups in one line",
        )
    ]


def _breaks(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in text)


def _told(spelt: Mapping[tuple[str, ...], int]) -> str:
    """The spellings of one group; those that look the same on a screen by the codes of their letters."""
    texts = {"*".join(value): count for value, count in spelt.items()}
    return shown(texts) if _distinct(texts) else shown(texts, ascii)


def _distinct(texts: Iterable[str]) -> bool:
    """Whether spellings of one group differ by case and spaces alone, which can be seen."""
    return len({" ".join(text.casefold().split()) for text in texts}) == 1


def _folded(text: str) -> str:
    """What two spellings of one word share: letters without case, drawn alike and seen, and single spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(s for s in plain if s.isspace() or unicodedata.category(s) not in _UNSEEN)
    return " ".join(seen.translate(_ALIKE).split())


def _toml(texts: Sequence[str], *, codes: bool = False) -> str:
    return f"[{', '.join(_quoted(text, codes) for text in texts)}]"


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text: str, codes: bool = False) -> str:
    """A TOML string; what cannot be seen, and with `codes` all that is not ASCII, by its code."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(s if s.isprintable() and not (codes and s > "~") else _code(s) for s in written)


def _code(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"
