"""What the lab's recipes share: reading what follows ``lab:`` in a model's name, and naming a recipe."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from evenhand.errors import BadOption, UsageError
from evenhand.lab.truth import Variant

Value = TypeVar("Value")


def split(query: str) -> tuple[str, dict[str, str]]:
    """The kind and its options: ``causal?block=3&seed=7`` gives ("causal", {"block": "3", "seed": "7"}).

    Raises:
        UsageError: an option is not written key=value, or is written twice.
    """
    kind, _, rest = query.partition("?")
    given: dict[str, str] = {}
    for part in rest.split("&") if rest else ():
        key, equals, value = part.partition("=")
        if not equals or not key or not value or key in given:
            raise UsageError(
                f"{part!r} in 'lab:{query}' is not an option.",
                mend="Write key=value&key=value, each key once.",
            )
        given[key] = value
    return kind, given


def known(given: Mapping[str, str], keys: frozenset[str], takes: str) -> None:
    """Refuse options that are not among `keys`; `takes` lists those that exist.

    Raises:
        BadOption: there is no such option.
    """
    unknown = sorted(set(given) - keys)
    if unknown:
        raise BadOption(f"This lab model has no option {unknown[0]!r}.", mend=takes)


def number(given: Mapping[str, str], key: str, default: int, takes: str) -> int:
    """The whole number that `key` was given, or else `default`.

    Raises:
        BadOption: it is not a whole number.
    """
    text = given.get(key, str(default))
    if not text.isdecimal():
        raise BadOption(f"{key}={text} is not a whole number.", mend=takes)
    return int(text)


def share(given: Mapping[str, str], key: str, takes: str) -> float:
    """The share that `key` was given, above 0 and at most 1, or else 1.

    Raises:
        BadOption: it is no such number.
    """
    text = given.get(key, "1")
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found <= 1:
        raise BadOption(f"{key}={text} is no number above 0 and at most 1.", mend=takes)
    return found


def choice(
    given: Mapping[str, str], key: str, values: Mapping[str, Value], default: str, takes: str
) -> Value:
    """The one of `values` that `key` was given, or else that of `default`.

    Raises:
        BadOption: there is no such value.
    """
    text = given.get(key, default)
    if text not in values:
        raise BadOption(f"{key}={text} is not valid; {key} takes {', '.join(values)}.", mend=takes)
    return values[text]


def variant(given: Mapping[str, str], takes: str) -> Variant:
    """What `planted` was given: ``stereotype``, unless it is ``none``.

    Raises:
        BadOption: it is neither.
    """
    planted = given.get("planted", "stereotype")
    if planted == "none":
        return "none"
    if planted != "stereotype":
        raise BadOption(f"planted={planted} is not valid.", mend=takes)
    return "stereotype"


def digest(version: int, recipe: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits that name a recipe (its fields by name) under a version of the code that
    makes it.
    """
    facts = {"version": version, **recipe}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
