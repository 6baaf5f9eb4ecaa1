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
from evenhand.studies.control import SHAM, LossScale
from evenhand.studies.control_models import Recipe
from evenhand.studies.forecast import Clock
from evenhand.studies.looks import Search, in_turn, look
from evenhand.studies.matching import Target
from evenhand.studies.options import Extent
from evenhand.studies.pairing import ControlModel, ModelMeasurements
from evenhand.studies.shift import TEXT, Shift, size_of
from evenhand.studies.verdict import Case, Controlled

if TYPE_CHECKING:
    from evenhand.studies.apart import Apart
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
class Maker:
    """What makes control models of a treatment and measures them.

    `bias` and `capability` are the benchmarks that they are measured on, `examples` what the treatment was
    fitted on, and `shift` what measures sizes of change; None where no size can be measured.
    """

    model: OpenModel
    cells: Cells
    treatment: Treatment
    examples: Sequence[TrainingExample]
    bias: Sequence[Benchmark]
    capability: Sequence[Benchmark]
    extent: Extent
    shift: Shift | None = None

    def recipes(self) -> tuple[tuple[Recipe, ...], tuple[str, ...]]:
        """The families that can be made, and one sentence for each of the others."""
        return control_models.recipes(
            self.model, self.treatment, self.extent, self.examples, seed=self.cells.seed
        )

    def search(self, recipe: Recipe, target: Target, losses: LossScale, clock: Clock) -> Search:
        """The search for models of a family, none of which is made yet."""
        return Search(
            recipe.family,
            recipe.control.ladder,
            target,
            recipe.by_recipe or (recipe.family == SHAM and target.untouched),
            self.cells.seed,
            partial(self._size, recipe),
            partial(self._measured, recipe),
            losses.of,
            over=clock.over,
        )

    def key(self, recipe: Recipe, dose: float, seed: int) -> str:
        """The key of everything that determines a control model."""
        identity = recipe.identity(self.model, dose, seed)
        return digest("control", identity, [example.id for example in self.examples])

    def _enter(self, recipe: Recipe, dose: float, seed: int) -> AbstractContextManager[Model]:
        return recipe.made(self.model, dose, seed).applied(self.model)

    def _size(self, recipe: Recipe, dose: float, seed: int) -> Value:
        if self.shift is None:
            return None
        self.shift.ready()  # before anything is applied to the base
        with self._enter(recipe, dose, seed) as changed:
            return self.shift.size(changed)

    def _measured(self, recipe: Recipe, dose: float, seed: int) -> tuple[ModelMeasurements, Value]:
        """A control model's measurements, from the store where they are there already, and its size."""
        key = self.key(recipe, dose, seed)

        def enter() -> AbstractContextManager[Model]:
            return self._enter(recipe, dose, seed)

        taken = self.cells.treated([*self.bias, *self.capability], key, enter)
        n, size = len(self.bias), None
        if self.shift is not None:
            size = size_of(self.cells.shifted(self.shift, key, enter, (TEXT,)))
        recipe.measured()
        return ModelMeasurements(taken[:n], taken[n:]), size


@dataclass(frozen=True)
class Controlling:
    """The control models of one treated model.

    `case` is the treated model beside its base, `size` the size of its change. `made` are the models that
    were made for other treated models of the run, and takes in those of this one. `apart` makes them in other
    processes; None makes them here.
    """

    maker: Maker
    case: Case
    size: Value = None
    clock: Clock = field(default_factory=Clock)
    made: Made = field(default_factory=Made)
    apart: Apart | None = None

    def run(self) -> Controlled:
        """The models that the verdict needs, of every family that can be made; none where none is needed."""
        recipes, absent = self.maker.recipes()
        if not recipes or not self.case.undecided():
            return Controlled({}, True, absent, self.size)
        shammed = any(recipe.family == SHAM for recipe in recipes)
        target = self.case.target(self.size)
        searches = [self.maker.search(recipe, target, self.case.losses, self.clock) for recipe in recipes]
        for search, recipe in zip(searches, recipes, strict=True):
            search.adopt(self.made.of(recipe.family, partial(self.maker.key, recipe)))

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

        reach = in_turn if self.apart is None else partial(self.apart.reach, self)
        look(searches, control_models.looks(self.maker.extent), read, reach)
        for search, recipe in zip(searches, recipes, strict=True):
            for model in search.models:
                self.made.note(search.name, self.maker.key(recipe, model.dose, model.seed), model)
        return so_far()
