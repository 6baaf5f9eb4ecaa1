"""A printed cell: its number, how finely it is printed, and the change in parentheses behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from evenhand.frames.values import is_missing

MOST_PLACES = 9  # of a number as a computer wrote it; what lies beyond is no rounding of anyone's
_SLACK = 1e-9
_NUMBER = r"(?:\d{1,3}(?:[ ,\u00a0\u202f]\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?"
_CELL = re.compile(rf"([<>≤≥~≈]?)\s*([+-]?)({_NUMBER})\s*(%?)\s*(.*)", re.DOTALL)
_CHANGE = re.compile(rf"^\(\s*([+-])\s*({_NUMBER})\s*(%?)\s*\)$")
_ENDS = re.compile(
    rf"^[(\[]\s*(?:95\s*%\s*CI\s*:?\s*)?([+-]?)({_NUMBER})\s*%?\s*(?:[,;]|to|-)\s*([+-]?)({_NUMBER})\s*%?\s*[)\]]$",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"</?[A-Za-z]+>|[*_†‡§$\\↑↓]"
)  # bold, italics, daggers: how a figure is set, not what it is


@dataclass(frozen=True)
class Figure:
    """A number as printed.

    Attributes:
        value: the number.
        places: its decimals; `half` is the most by which rounding moved it.
        percent: whether a percent sign stands behind it.
        change: the signed number in parentheses behind it, None without one.
        ends: the two numbers in brackets behind it, as of an interval, None without them.
    """

    value: float
    places: int
    percent: bool = False
    change: Figure | None = None
    ends: tuple[Figure, Figure] | None = None

    @property
    def half(self) -> float:
        """Half a unit of the last printed decimal."""
        return float(0.5 * 10.0**-self.places) + _SLACK * max(1.0, abs(self.value))

    @property
    def low(self) -> float:
        """The least number that is printed so."""
        return self.value - self.half

    @property
    def high(self) -> float:
        """The greatest number that is printed so."""
        return self.value + self.half

    @property
    def text(self) -> str:
        """The number with its decimals."""
        return f"{self.value:.{self.places}f}"

    @property
    def digits(self) -> int:
        """How many digits two unlike results would have to share by chance; 0, 1 and 100 are likely ones."""
        if self.value in (0.0, 1.0, 100.0) or abs(self.value - 1.0) < 2 * 10.0**-self.places:
            return 0
        whole = str(abs(int(self.value))).lstrip("0")
        return len(whole) + self.places

    def refined(self, places: int) -> Figure:
        """The same number with more decimals: a program leaves out the zeros at the end."""
        return replace(self, places=max(self.places, places))


def figure(text: str) -> Figure | None:
    """What is printed in a cell, None where it is no single number (a word, a mark, ``<0.01``, missing)."""
    plain = _MARKS.sub("", text.replace("\u2212", "-").replace("\u2013", "-")).strip()
    if is_missing(plain):
        return None
    found = _CELL.fullmatch(plain)
    if not found or found[1] or not found[3]:
        return None
    rest = found[5].strip()
    change = _CHANGE.match(rest)
    if rest and not change and not rest.startswith(("±", "(", "[")):
        return None
    behind = _read(change[1], change[2], change[3]) if change else None
    read = _read(found[2], found[3], found[4])
    return None if read is None else replace(read, change=behind, ends=_ends(rest))


def _ends(rest: str) -> tuple[Figure, Figure] | None:
    found = _ENDS.match(rest)
    if not found or not found[2] or not found[4]:
        return None
    low, high = _read(found[1], found[2], ""), _read(found[3], found[4], "")
    return None if low is None or high is None else (low, high)


def _read(sign: str, number: str, percent: str) -> Figure | None:
    digits = re.sub(r"[ ,\u00a0\u202f]", "", number)
    try:
        value = float(digits)
    except ValueError:
        return None
    _, _, decimals = digits.partition(".")
    places = len(decimals) if "e" not in digits.lower() else MOST_PLACES
    if places > MOST_PLACES:  # such as .4270000000000001, which is .427
        value = round(value, MOST_PLACES)
        decimals = f"{value:.{MOST_PLACES}f}".partition(".")[2].rstrip("0")
        places = len(decimals)
    return Figure(-value if sign == "-" else value, places, bool(percent))
