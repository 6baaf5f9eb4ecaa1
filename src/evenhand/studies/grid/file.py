"""The study file: one TOML that names models, mitigations, benchmarks, seeds and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from evenhand.decimals import significant
from evenhand.errors import BadData, EvenhandError, did_you_mean, listed
from evenhand.files import parse_toml, read_text
from evenhand.studies.grid.candidates import Entry, read_entries
from evenhand.studies.options import RunOptions, VerifyOptions

KEYS: Mapping[str, str] = {
    "models": "the models, each by its name",
    "mitigations": "specs, or tables {with = SPEC, name = NAME, OPTION = [values]}, which are grids",
    "benchmarks": "bias benchmarks; without them, those that suit each model",
    "capability": "capability benchmarks; without them, those that suit each model",
    "control": "how many control models: standard, full, reduced or none",
    "seeds": "the seeds of the fits, or how many there are",
    "margins": "the limits of a verdict: {accuracy = 0.01}",
    "budget": "minutes after which no further cell is begun",
    "primary": "the metric of the verdict",
    "locator": "the locator that chooses blocks",
    "limit": "largest number of items of each benchmark: a trial",
    "dtype": "such as float32",
    "batch_tokens": "token budget of a batch",
}
MARGINS = ("accuracy",)
MEND = "`evenhand validate FILE` lists every problem; docs/studies.md has a whole file."
_PLAIN = ("control", "primary", "locator", "limit", "dtype", "batch_tokens")
_LEAST = 1 / 60  # minutes that a cell takes at least, however small its model


@dataclass(frozen=True)
class StudyFile:
    """A study, read and checked as far as that needs no data and no model.

    Attributes:
        name: the stem of the file, which names the folder of the results.
        models: the models' names.
        mitigations: what is fitted to each of them.
        seeds: the seeds of the fits; a grid is selected with the first.
        options: what all verifications share; its seed, its folder and its budget are not used.
        budget: minutes after which no further cell is begun; None for no limit.
    """

    name: str
    models: tuple[str, ...]
    mitigations: tuple[Entry, ...]
    seeds: tuple[int, ...]
    options: VerifyOptions
    budget: float | None = None

    @property
    def cells(self) -> int:
        """How many verifications it has: models x mitigations x seeds."""
        return len(self.models) * len(self.mitigations) * len(self.seeds)

    @property
    def grids(self) -> Iterator[tuple[str, str]]:
        """A setting is chosen for each of these: the model and the mitigation's name, in the file's order."""
        for uri, entry in product(self.models, self.mitigations):
            yield uri, entry.name

    @property
    def order(self) -> Iterator[tuple[str, str, int]]:
        """The cells in the order of the file: the model, the mitigation's name and the seed of each."""
        for (uri, name), seed in product(self.grids, self.seeds):
            yield uri, name, seed


def read_study(path: Path | str) -> StudyFile:
    """The study in the file `path`; components of its benchmarks are not made yet.

    Raises:
        BadData: the file cannot be read or is not a study; all its problems at once.
    """
    found, problems = examined(load_toml(Path(path)), Path(path).stem)
    if found is None:
        raise BadData(f"{path} is no usable study: {listed(problems)}.", mend=MEND)
    return found


def load_toml(path: Path) -> dict[str, Any]:
    """The table of a TOML file.

    Raises:
        BadData: it cannot be read, or is not TOML.
    """
    text = read_text(path, mend="Name a readable TOML file.")
    try:
        return parse_toml(text)
    except ValueError as error:
        raise BadData(f"{path} cannot be used: it is {error}.", mend="Mend the file.") from None


def examined(table: Mapping[str, Any], name: str) -> tuple[StudyFile | None, list[str]]:
    """The study that `table` describes, None where it has problems; and every problem, each in a clause."""
    problems = [
        f"there is no key {key!r}{did_you_mean(key, KEYS)}; the keys are {', '.join(KEYS)}"
        for key in table
        if key not in KEYS
    ]
    models = _texts(table, "models", problems)
    if not models:
        problems.append('models is missing or empty: write models = ["lab:causal"]')
    entries, wrong = read_entries(table.get("mitigations"))
    problems += wrong
    seeds = _seeds(table.get("seeds", [0]), problems)
    given = table.get("mitigations")
    listed_ones = len(given) if isinstance(given, list) else 0
    budget = _budget(table.get("budget"), len(models) * listed_ones * max(1, len(seeds)), problems)
    options = _options(table, problems)
    if problems or options is None:
        return None, problems
    return StudyFile(name, models, tuple(entries), seeds, options, budget), []


def _texts(table: Mapping[str, Any], key: str, problems: list[str]) -> tuple[str, ...]:
    given = table.get(key, [])
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        problems.append(f"{key} = {given!r} is no list of texts")
        return ()
    twice = sorted({text for text in texts if texts.count(text) > 1})
    problems += [f"{key} names {text} twice" for text in twice]
    return tuple(texts)


def _seeds(given: object, problems: list[str]) -> tuple[int, ...]:
    whole = isinstance(given, int) and not isinstance(given, bool)
    values: Sequence[Any] = range(given) if whole else given if isinstance(given, list) else ()  # type: ignore[call-overload]
    if not len(values) or len(set(map(str, values))) < len(values):
        problems.append(f"seeds = {given!r} is neither a list of different seeds nor how many there are")
        return ()
    for value in values:
        _try(lambda value=value: RunOptions(seed=value), problems)  # type: ignore[misc]
    return tuple(values)


def _budget(given: object, cells: int, problems: list[str]) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < float("inf"):
        problems.append(f"budget = {given!r} is not a time: write minutes above 0, such as 120")
        return None
    if given < cells * _LEAST:
        problems.append(
            f"a budget of {given:g} minutes leaves {significant(60 * given / cells, 2)} seconds "
            f"for each of {cells} cells"
        )
    return float(given)


def _options(table: Mapping[str, Any], problems: list[str]) -> VerifyOptions | None:
    """The shared options; each wrong one is a problem of its own."""
    given = {key: table[key] for key in _PLAIN if key in table}
    given |= {key: _texts(table, key, problems) for key in ("benchmarks", "capability")}
    margins = table.get("margins", {})
    if not isinstance(margins, Mapping):
        problems.append(f"margins = {margins!r} is no table: write margins = {{accuracy = 0.01}}")
        margins = {}
    for key in margins:
        if key not in MARGINS:
            problems.append(f"margins has no limit {key!r}{did_you_mean(key, MARGINS)}: it takes accuracy")
    if "accuracy" in margins:
        given["margin"] = margins["accuracy"]
    before = len(problems)
    for key, value in given.items():
        _try(lambda key=key, value=value: VerifyOptions(**{key: value}), problems)  # type: ignore[misc]
    return VerifyOptions(**given) if len(problems) == before else None


def _try(make: Callable[[], object], problems: list[str]) -> None:
    try:
        make()
    except EvenhandError as error:
        problems.append(f"{error.what} {error.mend}")
