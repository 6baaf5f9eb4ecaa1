"""What a study would be refused for before any weights load: components, data, grids, contaminated cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadData, EvenhandError, listed
from evenhand.opening import check_name
from evenhand.studies import defaults
from evenhand.studies.grid.file import MEND, StudyFile, examined, load_toml
from evenhand.studies.grid.selection import Dev, dev_of
from evenhand.studies.methods import made_method
from evenhand.studies.plan import Parts, Plan, planned
from evenhand.studies.primary import of_benchmarks
from evenhand.studies.trained_on import trained_on
from evenhand.studies.training_data import check_apart

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planned:
    """What one verification of a study would run, for each seed, and what that is made of; `settings` are
    those of its grid.
    """

    model: str
    mitigation: str
    settings: int
    plan: Plan
    parts: Parts


@dataclass(frozen=True)
class Checked:
    """A study without a problem that can be told before a model is opened, and its verifications."""

    study: StudyFile
    planned: tuple[Planned, ...]


def check(path: Path) -> tuple[Checked | None, list[str]]:
    """The study in the file `path`, None where it has problems; and every problem, each in a clause.

    Raises:
        BadData: the file cannot be read, or is not TOML.
    """
    table = load_toml(path)
    study, problems = examined(table, path.stem)
    problems += _named(table)
    if study is None or problems:
        return None, list(dict.fromkeys(problems))
    plans, problems = _planned(study)
    return (None if problems else Checked(study, tuple(plans))), problems


def checked(path: Path) -> Checked:
    """The study in the file `path`, without a problem that can be told without opening a model.

    Raises:
        BadData: it has some; all of them at once.
    """
    found, problems = check(path)
    if found is None:
        raise BadData(f"{path} is no usable study: {listed(problems)}.", mend=MEND)
    return found


class _Problems(dict[str, None]):
    """Problems in the order in which they were met, each once."""

    def tried(self, work: Callable[[], T], where: str = "") -> T | None:
        """What `work` gives; None where it is refused, which is a problem."""
        try:
            return work()
        except EvenhandError as error:
            self[f"{where}{error.what} {error.mend}".rstrip(".")] = None
        return None


def _named(table: Mapping[str, Any]) -> list[str]:
    """Every problem of the names in a study file, whatever else is wrong with it."""
    found = _Problems()

    def texts(key: str) -> list[str]:
        given = table.get(key, [])
        return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]

    for uri in texts("models"):
        found.tried(partial(check_name, uri), "models: ")
    for spec in texts("locator"):
        found.tried(partial(registry.create, "locator", spec), "locator: ")
    for key in ("benchmarks", "capability"):
        for text in texts(key):
            for spec in found.tried(partial(registry.spec_texts, text), f"{key}: ") or ():
                found.tried(partial(registry.create, "benchmark", spec), f"{key}: ")
    return list(found)


def _planned(study: StudyFile) -> tuple[list[Planned], list[str]]:
    """What the study would run, and every problem of its data, each once."""
    found, plans = _Problems(), []
    for uri, entry in product(study.models, study.mitigations):
        where, spec = f"{entry.name}: ", entry.specs[0]
        made = found.tried(partial(planned, uri, spec, study.options), where)
        if made is None:
            continue
        plans.append(Planned(uri, entry.name, len(entry.specs), *made))
        found.tried(partial(_apart, study, uri, spec), where)
        if entry.is_grid:
            found.tried(partial(_dev, study, uri), where)
    return plans, list(found)


def _dev(study: StudyFile, uri: str) -> Dev:
    return dev_of(*source(study, uri))


def _apart(study: StudyFile, uri: str, spec: str) -> None:
    """Refuse a cell whose mitigation would train on what is measured.

    Raises:
        UsageError: it would.
    """
    bias = benchmarks(study, uri)
    check_apart(bias, trained_on(uri, bias, made_method(spec).fits_on, spec).examples)


def benchmarks(study: StudyFile, uri: str) -> list[Benchmark]:
    """The bias benchmarks that the study takes of a model."""
    specs: Sequence[str] = study.options.benchmarks or defaults.treated_bias(uri)
    return [registry.create("benchmark", spec) for spec in specs]


def source(study: StudyFile, uri: str) -> tuple[list[Benchmark], str]:
    """The bias benchmarks of a model, and the metric that its verdicts are about."""
    bias = benchmarks(study, uri)
    return bias, of_benchmarks(bias, study.options.primary)
