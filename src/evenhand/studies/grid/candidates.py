"""One mitigation of a study: its name in the table, and the settings that a grid offers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand import registry
from evenhand.errors import EvenhandError, did_you_mean
from evenhand.registry import ComponentSpec
from evenhand.studies.methods import made_method

WITH, NAME = "with", "name"
MOST = 64  # settings of one grid: each is fitted and measured before the study proper


@dataclass(frozen=True, slots=True)
class Entry:
    """A mitigation of a study: its `name` in the table and its `specs`, several for a grid."""

    name: str
    specs: tuple[str, ...]

    @property
    def is_grid(self) -> bool:
        """Whether one of several settings has to be chosen."""
        return len(self.specs) > 1


def read_entries(given: object) -> tuple[list[Entry], list[str]]:
    """The mitigations that the file's key ``mitigations`` lists, and every problem in it."""
    if not isinstance(given, list) or not given:
        return [], ['mitigations is no list of them: write mitigations = ["lftf", "prompt"]']
    entries: list[Entry] = []
    problems: list[str] = []
    for number, one in enumerate(given, start=1):
        entry, found = _entry(one)
        problems += [f"mitigation {number}: {text}" for text in found]
        entries += [entry] if entry is not None else []
    names = [entry.name for entry in entries]
    problems += [
        f'two mitigations are named {name!r}: give one of them another name, name = "..."'
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    return entries, problems


def _entry(given: object) -> tuple[Entry | None, list[str]]:
    """One mitigation: a spec, or a table of ``with``, ``name`` and the options of a grid."""
    table: Mapping[str, Any] = given if isinstance(given, Mapping) else {WITH: given}
    spec, name = table.get(WITH), table.get(NAME, "")
    if not isinstance(spec, str) or not isinstance(name, str):
        return None, [f'{given!r} names no method: write "lftf" or {{with = "lftf", lr = [1e-5, 1e-4]}}']
    if problems := _unusable([spec]):
        return None, problems
    base = registry.parse(spec)
    axes = {key: value for key, value in table.items() if key not in (WITH, NAME)}
    problems = [text for key, values in axes.items() for text in _axis(base, key, values)]
    if not problems and (count := math.prod(len(_values(v)) for v in axes.values())) > MOST:
        problems = [f"its grid has {count} settings, and at most {MOST} are tried"]
    if problems:
        return None, problems
    specs = [
        str(ComponentSpec(base.name, {**base.options, **dict(zip(axes, chosen, strict=True))}))
        for chosen in itertools.product(*([_text(v) for v in _values(axis)] for axis in axes.values()))
    ]
    problems = _unusable(specs)
    return (None, problems) if problems else (Entry(name or str(base), tuple(specs)), [])


def _axis(base: ComponentSpec, key: str, given: object) -> list[str]:
    """What is wrong with one option of a grid."""
    kind = "mitigation" if base.name in registry.names("mitigation") else "control"
    known = registry.options(registry.get(kind, base.name))
    if key not in known:
        return [f"{base.name} has no option {key!r}{did_you_mean(key, known)}"]
    if key in base.options:
        return [f"{key} stands in {str(base)!r} and in the grid: write it once"]
    return _wrong_values(key, _values(given))


def _wrong_values(key: str, values: Sequence[Any]) -> list[str]:
    """What is wrong with the values that a grid offers for one option."""
    if not values:
        return [f"{key} = [] offers nothing to choose from"]
    if not all(isinstance(value, str | int | float) for value in values):
        return [f"{key} offers something that is no value, but a list or a table"]
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        return [f"{key} offers a value that is no finite number"]
    texts = [_text(value) for value in values]
    if twice := sorted({text for text in texts if texts.count(text) > 1}):
        return [f"{key} offers {', '.join(twice)} twice"]
    return [f"{key} = {text!r} holds a comma, which separates options" for text in texts if "," in text]


def _values(given: object) -> Sequence[Any]:
    return given if isinstance(given, list) else [given]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unusable(specs: Sequence[str]) -> list[str]:
    """Why specs cannot be made, each reason once."""
    found: dict[str, None] = {}
    for spec in specs:
        try:
            made_method(spec)
        except EvenhandError as error:
            found[f"{error.what} {error.mend}"] = None
    return list(found)
