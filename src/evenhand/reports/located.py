"""Locations that `evenhand locate --out` stored, for reports."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from evenhand.errors import BadData
from evenhand.files import disk_errors, parse_json
from evenhand.records import Attribution, from_json

FILE = "location.json"


@dataclass(frozen=True, slots=True)
class Located:
    """What a folder of `locate` holds: the model's name, and the locator's answer."""

    uri: str
    location: Attribution


def holds_location(folder: Path) -> bool:
    """Whether the folder holds a stored location."""
    return os.path.lexists(folder / FILE)


def load(folder: Path) -> Located:
    """The stored location of a folder.

    Raises:
        BadData: there is none, or it is damaged.
        NoSpace: it cannot be read.
    """
    import pydantic

    path = folder / FILE
    if not holds_location(folder):
        mend = "`evenhand locate MODEL --with ablation --out FOLDER` makes one."
        raise BadData(f"{folder} holds no {FILE}.", mend=mend)
    with disk_errors(path):
        data = path.read_bytes()
    try:
        body = parse_json(data)
        known = {key: value for key, value in body["location"].items() if key not in ("ranking", "top")}
        found = Located(str(body["uri"]), from_json(Attribution, known))
    except (ValueError, KeyError, TypeError, AttributeError, pydantic.ValidationError) as error:
        why = f"{path} is damaged, or no location of evenhand's."
        raise BadData(why, mend="Run `evenhand locate` again.") from error
    if not found.location.scores:
        raise BadData(f"{path} holds no block.", mend="Run `evenhand locate` again.")
    return found


def beside(folder: Path, own: Attribution | None, named: tuple[Path, ...] = ()) -> tuple[Attribution, ...]:
    """The locations stored in a run's own folder and in the `named` ones, without the run's own location.

    Raises:
        BadData: a named folder holds none, or one is damaged.
    """
    places = ([folder] if holds_location(folder) else []) + list(named)
    found: list[Attribution] = []
    for place in places:
        one = load(place).location
        if one != own and one not in found:
            found.append(one)
    return tuple(found)
