"""What Python or a command line gives for an option of an audit, as the one form that the rest reads.

Checked when the options are made, before a file is opened. Each function may be given what it made.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from evenhand import quoting
from evenhand.errors import BadOption
from evenhand.frames import text_of
from evenhand.frames.values import number
from evenhand.people import bins

EVERYWHERE = ""
DATES = ("year", "decade")
_SHARES = "Write shares above 0 that sum to 1: 'A=0.5,B=0.5', or {'A': 0.5, 'B': 0.5}."
_BINS = "Write borders by column: {'age': [30, 50]}, or {'born': 'year'} (or 'decade') of dates."
_MISSING = "Write 'age=-999' or {'age': [-999]}, or [-999] for every column."
_LONGEST = 80  # characters of a value in a message: an array has thousands


def refused(name: str, value: object, mend: str) -> BadOption:
    """The error of an option whose value cannot be used; `mend` says what to write instead."""
    return BadOption(f"{name}={_shown(value)} is not valid.", mend=mend)


def _shown(value: object) -> str:
    """A value as a message shows it, in one line of bounded length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def text(name: str, value: object) -> str:
    """A text.

    Raises:
        BadOption: it is none.
    """
    if not isinstance(value, str):
        raise refused(name, value, "Write a text.")
    return str(value)


def truth(name: str, value: object) -> bool:
    """True or False; neither a text nor a number is one of them.

    Raises:
        BadOption: it is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise refused(name, value, "Write True or False.")
    return bool(value)


def several(given: object) -> list[Any]:
    """The values of a list, a set, a range, an array or a column of a data frame; all else is one value."""
    if isinstance(given, np.ndarray | np.generic) and given.dtype.kind == "M":
        given = given.astype("datetime64[us]")  # of nanoseconds, numpy makes numbers
    for way in ("to_pylist", "tolist", "to_list"):  # arrow; numpy and pandas; polars
        if callable(getattr(given, way, None)):
            given = getattr(given, way)()
            break
    if isinstance(given, Set):
        return sorted(given, key=str)  # in an order that does not change from run to run
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str | bytes) else [given]


def _named(value: object) -> str | None:
    """A single value as groups are named; a text stays as it is, and None is what cannot be a value."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic):
        (value,) = several(value)
    if isinstance(value, bytes | Sequence | Mapping | Set | np.ndarray) or hasattr(value, "columns"):
        return None
    return text_of(value)


def names(name: str, given: object) -> list[str]:
    """The names of columns in a text or a list.

    Raises:
        BadOption: it holds something else.
    """
    if isinstance(given, str):
        return quoting.names(given)
    found = several(given)
    if isinstance(given, Mapping) or not all(isinstance(one, str) for one in found):
        raise refused(name, given, "Write a name, or a list of names.")
    return [str(one) for one in found]


def labels(name: str, given: object) -> list[str]:
    """Values of a column in a text or a list; those of other types are named as groups are.

    Raises:
        BadOption: one stands for a missing value, or is no single value.
    """
    if isinstance(given, str):
        return quoting.names(given)
    found = [one for value in several(given) if (one := _named(value)) is not None]
    if len(found) < len(several(given)):
        raise refused(name, given, "Write a value, or a list of values, none of them missing.")
    return found


def specs(given: object) -> tuple[str, ...]:
    """The specs of audits in a text or a list; none for None.

    Raises:
        BadOption: it holds something else.
    """
    found = [] if given is None else several(given)
    if isinstance(given, Mapping) or not all(isinstance(one, str) for one in found):
        raise refused("audits", given, "Write such as 'label_rates:tolerance=0.02', or a list of such texts.")
    return tuple(str(one) for one in found if one)


def baseline(given: object) -> str | dict[str, Any]:
    """The shares that groups should have: a text or a file as it is, or by group, or by column and group.

    Raises:
        BadOption: it is none of these, or a share is no number above 0.
    """
    if isinstance(given, str | Path):
        return str(given)
    given = _mapping(given)
    if not isinstance(given, Mapping):
        raise refused("baseline", given, _SHARES)
    parts = {key: _mapping(value) for key, value in given.items()}
    if not any(isinstance(value, Mapping) for value in parts.values()):
        return shares("", parts) if parts else {}
    if not all(isinstance(key, str) and isinstance(value, Mapping) for key, value in parts.items()):
        raise refused("baseline", given, "Write shares by column: {'sex': {'A': 0.5, 'B': 0.5}}.")
    return {str(key): shares(str(key), value) for key, value in parts.items()}


def _mapping(given: Any) -> Any:
    """A column of a data frame, whose index names the groups, as a mapping; anything else as it is."""
    column = hasattr(given, "to_dict") and hasattr(given, "index") and not hasattr(given, "columns")
    return given.to_dict() if column else given


def shares(column: str, given: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> dict[str, float]:
    """Shares by the names of groups, out of a mapping or of pairs of both.

    `column` is what they are of, empty where that is not yet known.

    Raises:
        BadOption: there is none, a group is missing or named twice, or a share is no number above 0.
    """
    of = f"The baseline of {column}" if column else "The baseline"
    made: dict[str, float] = {}
    for group, share in given.items() if isinstance(given, Mapping) else given:
        name, value = _named(group), _real(share)
        if not name or name in made:
            why = "names a group twice" if name else "names no group"
            raise BadOption(f"{of} {why}: {_shown(group)}.", mend=_SHARES)
        if value is None or not value > 0:
            raise BadOption(
                f"{of} has a share of {name!r} that is no number above 0: {_shown(share)}.",
                mend=f"{_SHARES} Leave groups without one out of the data.",
            )
        made[name] = value
    if not made:
        raise BadOption(f"{of} has no group.", mend=_SHARES)
    return made


def _real(value: object) -> float | None:
    """A finite number of any type; None for what is none, a text included."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):  # beyond a double; a signalling NaN
        return None
    return found if math.isfinite(found) else None


def rules(given: object) -> dict[str, str]:
    """What makes groups of a column's numbers or dates, as ``--bins`` takes it: ``30|50``, or ``year``.

    A border is the number that its text says, of at most 15 digits, which is what the groups are named after.

    Raises:
        BadOption: it is no mapping, or borders are no numbers in order.
    """
    given = _mapping(given)
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise refused("bins", given, _BINS)
    return {str(name): _rule(str(name), rule) for name, rule in given.items()}


def _rule(column: str, rule: Any) -> str:
    if isinstance(rule, str) and rule.strip() in DATES:
        return rule.strip()
    parts = rule.split("|") if isinstance(rule, str) else several(rule)
    borders = [number(one) if isinstance(one, str) else _real(one) for one in parts]
    known = [one for one in borders if one is not None]
    if isinstance(rule, Set):
        known.sort()
    if len(known) < len(borders) or bins.problems(column, known):
        raise BadOption(
            f"The bins of {column} are {_shown(rule)}, not numbers in order.",
            mend=f"Write --bins {column}=30|50 for numbers, {column}=year or {column}=decade for dates.",
        )
    return "|".join(str(text_of(one)) for one in known)


def signs(given: object) -> dict[str, list[str]]:
    """The declared signs of missing values by column, those of every column by the name "".

    A text is ``COL=VALUE|VALUE``, or ``VALUE,VALUE`` for every column; a mapping gives values by column, and
    values of other types are named as groups are.

    Raises:
        BadOption: nothing is declared, or what is no value.
    """
    made: dict[str, list[str]] = defaultdict(list)
    if isinstance(given, Mapping):
        for name, values in given.items():
            found = [_named(one) for one in several(values)]
            if not isinstance(name, str) or not found or None in found:
                raise refused("missing", given, f"{_MISSING} None and NaN are missing in any case.")
            made[str(name)].extend(str(one) for one in found)
        return dict(made)
    for one in several(given):
        name, values = _sign(one) if isinstance(one, str) else (EVERYWHERE, [_named(one)])
        if None in values:
            raise refused("missing", given, _MISSING)
        made[name].extend(str(value) for value in values)
    return dict(made)


def _sign(given: str) -> tuple[str, Iterable[str | None]]:
    head, *rest = quoting.pieces(given, "=")
    name = quoting.plain(head) if rest else EVERYWHERE
    values = quoting.names("=".join(rest), "|") if rest else quoting.names(given)
    if not values or (rest and not name):
        raise BadOption(
            f"{given!r} declares no value.",
            mend="Write --missing age=-999 (several with |), or --missing unknown for every column.",
        )
    return name, list(values)
