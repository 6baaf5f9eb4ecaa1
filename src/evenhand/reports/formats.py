"""Numbers as text: one way for the command line and for the HTML report. Undefined is ``undefined``."""

from __future__ import annotations

from evenhand.records import Estimate, Value

UNDEFINED = "undefined"
MINUS = "−"


def number(value: Value, *, signed: bool = False) -> str:
    """A figure with about three significant digits; None reads ``undefined``; `signed` shows a plus sign."""
    if value is None:
        return UNDEFINED
    size = abs(value)
    if size != 0 and (size < 0.0001 or size >= 1e6):
        text = f"{size:.2e}"
    elif 0 < size < 0.001:
        text = f"{size:.2g}"
    elif size < 10:
        text = f"{size:.3f}"
    elif size < 1000:
        text = f"{size:.1f}"
    else:
        text = f"{size:,.0f}".replace(",", " ")
    return (MINUS if value < 0 else "+" if signed and value > 0 else "") + text


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """The interval as ``low to high``; a dash where there is none."""
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{number(estimate.low, signed=signed)} to {number(estimate.high, signed=signed)}"


def with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    """The figure and its interval in brackets."""
    if estimate.value is None or estimate.low is None:
        return number(estimate.value, signed=signed)
    return f"{number(estimate.value, signed=signed)} [{interval(estimate, signed=signed)}]"


def percent(value: Value, *, signed: bool = False) -> str:
    """A share as a percentage without decimals; beyond ten times the whole it only says so."""
    if value is None:
        return UNDEFINED
    if abs(value) > 10:
        return f"> {'+' if signed else ''}1000 %" if value > 0 else f"< {MINUS}1000 %"
    rounded = round(100 * value)
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded)} %"


def p_value(value: Value) -> str:
    """A p-value with three decimals; below 0.001 says so; a dash where no test was made."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count(estimate: Estimate) -> str:
    """The number of defined items, and of undefined ones where there are any."""
    return f"{estimate.n}" if not estimate.undefined else f"{estimate.n} ({estimate.undefined} undefined)"
