"""The schema version that everything written carries, and how what earlier versions wrote is read.

A schema's number rises when something that is stored changes its form. Every reader has a table of the steps
from one number to the next; what is older goes through them in memory, and its file stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evenhand.errors import BadData

SCHEMA = 2
Steps = Mapping[int, Callable[[Any], Any]]
"""From a schema's number to what makes the body of the next schema out of its own."""


def migrated(body: Any, written: Any, steps: Steps, *, where: Path) -> Any:
    """The `body` that stands in the file `where` in schema `written`, in the form of today's.

    A number without a step left that form as it was.

    Raises:
        BadData: a newer version of evenhand wrote it, or `written` is no schema's number.
    """
    if isinstance(written, bool) or not isinstance(written, int) or written < 1:
        raise BadData(
            f"{where} is damaged: {written!r} is not the number of a schema.",
            mend="Run the command that wrote it again.",
        )
    if written > SCHEMA:
        raise BadData(
            f"{where} was written by a newer evenhand, in schema {written}; this one reads up to {SCHEMA}.",
            mend="Upgrade evenhand.",
        )
    for number in range(written, SCHEMA):
        body = steps.get(number, _unchanged)(body)
    return body


def _unchanged(body: Any) -> Any:
    return body
