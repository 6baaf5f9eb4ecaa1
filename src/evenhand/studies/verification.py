"""The study of one verification, from measurement to verdict; its parts are stored and resumable."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, NoEffect
from evenhand.models import Model, gives_weights
from evenhand.progress import task
from evenhand.provenance import made_by
from evenhand.records import Measurement, TrainingExample, Verification, digest
from evenhand.studies import control_models
from evenhand.studies.cells import Cells
from evenhand.studies.control_models import Planned, planned
from evenhand.studies.fitting import Treating
from evenhand.studies.margins import Margins
from evenhand.studies.options import VerifyOptions
from evenhand.studies.pairing import ControlModel, ModelMeasurements, unlike
from evenhand.studies.store import Store
from evenhand.studies.trained_on import TrainedOn
from evenhand.studies.training_data import usable
from evenhand.studies.verdict import Judgement, incomparable, judge

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Study:
    """One verification: its model, its benchmarks, and the folder where its parts are kept.

    `treating` gives the treated model, `data` the examples that control models are fitted on, and `primary`
    is the metric that the verdict is about.
    """

    model: Model
    treating: Treating
    bias: Sequence[Benchmark]
    capability: Sequence[Benchmark]
    options: VerifyOptions
    folder: Path
    data: TrainedOn
    primary: str
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> Cells:
        """The cells of the model, in the folder of the run."""
        return Cells(self.model, Store(self.folder), self.options.seed, self.options.limit)

    def check(self) -> None:
        """Refuse what would fail later, before anything is measured; the model is not asked.

        Raises:
            UsageError: as for `Treating.check`.
            BadModel: its blocks cannot be found.
        """
        self.treating.check([*self.bias, *self.capability])
        if not self.treating.uncontrolled:
            assert gives_weights(self.model)  # else there is a reason
            control_models.check(self.model, self.options.control, self.data.examples)

    def verification(self) -> Verification:
        """Every part in order; parts that the folder already holds are not made again.

        Raises:
            EvenhandError: as for `evenhand.studies.verbs.verify`.
        """
        self.check()
        before = self._measured(self.cells.base)
        treatment, site = self.treating.treatment()
        key = treatment.digest
        after = self._measured(lambda b: self.cells.treated(b, key, lambda: treatment.applied(self.model)))
        judged, remarks = self._judged(before, after, treatment)
        return Verification(
            verdict=judged.verdict,
            reasons=(*judged.reasons, *remarks),
            model=self.model.spec,
            treatment=self.treating.said,
            seed=self.options.seed,
            before=(*before.bias, *before.capability),
            after=(*after.bias, *after.capability),
            effects=judged.effects,
            capability=judged.capability,
            guards=judged.guards,
            control=judged.control,
            location=site,
            proof={**treatment.about.proof, "details": dict(treatment.about.details), "digest": key},
            limited=any(m.protocol.limited for m in before.bias),
            notes=tuple(note for note in self._notes(before, after) if note not in judged.reasons),
            primary=self.primary,
            uncontrolled=self.treating.uncontrolled,
            remarks=remarks,
            made_by=made_by(self.model.spec),
        )

    def _judged(
        self, before: ModelMeasurements, after: ModelMeasurements, treatment: Treatment
    ) -> tuple[Judgement, tuple[str, ...]]:
        """The judgement, and what to add to its reasons; no control model is made where none can help."""
        why = unlike(before, after)
        if why:
            return incomparable(why), ()
        families: dict[str, list[ControlModel]] = {}
        if not self.treating.uncontrolled:
            families = self._families(treatment, self.data.examples, before.reporting(self.primary))
        judged = judge(
            before,
            after,
            self.treating.uncontrolled or families,
            margins=Margins(accuracy=self.options.margin),
            primary=self.primary,
            seed=self.options.seed,
        )
        return judged, self.treating.remarks(list(families))

    def _notes(self, *measured: ModelMeasurements) -> tuple[str, ...]:
        return (*self.notes, *_notes(*measured))

    def _measured(self, taken: Any) -> ModelMeasurements:
        return ModelMeasurements(tuple(taken(self.bias)), tuple(taken(self.capability)))

    def _families(
        self, treatment: Treatment, examples: Sequence[TrainingExample], source: Measurement | None
    ) -> dict[str, list[ControlModel]]:
        """The control models' measurements on the benchmark of `source`, the one that the verdict is about.

        A dose that is too high to give a model is left out, and so is a family that cannot be fitted on
        `examples`.
        """
        if not gives_weights(self.model) or source is None:
            return {}
        every = planned(self.model, treatment, self.options.control, self.options.seed)
        plan = [one for one in every if usable(one.control, examples)]
        if not plan:
            return {}
        first = [b for b in self.bias if b.name == source.benchmark]
        families: dict[str, list[ControlModel]] = {}
        with task("capability-matched control", len(plan), unit="model") as advance:
            for one in plan:
                with contextlib.suppress(NoEffect, BadModel):
                    measured = self._control(one, examples, first)
                    families.setdefault(one.family, []).append(ControlModel(one.dose, one.seed, measured))
                advance(1)
        return families

    def _control(
        self, one: Planned, examples: Sequence[TrainingExample], first: Sequence[Benchmark]
    ) -> ModelMeasurements:
        key = digest("control", one.identity, [e.id for e in examples])

        def enter() -> AbstractContextManager[Model]:
            assert gives_weights(self.model)  # no control model is planned for others
            return one.made(self.model, examples).applied(self.model)

        taken = self.cells.treated([*first, *self.capability], key, enter)
        return ModelMeasurements(taken[: len(first)], taken[len(first) :])


def _notes(*measured: ModelMeasurements) -> tuple[str, ...]:
    """Every note of the measurements once, marked with before or after where the two differ."""
    said = [dict.fromkeys(note for m in (*r.bias, *r.capability) for note in m.notes) for r in measured]
    common = [note for note in said[0] if all(note in other for other in said)]
    own = [
        f"{when}: {note}"
        for when, notes in zip(("Before", "After"), said, strict=True)
        for note in notes
        if note not in common
    ]
    return (*common, *own)
