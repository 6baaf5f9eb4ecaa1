"""Numbers as text for people: all rounding is done here, and a rounded zero has no minus sign."""

from __future__ import annotations

UNDEFINED = "undefined"
MINUS = "−"
DIGITS = 15  # significant ones that every number of double precision keeps


def fixed(value: float | None, places: int = 3, *, signed: bool = False) -> str:
    """`value` with `places` decimals, thousands apart; ``undefined`` for None.

    What rounds to zero has no sign (never ``-0.000``); `signed` shows a plus before what rounds to more.
    """
    if value is None:
        return UNDEFINED
    text = f"{abs(value):,.{places}f}".replace(",", " ")
    return sign(0.0 if not text.strip("0. ") else value, signed=signed) + text


def significant(value: float | None, digits: int = 3) -> str:
    """`value` with `digits` significant digits, such as ``0.0042``; ``undefined`` for None."""
    return UNDEFINED if value is None else f"{value:.{digits}g}"


def number(value: float | None, *, signed: bool = False) -> str:
    """A figure with about three significant digits; ``undefined`` for None; `signed` shows a plus sign."""
    if value is None:
        return UNDEFINED
    size = abs(value)
    if size != 0 and (size < 0.0001 or size >= 1e6):
        return sign(value, signed=signed) + f"{size:.2e}"
    if 0 < size < 0.001:
        return sign(value, signed=signed) + significant(size, 2)
    return fixed(value, 3 if size < 10 else 1 if size < 1000 else 0, signed=signed)


def percent(share: float | None, *, signed: bool = False) -> str:
    """A share in percent without decimals, such as ``−83 %``; ``undefined`` for None."""
    return UNDEFINED if share is None else f"{fixed(100 * share, 0, signed=signed)} %"


def sign(value: float, *, signed: bool = False) -> str:
    """The sign of `value` as text: a minus, nothing, or with `signed` a plus."""
    return MINUS if value < 0 else "+" if signed and value > 0 else ""
