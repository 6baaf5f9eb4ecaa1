"""Which figures an outside rule asks about: dated data files with their sources.

A profile says what its figures are evidence for. None says that a rule is met: that is for people to judge.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from evenhand.errors import UnknownName

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Profile:
    """What a rule asks about.

    Attributes:
        name, title: in addresses, and for people.
        dated: when the sources were read; what they say may have changed since.
        sources: where the rule stands.
        evidence_for: what its figures are evidence for.
        indicators: those that it shows.
        least: the share of people below which a group is shown and not compared.
        ratio: the impact ratio that the rule names; 0 for none.
        median: whether the rule asks for shares above the median score where a tool scores.
        not_known: what the figures do not show.
    """

    name: str
    title: str
    dated: date
    sources: tuple[str, ...]
    evidence_for: str
    indicators: tuple[str, ...]
    least: float
    ratio: float
    median: bool
    not_known: tuple[str, ...]


@cache
def profiles() -> dict[str, Profile]:
    """Every profile by its name."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        own: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in table.items()
        }
        found[path.stem] = Profile(**own)
    return found


def profile(name: str) -> Profile:
    """The profile of this name.

    Raises:
        UnknownName: there is none.
    """
    if name not in profiles():
        raise UnknownName("profile", name, profiles())
    return profiles()[name]
