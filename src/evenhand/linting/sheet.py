"""A published table: its columns with their meanings, its rows with their figures and labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evenhand.errors import BadData, UnknownName, UsageError, listed
from evenhand.frames.values import is_missing
from evenhand.linting.cells import Figure, figure
from evenhand.linting.impact_ratios import NAMES
from evenhand.linting.meanings import Guess, check, guess, plain, without
from evenhand.tables import read_delimited

_PERCENT = re.compile(r"%|percent|pct", re.IGNORECASE)
MEAN_ROWS = frozenset({"mean", "avg", "average", "macro average", "macro avg"})
TOTAL_ROWS = frozenset({"total", "sum", "overall total"})


@dataclass(frozen=True)
class Sheet:
    """A table of strings with what its columns mean.

    Attributes:
        columns: the names, in order.
        texts: the cells as written, a mapping a row.
        meanings: a guess for each column.
        told: the columns whose meaning the user named.
        n: the number of people or items behind every rate, where no column says it.
    """

    columns: tuple[str, ...]
    texts: tuple[Mapping[str, str], ...]
    meanings: Mapping[str, Guess]
    told: frozenset[str] = frozenset()
    n: int | None = None

    @cached_property
    def figures(self) -> dict[str, tuple[Figure | None, ...]]:
        """The numbers of every column of numbers, in the order of the columns."""
        found = {}
        for name in self.columns:
            if self.meanings[name].meaning in ("label", "none"):
                continue
            read = [figure(row[name]) for row in self.texts]
            if 2 * sum(one is not None for one in read) >= max(
                1, sum(bool(r[name].strip()) for r in self.texts)
            ):
                counts = self.meanings[name].meaning in ("n", "count")
                found[name] = tuple(read) if counts else _refined(read)
        return {name: read for name, read in found.items() if any(one is not None for one in read)}

    @cached_property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of words."""
        return tuple(name for name in self.columns if name not in self.figures)

    @cached_property
    def body(self) -> tuple[int, ...]:
        """The rows, counted from 0, that are no mean and no total of the others."""
        return tuple(
            place for place in range(len(self.texts)) if not self._labels(place) & (MEAN_ROWS | TOTAL_ROWS)
        )

    def named_as(self, kind: str) -> list[str]:
        """The columns with the words of a meaning in their names, whatever else they are: ``mean AFGB``."""
        return [
            name
            for name in self.figures
            if self.meanings[name].meaning == kind
            or (name not in self.told and without(kind, name) is not None)
        ]

    def rows_named(self, names: frozenset[str]) -> tuple[int, ...]:
        """The rows with one of `names` as a label."""
        return tuple(place for place in range(len(self.texts)) if self._labels(place) & names)

    def _labels(self, place: int) -> set[str]:
        if set(NAMES) <= set(self.columns):  # "Total" is there the category of a column that is not crossed
            return set()
        return {plain(self.texts[place][name]) for name in self.label_columns}

    def name_of(self, place: int) -> str:
        """A row for people: its number, and what its label columns hold."""
        texts = [self.texts[place][name].strip() for name in self.label_columns]
        words = " / ".join(text for text in texts if text and not is_missing(text))
        return f"row {place + 1}" + (
            f" ({words if len(words) <= 80 else words[:77] + '...'})" if words else ""
        )

    def meaning(self, *wanted: str) -> list[str]:
        """The columns of numbers with one of these meanings."""
        return [name for name in self.figures if self.meanings[name].meaning in wanted]

    def groups(self, *wanted: str, shared: bool = True) -> list[tuple[str, ...]]:
        """For every scope, one column of each wanted meaning, in that order; none of scopes that lack one.

        Where `shared`, the only column of a meaning, if it has no scope, serves every scope.
        """
        by_meaning = [self.meaning(one) for one in wanted]
        found = []
        for scope in dict.fromkeys(self.meanings[name].scope for names in by_meaning for name in names):
            chosen = [self._of_scope(names, scope, shared) for names in by_meaning]
            if all(chosen):
                found.append(tuple(str(one) for one in chosen))
        return list(dict.fromkeys(found))

    def pairs(self) -> dict[str, tuple[str, str]]:
        """The columns of one figure before and after treatment, by its name: ``AFGB before``, ``after AFGB``.

        Where there is one of each, the name may stand in one of them alone: ``before``, ``AFGB after``.
        """
        before, after = ({of: name for name, of in self._of_time(when)} for when in ("before", "after"))
        if len(before) == len(after) == 1 and "" in {**before, **after}:
            (one, earlier), (other, later) = *before.items(), *after.items()
            return {one or other: (earlier, later)}
        return {of: (name, after[of]) for of, name in before.items() if of in after}

    def _of_time(self, when: str) -> list[tuple[str, str]]:
        """The columns of figures before, or after, each with the words that say of what."""
        told = [(name, "") for name in self.told & {*self.figures} if self.meanings[name].meaning == when]
        return told + [
            (name, of)
            for name in self.figures
            if name not in self.told and (of := without(when, name)) is not None
        ]

    def _of_scope(self, names: Sequence[str], scope: str, shared: bool) -> str | None:
        own = [name for name in names if self.meanings[name].scope == scope]
        if own:
            return own[0]
        return names[0] if shared and len(names) == 1 and not self.meanings[names[0]].scope else None

    def whole(self, columns: Sequence[str]) -> float:
        """What all of something is printed as in these columns: 1 as a share, 100 in percent."""
        cells = [one for name in columns for one in self.figures[name] if one is not None]
        if any(one.percent for one in cells) or any(_PERCENT.search(name) for name in columns):
            return 100.0
        # One typing error above 1 does not make a column of percentages.
        above = sum(abs(one.value) > 1.5 for one in cells)
        return 100.0 if above > 0.5 * len(cells) or (above > 1 and above > 0.2 * len(cells)) else 1.0


def _refined(read: Sequence[Figure | None]) -> tuple[Figure | None, ...]:
    """The cells with the decimals of their column, where a program left out zeros at the end."""
    held = [one for one in read if one is not None and one.places]
    most = Counter(one.places for one in held).most_common(1)
    if len(held) < 4 or not most or any(one.text.endswith("0") for one in held):
        return tuple(read)
    places, often = most[0]
    if often < 0.6 * len(held):
        return tuple(read)
    return tuple(None if one is None else one.refined(places) for one in read)


def opened(path: Path, named: Mapping[str, Sequence[str]] | None = None, n: int | None = None) -> Sheet:
    """The table in a CSV file (or, as ``.tsv``, one with tabs); `named` gives meanings to columns.

    Raises:
        BadData: the file cannot be read, a row is uneven, or it has no rows.
        UnknownName: `named` has a meaning or a column that there is not.
        UsageError: a column is given two meanings.
    """
    held = read_delimited(path, "\t" if path.suffix.lower() == ".tsv" else ",", mend="Name a CSV file.")
    if held.problems:
        told = listed([f"line {line}: {what}" for line, what in held.problems])
        raise BadData(f"{path} cannot be read as a table: {told}.", mend="Mend these lines.")
    if not held.rows:
        raise BadData(f"{path} has no rows.", mend="Name a table with a header and a row at least.")
    texts = tuple(row for _, row in held.rows)
    known = dict(zip(NAMES, ("n", "count", "rate", "ratio"), strict=True))
    given = _named(named or {}, held.columns)
    if set(NAMES) <= set(held.columns):  # the ACLU's collection of audits under Local Law 144
        given = {**{name: Guess(meaning) for name, meaning in known.items()}, **given}
    meanings = {name: given.get(name) or guess(name) for name in held.columns}
    return Sheet(held.columns, texts, _settled(meanings), frozenset(given), n)


def _named(named: Mapping[str, Sequence[str]], columns: Sequence[str]) -> dict[str, Guess]:
    found: dict[str, Guess] = {}
    for meaning, names in named.items():
        check(meaning)
        for name in names:
            if name not in columns:
                raise UnknownName("column", name, columns)
            if name in found:
                raise UsageError(f"The column {name!r} is given two meanings.", mend="Give it one.")
            found[name] = Guess(meaning)
    return found


def _settled(meanings: dict[str, Guess]) -> dict[str, Guess]:
    """Names that mean so only beside others.

    "Count" is the n where no other column is, "total" a sum where there is an n, and "AIR" the adverse impact
    ratio beside a rate.
    """
    kinds = [one.meaning for one in meanings.values()]
    for name, one in meanings.items():
        if plain(name) in ("air", "ir") and one.meaning == "figure" and "rate" in kinds:
            meanings[name] = Guess("ratio")
        if plain(name) == "count" and one.meaning == "count" and "n" not in kinds:
            meanings[name] = Guess("n", one.scope)
        if plain(name) == "total" and one.meaning == "n" and (kinds.count("n") > 1 or "count" not in kinds):
            meanings[name] = Guess("total")
    return meanings
