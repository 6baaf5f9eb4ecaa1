"""Which texts may be names: of use cases, models, versions, attributes, values, keys and users."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from evenhand.errors import BadOption
from evenhand.monitor.store.tables import NAME

_REFUSED = {"Cc", "Cs"}  # control characters (PostgreSQL stores no NUL) and halves of pairs


def plain(text: str) -> str:
    """`text`, which holds no control character and no half of a pair.

    Raises:
        ValueError: it does.
    """
    if not text.isprintable() and any(unicodedata.category(sign) in _REFUSED for sign in text):
        raise ValueError("control characters cannot be stored")
    return text


def storable(text: str) -> str:
    """`text` of several lines, which holds no NUL and no half of a pair.

    Raises:
        ValueError: it does.
    """
    if "\0" in text or (not text.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in text)):
        raise ValueError("NUL and halves of surrogate pairs cannot be stored")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME), AfterValidator(plain)]
Prose = Annotated[str, StringConstraints(max_length=100_000), AfterValidator(storable)]


def checked_name(text: str, what: str) -> str:
    """`text`, if it can be the name of `what`.

    Raises:
        BadOption: it is empty, too long or holds control characters.
    """
    try:
        if 1 <= len(plain(text)) <= NAME and text.strip():
            return text
    except ValueError:
        pass
    raise BadOption(
        f"{text[:NAME]!r} cannot be the {what}.",
        mend=f"Give 1 to {NAME} characters without control characters.",
    )
