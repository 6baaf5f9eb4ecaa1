"""How a table is to be read: favourable labels, shares of the baseline, bins as groups."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evenhand import quoting
from evenhand.audits import Question
from evenhand.errors import BadData, BadOption, UsageError
from evenhand.files import read_text
from evenhand.frames import OTHER, Frame
from evenhand.frames.engines import as_number, as_year
from evenhand.frames.values import folded, looks_like_a_date, number, text_of
from evenhand.people import bins
from evenhand.studies.audit_values import DATES, shares

if TYPE_CHECKING:
    import ibis.expr.types as ir

YES = frozenset(
    {"1", "true", "yes", "y", "t", "good", "approved", "accepted", "hired", "selected", "positive", "pass"}
)
"""What usually means a favourable label, in lower case."""
MOST_LABELS = 20
MEDIAN = "median"
ABOVE, BELOW = "above", "not above"
_COMPARISON = re.compile(r"^(>=|>)\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)$")


def baselines(given: str | Mapping[str, Any], sensitive: Sequence[str]) -> dict[str, dict[str, float]]:
    """The shares of groups by column, out of a text, a file or a mapping.

    A group or a column whose name holds one of the signs stands in double quotes. A text is
    ``A=0.5,B=0.5`` for the first attribute, ``sex:A=0.5,B=0.5;race:...`` for several, or the path
    of a file with the columns group and share, or group and count.

    Raises:
        BadOption: it cannot be read, is about a column that is not sensitive, or a share is not above 0.
    """
    if not given:
        return {}
    if not sensitive:
        raise BadOption("The baseline is about no column.", mend="Add --sensitive with the column of groups.")
    parts: Mapping[str, Mapping[str, float] | Sequence[tuple[str, float]]]
    if isinstance(given, Mapping):
        several = any(isinstance(value, Mapping) for value in given.values())
        parts = dict(given) if several else {sensitive[0]: given}
    elif "=" not in given:
        parts = {sensitive[0]: _baseline_file(Path(given))}
    else:
        parts = _baseline_text(given, sensitive)
    known = {*sensitive, "*".join(sensitive)}
    for column in parts:
        if column not in known:
            raise BadOption(
                f"The baseline is about {column!r}, which is not sensitive.",
                mend=f"Write one of: {', '.join(sorted(known))}.",
            )
    return {column: shares(column, own) for column, own in parts.items()}


def _baseline_text(text: str, sensitive: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
    """The groups and shares of each column that a text names."""
    parts: dict[str, list[tuple[str, float]]] = {}
    known = {*sensitive, "*".join(sensitive)}
    for part in quoting.pieces(text, ";"):
        head, *rest = quoting.pieces(part, ":")
        named = bool(rest) and quoting.plain(head) in known
        column, pairs = (quoting.plain(head), ":".join(rest)) if named else (sensitive[0], part)
        if column in parts:
            raise BadOption(
                f"The baseline names the column {column} twice.", mend="Write all of its shares in one place."
            )
        parts[column] = []
        for pair in quoting.pieces(pairs, ","):
            *names, share = quoting.pieces(pair, "=")
            name, value = quoting.plain("=".join(names)), number(share.strip())
            if not name or value is None:
                raise BadOption(
                    f"{pair!r} is not the share of a group.", mend="Write --baseline A=0.5,B=0.5."
                )
            parts[column].append((name, value))
    return parts


def _baseline_file(path: Path) -> list[tuple[str, float]]:
    """Groups and shares out of a file with the columns group and share, or group and count."""
    rows = list(
        csv.DictReader(io.StringIO(read_text(path, mend="Write --baseline A=0.5,B=0.5, or name a CSV file.")))
    )
    names = set(rows[0]) if rows else set()
    column = next((one for one in ("share", "count", "n") if one in names), None)
    if "group" not in names or column is None:
        raise BadData(
            f"{path} has no columns group and share.",
            mend="Write a header such as group,share (or group,count).",
        )
    values = [((row["group"] or "").strip(), number(row[column])) for row in rows]
    known = [(name, value) for name, value in values if value is not None]
    if len(known) < len(values):
        raise BadData(f"{path} has a {column} that is no number.", mend="Correct it.")
    total = 1.0 if column == "share" else sum(value for _, value in known)
    if not total > 0:
        raise BadData(f"The counts of {path} sum to {total:g}.", mend="Write how many of each there are.")
    return [(name, value / total) for name, value in known]


def binned(frame: Frame, given: Mapping[str, str]) -> Frame:
    """The frame with columns of numbers or dates as groups, by rules as in `AuditOptions`.

    Raises:
        BadOption: a column that is to have borders holds no numbers, or no dates where a year is asked for,
            or is named twice.
    """
    rules: dict[str, str] = {}
    for name, rule in given.items():
        column = frame.column(name)
        if column in rules:
            raise BadOption(
                f"The bins name the column {column} twice.",
                mend=f"Write its borders once: --bins {column}=30|50.",
            )
        rules[column] = rule
    made = {column: _bin_of(frame, column, rule) for column, rule in rules.items()}
    return frame.having(frame.table.mutate(**made), changed=made) if made else frame


def _bin_of(frame: Frame, column: str, rule: str) -> ir.Value:
    import ibis

    value = frame.table[column]
    if rule in DATES:
        year = _years(frame, value)
        return ((year - year % 10) if rule == "decade" else year).cast("string")
    borders = [float(part) for part in rule.split("|")]
    asked = numeric(frame, value)
    names = bins.names(borders)
    made = ibis.cases(
        *((asked < border, name) for border, name in zip(borders, names[:-1], strict=True)), else_=names[-1]
    )
    return ibis.ifelse(asked.isnull(), None, made)


def numeric(frame: Frame, value: Any) -> Any:
    """A column as numbers; what is no number in a file of text is missing.

    Raises:
        BadOption: the column holds dates, or something else that is never a number.
    """
    kind = value.type()
    if kind.is_string():
        value = as_number(value)
    elif not (kind.is_numeric() or kind.is_boolean()):
        raise _holds_no(frame, value, "numbers")
    return value.cast("float64")


def _years(frame: Frame, value: Any) -> Any:
    """The years of a column of dates; what is no date in a file of text is missing.

    Raises:
        BadOption: the column holds numbers, or something else that is never a date.
    """
    kind = value.type()
    if kind.is_string():
        return as_year(value)
    if not (kind.is_date() or kind.is_timestamp()):
        raise _holds_no(frame, value, "dates")
    return value.cast("timestamp").year()


def _holds_no(frame: Frame, value: Any, what: str) -> BadOption:
    return BadOption(
        f"The column {value.get_name()} of {frame.name} holds no {what} (its type is {value.type()}).",
        mend=f"Name a column of {what}; --bins makes groups of numbers (age=30|50) and of dates (born=year).",
    )


def are_scores(given: Sequence[str]) -> bool:
    """Whether favourable values are those above a border, so that the target holds numbers."""
    return len(given) == 1 and bool(_COMPARISON.match(given[0].strip()) or given[0].strip().lower() == MEDIAN)


def labelled(question: Question, given: Sequence[str], *, some: bool = False) -> Question:
    """The question with the target as labels and the favourable ones among them; a note says which.

    Of the rows that may be shown: a median, or the rarer label, of all rows would tell of the others. All
    labels `given` have to be there; with `some`, and where there are rows that may not be shown, one does.

    Raises:
        UsageError: the target has no value, or several and none is said to be favourable.
    """
    frame, target = question.frame, question.target
    if not target:
        return question
    if are_scores(given):
        return _by_score(question, _COMPARISON.match(given[0].strip()))
    some = some or bool(question.hidden)
    positive, note = _favourable(frame, question.keys, given, some)
    question.notes.extend([note] if note else [])
    return replace(question, positive=positive)


def _favourable(
    frame: Frame, keys: Sequence[str], given: Sequence[str], some: bool
) -> tuple[tuple[str, ...], str]:
    """The favourable labels of the target, the last of `keys`, and a note on them."""
    target = keys[-1]
    # The counts that the audits will ask for as well, so that the table is read once.
    cells = frame.cells(keys).by((target,))
    order = np.argsort(-cells.n, kind="stable")[: MOST_LABELS + 1]
    names = [str(cells.keys[i][0]) for i in order]
    if not names:
        raise UsageError(
            f"The target {target} of {frame.name} has no value in any row.", mend="Name another column."
        )
    if given:
        wanted = tuple(one.strip() for one in given)
        there = {key[0] for key in cells.keys}
        lacking = [one for one in wanted if one not in there]
        enough = not lacking or (some and len(lacking) < len(wanted))
        if not enough and OTHER not in there:
            more = " and more" if len(there) > MOST_LABELS else ""
            raise UsageError(
                f"No row has {lacking[0]!r} for {target}.",
                mend=f"It has: {', '.join(map(repr, names[:MOST_LABELS]))}{more}.",
            )
        return wanted, ""
    return _guessed(target, names)


def _guessed(target: str, names: list[str]) -> tuple[tuple[str, ...], str]:
    """The favourable label among those that are there."""
    plain = {one: text_of(float(one)) if number(one) is not None else one for one in names}
    usual = [one for one in names if str(plain[one]).lower() in YES]
    kinds = {folded(one) for one in names}
    if len(kinds) == 1 and not usual:
        return (names[0],), f"{target} has one value alone, {names[0]!r}."
    if len(kinds) <= 2 and usual:
        return tuple(
            text_of(one) or one for one in usual
        ), f"{', '.join(map(repr, usual))} counts as favourable for {target}; --positive says otherwise."
    if len(kinds) == 2:
        rarer = folded(names[-1])
        chosen = tuple(one for one in names if folded(one) == rarer)
        return (
            chosen,
            f"The rarer label, {', '.join(map(repr, chosen))}, counts as favourable for {target}; "
            f"--positive says otherwise.",
        )
    numbers = [one for one in names if number(one) is not None]
    dates = [one for one in names if looks_like_a_date(one)]
    if len(numbers) == len(names) > MOST_LABELS // 2:
        mend = f"Add --positive '>0.5' with a border of yours, or --positive {MEDIAN}."
    elif len(dates) == len(names):
        mend = f"{target} holds dates; name a column of labels."
    else:
        mend = f"Add --positive with those that are favourable, such as --positive {names[0]!r}."
    more = " and more" if len(names) > MOST_LABELS else ""
    raise UsageError(
        f"The target {target} has several values: {', '.join(map(repr, names[:MOST_LABELS]))}{more}.",
        mend=mend,
    )


def _by_score(question: Question, rule: re.Match[str] | None) -> Question:
    """The target as above or not above a border, or the median of all scores."""
    import ibis

    frame, target = question.frame, question.target
    score = numeric(frame, frame.table[target])
    if rule is None:
        found = frame.fetch(frame.table.aggregate(m=score.median()), 1)["m"][0].as_py()
        if found is None:
            raise UsageError(
                f"The target {target} of {frame.name} has no number in any row.", mend="Name another column."
            )
        border, strict = float(found), True
    else:
        border, strict = float(rule[2]), rule[1] == ">"
        if math.isinf(border):
            raise BadOption(
                f"{rule[0]!r} has no border.", mend="Write --positive '>0.5' with a border of yours."
            )

    def marked(one: Frame) -> Frame:
        value = numeric(one, one.table[target])
        above = value > border if strict else value >= border
        label = ibis.ifelse(value.isnull(), None, ibis.ifelse(above, ABOVE, BELOW))
        return one.having(one.table.mutate(**{target: label}), changed=[target])

    question.notes.append(
        f"{target} is favourable {'above' if strict else 'from'} "
        f"{border:g}{', the median' if rule is None else ''}."
    )
    return replace(
        question,
        frame=marked(frame),
        against=question.against and marked(question.against),
        whole=question.whole and marked(question.whole),
        positive=(ABOVE,),
    )
