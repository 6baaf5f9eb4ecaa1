"""Names in a list that a person types, where a name may hold the sign that stands between them.

As in CSV: such a name stands in double quotes, and a double quote within is written twice: ``"a,b",c`` lists
``a,b`` and ``c``. A quote within a bare name, such as ``5"``, is a sign like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from evenhand.errors import BadOption

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_BEFORE = ",;|:="  # after one of these, or at the beginning, a double quote begins a name
MEND = """Write a name that holds a comma, or another sign of the list, in double quotes: '"a,b",c'."""


def pieces(text: str, sign: str) -> list[str]:
    """What stands between the signs that are not quoted, as it is written.

    Raises:
        BadOption: a quote is not closed.
    """
    found, begin, place = [], 0, 0
    while place < len(text):
        if text[place] == '"' and text[:place].rstrip()[-1:] in ("", *_BEFORE):
            match = _QUOTED.match(text, place)
            if match is None:
                raise BadOption(f"{text!r} has a double quote that is not closed.", mend=MEND)
            place = match.end()
            continue
        if text[place] == sign:
            found.append(text[begin:place])
            begin = place + 1
        place += 1
    return [*found, text[begin:]]


def plain(piece: str) -> str:
    """The name that a piece of a list writes, without outer spaces and quotes.

    Raises:
        BadOption: something stands behind the quotes.
    """
    piece = piece.strip()
    if not piece.startswith('"'):
        return piece
    match = _QUOTED.match(piece)
    if match is None or match.end() < len(piece):
        raise BadOption(f"{piece!r} is not one name in double quotes.", mend=MEND)
    return piece[1:-1].replace('""', '"')


def names(text: str, sign: str = ",") -> list[str]:
    """The names in a list; what is empty between two signs is none.

    Raises:
        BadOption: a quote is not closed, or something stands behind it.
    """
    return [name for name in map(plain, pieces(text, sign)) if name.strip()]


def quoted(name: str, signs: str = ",") -> str:
    """A name as it is written where `signs` have a meaning: with quotes where it needs them."""
    bare = name == name.strip() and not any(one in name for one in (*signs, '"'))
    return name if bare else '"' + name.replace('"', '""') + '"'


def listed(of: Iterable[str]) -> str:
    """Names as a list with commas that `names` reads."""
    return ",".join(map(quoted, of))
