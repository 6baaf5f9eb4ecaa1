"""What a value of a table is as the name of a group, and what stands for a missing one."""

from __future__ import annotations

import datetime
import math
import re
from decimal import Decimal
from typing import Any

from evenhand.decimals import DIGITS, significant

BLANKS = frozenset(
    {"", "?", "nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none", "nil", "missing", "-", "--", "."}
)
"""What programs and people write for a missing value, in lower case, without outer spaces."""
BOM = "\ufeff"


def text_of(value: Any) -> str | None:
    """A value as the name of a group; None where it is missing.

    Outer spaces and a byte-order mark are no part of it; 1.0 is "1", and a date is written as in ISO 8601, a
    moment in a time zone by the clock of UTC.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return None if math.isnan(value) else significant(float(value), DIGITS)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)  # engines give a zone or none with it
    if isinstance(value, datetime.date | datetime.datetime):
        return value.isoformat()
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = clean(text)
    return None if is_missing(text) else text


def clean(text: str) -> str:
    """`text` without a byte-order mark and outer spaces."""
    return text.replace(BOM, "").strip()


SPACES = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + BOM
"""All that is a space somewhere, of which engines strip some alone."""


def is_missing(text: str) -> bool:
    """Whether a cell's text stands for a missing value."""
    return text.strip().lower() in BLANKS


def folded(text: str) -> str:
    """What two spellings of one value share: letters without case, single spaces, no full stop at the end."""
    return " ".join(text.casefold().rstrip(".").split())


# Such as a double can hold: PostgreSQL stops at others.
_PLAIN = r"([0-9]{1,200}(\.[0-9]{0,99})?|\.[0-9]{1,99})([eE][-+]?[0-9]{1,2})?"
_POWER = r"([0-9]{1,9}(\.[0-9]{0,20})?|\.[0-9]{1,20})[eE][-+]?[012][0-9]{2}"
NUMBER = rf"[-+]?({_PLAIN}|{_POWER})"
"""The regular expression of what a text has to be to count as a number, in Python and in every engine."""


def number(text: str | None) -> float | None:
    """A cell as a finite number; None where it is none, or one that only some engines hold (e300, e-300)."""
    found = clean(text) if text is not None else ""
    return float(found) if re.fullmatch(NUMBER, found) else None


def day(text: str) -> datetime.date | None:
    """The day of a text that begins with one, as ISO 8601 writes it."""
    try:
        return datetime.date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def looks_like_a_date(text: str) -> bool:
    """Whether a value is a day or a moment, as ISO 8601 or most programs write it."""
    head = text.strip()[:10]
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d"):
        try:
            datetime.datetime.strptime(head, form)
        except ValueError:
            continue
        return True
    return False
