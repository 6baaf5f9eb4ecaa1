"""Values that another table writes otherwise: "yes " for "Yes", 1.0 for "1"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evenhand.decimals import DIGITS, significant
from evenhand.frames.values import folded, number

MOST_NAMED = 5


def respelt(here: Iterable[str], there: Iterable[str]) -> dict[str, str]:
    """Which value of this table each value of the other is, among those that this table writes otherwise.

    `here` begins with what is most frequent: of several spellings the first is taken.
    """
    known = list(here)
    plain: dict[str, str] = {}
    for one in known:
        plain.setdefault(_plain(one), one)
    same = set(known)
    return {one: plain[_plain(one)] for one in there if one not in same and _plain(one) in plain}


def told(column: str, changed: Mapping[str, str], *, named: bool = True) -> str:
    """What was taken for one value, in a sentence; empty where nothing was.

    Without `named` no value is shown, as of columns whose values may be of a single row.
    """
    if not changed:
        return ""
    pairs = [f"{there!r} for {here!r}" for there, here in sorted(changed.items())]
    more = f" and {len(pairs) - MOST_NAMED} more" if len(pairs) > MOST_NAMED else ""
    which = f" ({', '.join(pairs[:MOST_NAMED])}{more})" if named else ""
    return (
        f" The other table spells {len(changed)} values of {column} otherwise{which}: they are taken for the "
        f"same here, but not by a model."
    )


def _plain(text: str) -> str:
    value = number(text)
    return folded(text) if value is None else significant(value, DIGITS)
