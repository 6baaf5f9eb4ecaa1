"""Making the control models of one verification: measured, stored as cells, and placed look by look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from evenhand.benchmarks import Benchmark
from evenhand.models import Model, OpenModel
from evenhand.records import ControlResult, TrainingExample, Value, digest
from evenhand.studies import control_models
from evenhand.studies.cells import Cells
from evenhand.studies.control import SHAM
from evenhand.studies.control_models import Recipe
from evenhand.studies.forecast import Clock
from evenhand.studies.looks import Search, look
from evenhand.studies.options import Extent
from evenhand.studies.pairing import ControlModel, ModelMeasurements
from evenhand.studies.shift import TEXT, Shift, size_of
from evenhand.studies.verdict import Case, Controlled

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


@dataclass
class Made:
    """The control models of a run so far, by family, each with the key of all that determines it.

    Another treated model of the same run that changed the same parameters uses them as well.
    """

    models: dict[str, dict[tuple[str, float, int], ControlModel]] = field(default_factory=dict)

    def note(self, family: str, key: str, model: ControlModel) -> None:
        """Keep a model for further treated models."""
        self.models.setdefault(family, {})[key, model.dose, model.seed] = model

    def of(self, family: str, key_of: Callable[[float, int], str]) -> list[ControlModel]:
        """The models of a family whose key is `key_of` their dose and seed."""
        kept = self.models.get(family, {})
        return [model for (key, dose, seed), model in kept.items() if key == key_of(dose, seed)]


@dataclass(frozen=True)
class Controlling:
    """The control models of one treated model.

    `bias` and `capability` are the benchmarks that they are measured on, `case` the treated model beside its
    base, `examples` what the treatment was fitted on, and `shift` what measures sizes of change, with that of
    the treated model in `size`; None where no size can be measured. `made` are the models that were made for
    other treated models of the run, and takes in those of this one.
    """

    model: OpenModel
    cells: Cells
    treatment: Treatment
    case: Case
    examples: Sequence[TrainingExample]
    bias: Sequence[Benchmark]
    capability: Sequence[Benchmark]
    extent: Extent
    shift: Shift | None = None
    size: Value = None
    clock: Clock = field(default_factory=Clock)
    made: Made = field(default_factory=Made)

    def run(self) -> Controlled:
        """The models that the verdict needs, of every family that can be made; none where none is needed."""
        found, absent = control_models.recipes(
            self.model, self.treatment, self.extent, self.examples, seed=self.cells.seed
        )
        if not found or not self.case.undecided():
            return Controlled({}, True, absent, self.size)
        shammed = any(recipe.family == SHAM for recipe in found)
        target = self.case.target(self.size)
        searches = [
            Search(
                recipe.family,
                recipe.control.ladder,
                target,
                recipe.by_recipe,
                self.cells.seed,
                lambda dose, seed, recipe=recipe: self._size(recipe, dose, seed),  # type: ignore[misc]
                lambda dose, seed, recipe=recipe: self._measured(recipe, dose, seed),  # type: ignore[misc]
                self.case.losses.of,
                over=self.clock.over,
            )
            for recipe in found
        ]
        for search, recipe in zip(searches, found, strict=True):
            search.adopt(self.made.of(recipe.family, partial(self._key, recipe)))

        def so_far() -> Controlled:
            failed = [
                f"{control_models.absent_of(search.name)}: {search.failed}"
                for search in searches
                if search.failed and not search.models
            ]
            families = {search.name: search.models for search in searches if search.models}
            return Controlled(families, shammed, (*absent, *failed), self.size)

        def read() -> ControlResult | None:
            return self.case.control(so_far(), self.case.primary)

        look(searches, control_models.looks(self.extent), read)
        for search, recipe in zip(searches, found, strict=True):
            for model in search.models:
                self.made.note(search.name, self._key(recipe, model.dose, model.seed), model)
        return so_far()

    def _enter(self, recipe: Recipe, dose: float, seed: int) -> AbstractContextManager[Model]:
        return recipe.made(self.model, dose, seed).applied(self.model)

    def _size(self, recipe: Recipe, dose: float, seed: int) -> Value:
        if self.shift is None:
            return None
        self.shift.ready()  # before anything is applied to the base
        with self._enter(recipe, dose, seed) as changed:
            return self.shift.size(changed)

    def _key(self, recipe: Recipe, dose: float, seed: int) -> str:
        """The key of everything that determines a control model."""
        identity = recipe.identity(self.model, dose, seed)
        return digest("control", identity, [example.id for example in self.examples])

    def _measured(self, recipe: Recipe, dose: float, seed: int) -> tuple[ModelMeasurements, Value]:
        """A control model's measurements, from the store where they are there already, and its size."""
        key = self._key(recipe, dose, seed)

        def enter() -> AbstractContextManager[Model]:
            return self._enter(recipe, dose, seed)

        taken = self.cells.treated([*self.bias, *self.capability], key, enter)
        n, size = len(self.bias), None
        if self.shift is not None:
            size = size_of(self.cells.shifted(self.shift, key, enter, (TEXT,)))
        recipe.measured()
        return ModelMeasurements(taken[:n], taken[n:]), size
