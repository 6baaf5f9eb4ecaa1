"""What a reproduction will run on a model: which treatments, which benchmarks, and what it leaves out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evenhand.errors import BadModel, EvenhandError, UnknownName
from evenhand.opening import check_name, opened
from evenhand.records import ModelSpec
from evenhand.reproductions.evidence import Missing, made, specs
from evenhand.reproductions.published import Row, Table
from evenhand.reproductions.recipe import Recipe, on_lab
from evenhand.studies import defaults
from evenhand.studies.ahead import sampled
from evenhand.studies.grid.checking import checked
from evenhand.studies.grid.planning import study_plan
from evenhand.studies.options import VerifyOptions
from evenhand.studies.plan import elsewhere
from evenhand.toml import as_toml


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks of a reproduction beside the source and the model; see `VerifyOptions`.

    `known_as` is the source's name of the model, for a copy that is not known by its name on the hub.
    """

    table: str | None = None
    known_as: str | None = None
    limit: int | None = None
    budget: float | None = None
    control: str = "none"


@dataclass(frozen=True)
class Prepared:
    """What will run.

    Attributes:
        recipe: of the source.
        model: as it was opened; of a model elsewhere only name and family.
        tables: those to reproduce.
        treatments: specs, in the order of the tables.
        studied: the benchmarks that are measured before and after each treatment, `capability` those beside.
        measured: the benchmarks that are measured on the untreated model alone.
        absent: why a benchmark of a table is not measured, by its spec.
    """

    recipe: Recipe
    model: ModelSpec
    tables: tuple[Table, ...]
    treatments: tuple[str, ...]
    studied: tuple[str, ...]
    capability: tuple[str, ...]
    measured: tuple[str, ...]
    asked: Asked
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def places(self) -> Mapping[str, str]:
        """What stands for each ``{...}`` of a benchmark's spec."""
        return self.recipe.places(self.model)

    @property
    def known_as(self) -> str:
        """The source's name of the model; empty where it is none of its models."""
        return self.asked.known_as or self.recipe.published.model_of(self.model.uri)

    def rows(self, table: Table) -> list[Row]:
        """The rows of a table whose treatment suits the model."""
        return [row for row in table.rows if not row.treatment or self.recipe.fits(row, self.model)]

    def study_text(self, spent: float = 0.0) -> str:
        """The study file that runs the treatments, with what is left of the budget once `spent` minutes are
        gone, at least so much that one is begun; empty where there are no treatments.
        """
        if not self.treatments:
            return ""
        asked, least = self.asked, len(self.treatments) / 60
        budget = None if asked.budget is None else max(asked.budget - spent, least)
        values: dict[str, Any] = {
            "models": [self.model.uri],
            "mitigations": list(self.treatments),
            "benchmarks": list(self.studied),
            "capability": list(self.capability),
            "control": asked.control,
            "limit": asked.limit,
            "budget": budget,
        }
        return as_toml(values)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Minutes that a reproduction takes, from the least to the most; None and why where it is not known."""

    low: float | None
    high: float | None
    why: str = ""


def check(recipe: Recipe, uri: str, asked: Asked) -> None:
    """Refuse what nobody can reproduce, before any model is looked for.

    Raises:
        UnknownName: there is no such table, or no such model of the source.
        UsageError: the model's name cannot be used as written.
    """
    recipe.published.chosen(asked.table)
    if asked.known_as is not None and asked.known_as not in recipe.published.models:
        raise UnknownName(f"model of {recipe.published.short}", asked.known_as, recipe.published.models)
    check_name(recipe.published.uri_of(uri))


def prepared(recipe: Recipe, uri: str, asked: Asked, *, look: bool = True) -> Prepared:
    """What reproducing the tables will run on the model `uri`; with `look` it is opened, to know what it is.

    Raises:
        UnknownName: there is no such table, or no such model of the source.
        BadModel: the source's methods do not fit models of this family.
        EvenhandError: the model cannot be opened.
    """
    check(recipe, uri, asked)
    tables, uri = recipe.published.chosen(asked.table), recipe.published.uri_of(uri)
    model = _opened(uri) if look or not elsewhere(uri) else _guessed(uri)
    if model.family not in recipe.families:
        raise BadModel(
            f"The tables of {recipe.published.short} are about {' and '.join(recipe.families)} models, and "
            f"{uri} is a {model.family} model. {recipe.unfit}",
            mend=f"Name another model, such as lab:{recipe.families[0]}.",
        )
    return _of(recipe, model, tables, asked)


def _opened(uri: str) -> ModelSpec:
    with opened(uri) as model:
        return model.spec


def _guessed(uri: str) -> ModelSpec:
    """A model that is not on this machine: T5's name tells its family."""
    return ModelSpec(uri, "", "seq2seq" if "t5" in uri.lower() else "causal")


def _of(recipe: Recipe, model: ModelSpec, tables: Sequence[Table], asked: Asked) -> Prepared:
    absent: dict[str, str] = {}
    treatments: list[str] = []
    studied: list[str] = []
    capability: list[str] = []
    measured: list[str] = []
    for table in tables:
        fitting = [row for row in table.rows if not row.treatment or recipe.fits(row, model)]
        treats = any(row.treatment for row in fitting)
        treatments += [row.treatment for row in fitting if row.treatment]
        for spec in _wanted(recipe, model, table, fitting):
            why = absent[spec] if spec in absent else _unfit(spec, model)
            if why:
                absent[spec] = why
            elif made(spec).role == "capability":
                capability.append(spec)
            else:
                (studied if treats else measured).append(spec)
    if treatments:
        studied += recipe.benchmarks(model)
        studied = studied or list(defaults.treated_bias(model.uri))
        capability = [*defaults.capability(model.uri, studied), *capability]
    return Prepared(
        recipe,
        model,
        tuple(tables),
        _once(treatments),
        _once(studied),
        _once(capability),
        tuple(spec for spec in _once(measured) if spec not in studied),
        asked,
        absent,
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _wanted(recipe: Recipe, model: ModelSpec, table: Table, rows: Sequence[Row]) -> list[str]:
    """The specs of the benchmarks that a table's figures are of, as far as there are any."""
    found: list[str] = []
    for row in rows:
        for key in table.columns:
            column = recipe.published.columns[key]
            on = column.on or row.on
            if not on or column.absent or (column.hub and on_lab(model)):
                continue
            with suppress(Missing):
                found += specs(on, recipe.places(model), 1 if column.on else table.draws)
    return list(_once(found))


def _unfit(spec: str, model: ModelSpec) -> str:
    """Why a benchmark is not measured here, a clause; empty where it is."""
    try:
        found = made(spec)
        found.ready()
    except EvenhandError as error:
        return f"{error.what} {error.mend}".rstrip(".")
    families = found.card.families
    return "" if model.family in families else f"{found.card.name} fits {' and '.join(families)} models"


def forecast(ready: Prepared) -> Forecast:
    """How long it will take if nothing is stored yet; a model elsewhere is neither fetched nor asked.

    Raises:
        EvenhandError: the model cannot be asked.
    """
    why = elsewhere(ready.model.uri)
    if why:
        return Forecast(None, None, why)
    low = high = 0.0
    if ready.measured:
        options = VerifyOptions(limit=ready.asked.limit)
        benchmarks = [made(spec) for spec in ready.measured]
        with options.opened(ready.model.uri) as model:
            low = high = sampled(model, benchmarks, (), "", options).seconds / 60
    if ready.treatments:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{ready.recipe.name}.toml"
            path.write_text(ready.study_text(), encoding="utf-8")
            for planned in study_plan(checked(path)):
                low, high = low + planned.low, high + planned.high
    return Forecast(low, high)
