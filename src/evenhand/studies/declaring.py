"""``--missing``: values that a user declares to stand for a missing one. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadOption, UsageError
from evenhand.frames import Frame
from evenhand.frames.engines import stripped
from evenhand.frames.values import day, number
from evenhand.studies.audit_values import EVERYWHERE
from evenhand.studies.reading import numeric

if TYPE_CHECKING:
    import ibis.expr.types as ir

Signs = Mapping[str, Sequence[str]]
TRUTHS = ("true", "false")  # as groups are named


def declared(frame: Frame, signs: Signs, *, found: bool = True) -> Frame:
    """The frame with missing values where the declared signs stand; a note says which are taken for that.

    Letters may be of either case, and numbers are compared as numbers: -999.0 is -999. `signs` are those of
    every column by the name "".

    Raises:
        BadOption: a sign is declared for the weights.
        UnknownName: there is no such column.
        UsageError: with `found`, no row has a sign in a column that it is declared for.
    """
    import ibis

    if not signs:
        return frame
    asked = _asked(frame, signs)
    where = {name: _is_one(frame, name, values) for name, values in asked.items()}
    if found:
        _check_found(frame, signs, where)
    table = frame.table.mutate(
        **{name: ibis.ifelse(there, None, frame.table[name]) for name, there in where.items()}
    )
    for name, values in signs.items():
        of = f"in {frame.column(name)}" if name else "in every column"
        note = f"{', '.join(map(repr, values))} {of} counts as missing, as declared."
        if note not in frame.notes:
            frame.notes.append(note)
    return frame.having(table, changed=where)


def _asked(frame: Frame, signs: Signs) -> dict[str, list[str]]:
    every = list(signs.get(EVERYWHERE, ()))
    asked = {name: list(every) for name in frame.columns} if every else {}
    for name, values in signs.items():
        if name:
            column = frame.column(name)
            if column == frame.weights:
                raise BadOption(f"{name} holds the weights.", mend="Leave such rows out of the file.")
            asked.setdefault(column, []).extend(values)
    return asked


def _is_one(frame: Frame, name: str, values: Sequence[str]) -> ir.BooleanValue:
    """An expression, never null: whether a row has one of the signs in a column."""
    import ibis

    value = frame.table[name]
    numbers = [found for one in values if (found := number(one)) is not None]
    parts: list[Any] = []
    if value.type().is_string():
        parts.append(stripped(value).lower().isin([one.strip().lower() for one in values]))
    if numbers and (value.type().is_string() or value.type().is_numeric()):
        parts.append(numeric(frame, value).isin(numbers))
    if value.type().is_boolean():
        parts += [value == (one.strip().lower() == "true") for one in values if one.strip().lower() in TRUTHS]
    if value.type().is_date() or value.type().is_timestamp():
        days = [known for one in values if (known := day(one)) is not None]
        parts += [value.cast("date") == ibis.literal(one) for one in days]
    if not parts:  # of a number, a word is none
        return value.isnull() & value.notnull()
    return ibis.or_(*(one.fill_null(False) for one in parts))


def _check_found(frame: Frame, signs: Signs, where: Mapping[str, ir.BooleanValue]) -> None:
    """Refuse signs that stand nowhere: most likely they are written otherwise."""
    (mark,) = frame.unused("n")
    names = {f"{mark}{i}": name for i, name in enumerate(where)}
    asked = frame.table.aggregate(**{own: where[name].sum() for own, name in names.items()})
    found = frame.fetch(asked, 1).to_pydict()
    rows = {name: int(found[own][0] or 0) for own, name in names.items()}
    for name, values in signs.items():
        column = frame.column(name) if name else EVERYWHERE
        if not (rows[column] if column else sum(rows.values())):
            what = " or ".join(map(repr, values))
            raise UsageError(
                f"No row of {frame.name} has {what} in {column or 'any column'}.",
                mend="Write --missing age=-999 with a value as the column has it.",
            )
