"""Where the tokens of an echoed text begin, counted in bytes: a token may be a part of a character.

Servers write such a token as U+FFFD, as ``bytes:\\xc3``, as ``<0xC3>``, or as an empty text, with the whole
character at the last of its tokens. The number of bytes of a U+FFFD only follows from the tokens around it,
so a token may have several possible positions; this module determines whether the result depends on them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNKNOWN = "\ufffd"
_ESCAPED = "bytes:"
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
_BYTE = re.compile(r"<0x([0-9a-fA-F]{2})>")

Places = list[frozenset[int]]


def partial(token: str) -> bool:
    """Whether a token may be only a part of a character."""
    return _UNKNOWN in token or token.startswith(_ESCAPED) or _BYTE.fullmatch(token) is not None


def places(tokens: Sequence[str], text: str, *, written: int = 1) -> Places | None:
    """For each token that makes up `text`, the bytes at which it may begin.

    Tokens beyond the text are left out; about `written` of them are expected. None where the tokens do not
    spell the text, or it is not certain how many of them do.
    """
    data = text.encode("utf-8", "surrogatepass")
    reached = [{0}]
    for token in tokens:
        after = {end for start in reached[-1] for end in _ends(token, data, start)}
        if not after:
            break
        reached.append(after)
    # A token with an empty text belongs to the token after it.
    ends = [n for n, found in enumerate(reached) if len(data) in found and (n == 0 or tokens[n - 1])]
    expected = len(tokens) - written
    if not ends or (len(ends) > 1 and expected not in ends):
        return None
    count = ends[0] if len(ends) == 1 else expected
    possible = [{len(data)}]
    for number in range(count - 1, -1, -1):
        before = reached[number]
        possible.append({s for s in before if possible[-1] & set(_ends(tokens[number], data, s))})
    return [frozenset(found) for found in reversed(possible[1:])]


def first_at(found: Places, place: int) -> int | None:
    """The index of the first token that certainly begins at byte `place`; None if there is none."""
    return next((number for number, at in enumerate(found) if at == {place}), None)


def _ends(token: str, data: bytes, start: int) -> list[int]:
    """The bytes at which `token` may end if it begins at `start`; empty if it does not fit there."""
    if not partial(token):
        return _literal(token.encode("utf-8", "surrogatepass"), data, start)
    if byte := _BYTE.fullmatch(token):
        ends = _literal(bytes.fromhex(byte.group(1)), data, start)
    elif token.startswith(_ESCAPED):
        ends = _literal(_unescaped(token.removeprefix(_ESCAPED)), data, start)
    else:
        ends = _with_unknown(token, data, start)
    return sorted({*ends, *_literal(token.encode(), data, start)})


def _literal(wanted: bytes, data: bytes, start: int) -> list[int]:
    return [start + len(wanted)] if data.startswith(wanted, start) else []


def _unescaped(text: str) -> bytes:
    """The bytes that ``bytes:...`` shows: escapes, and literal characters."""
    parts = _ESCAPE.split(text)
    return b"".join(
        bytes.fromhex(part) if number % 2 else part.encode("utf-8", "surrogatepass")
        for number, part in enumerate(parts)
    )


def _with_unknown(token: str, data: bytes, start: int) -> list[int]:
    ends = {start}
    for sign in token:
        step = _unknown if sign == _UNKNOWN else None
        wanted = sign.encode("utf-8", "surrogatepass")
        ends = {e for s in ends for e in (step(data, s) if step else _literal(wanted, data, s))}
    return sorted(ends)


def _unknown(data: bytes, start: int) -> list[int]:
    """Where one U+FFFD may end: it stands for some, never all, of the bytes of one multi-byte character."""
    begin = start
    while begin > 0 and begin < len(data) and data[begin] & 0xC0 == 0x80:
        begin -= 1
    if begin >= len(data) or data[begin] < 0x80:
        return []
    stop = begin + 1
    while stop < len(data) and data[stop] & 0xC0 == 0x80:
        stop += 1
    return [end for end in range(start + 1, stop + 1) if end - start < stop - begin]
