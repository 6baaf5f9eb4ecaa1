"""The study of one verification, from measurement to verdict; its parts are stored and resumable."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, NoEffect
from evenhand.mitigations import Mitigation, refuse
from evenhand.models import Model, gives_weights
from evenhand.progress import task
from evenhand.provenance import made_by
from evenhand.records import Attribution, Measurement, TrainingExample, Verification, digest
from evenhand.studies import control_models
from evenhand.studies.cells import Cells
from evenhand.studies.control_models import Planned, planned
from evenhand.studies.location import check_sites, sites_for
from evenhand.studies.margins import Margins
from evenhand.studies.options import VerifyOptions
from evenhand.studies.pairing import ControlModel, ModelMeasurements
from evenhand.studies.resuming import kept_treatment
from evenhand.studies.store import Store
from evenhand.studies.trained_on import TrainedOn
from evenhand.studies.training_data import check_apart, usable
from evenhand.studies.verdict import judge

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Study:
    """One verification: its model, its method, its benchmarks, and the folder where its parts are kept.

    `data` is what the method fits on, `primary` the metric that the verdict is about.
    """

    model: Model
    method: Mitigation
    bias: Sequence[Benchmark]
    capability: Sequence[Benchmark]
    options: VerifyOptions
    folder: Path
    data: TrainedOn
    primary: str

    @property
    def cells(self) -> Cells:
        """The cells of the model, in the folder of the run."""
        return Cells(self.model, Store(self.folder), self.options.seed, self.options.limit)

    def check(self) -> None:
        """Refuse what would fail later, before anything is measured; the model is not asked.

        Raises:
            UsageError: a test item is among the training examples, or an option of the method suits neither
                the examples nor the model.
            BadModel: its blocks cannot be found.
        """
        examples = self.data.examples
        check_apart([*self.bias, *self.capability], examples)
        refuse(self.method, self.model, examples)
        check_sites(self.model, self.method, examples, self.options)
        if gives_weights(self.model):
            control_models.check(self.model, self.options.control, examples)

    def verification(self, spec: str) -> Verification:
        """Every part in order; parts that the folder already holds are not made again.

        Raises:
            EvenhandError: as for `evenhand.studies.verbs.verify`.
        """
        self.check()
        examples = self.data.examples
        before = self._measured(self.cells.base)
        site = sites_for(self.model, self.method, examples, self.options)
        treatment = self._treatment(examples, site)
        key = treatment.digest
        after = self._measured(lambda b: self.cells.treated(b, key, lambda: treatment.applied(self.model)))
        families = self._families(treatment, examples, before.reporting(self.primary))
        margins = Margins(accuracy=self.options.margin)
        judged = judge(before, after, families, margins=margins, primary=self.primary, seed=self.options.seed)
        return Verification(
            verdict=judged.verdict,
            reasons=judged.reasons,
            model=self.model.spec,
            treatment=str(registry.parse(spec)),
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
            made_by=made_by(self.model.spec),
        )

    def _notes(self, *measured: ModelMeasurements) -> tuple[str, ...]:
        own = (self.data.note,) if self.data.note else ()
        return (*own, *_notes(*measured))

    def _measured(self, taken: Any) -> ModelMeasurements:
        return ModelMeasurements(tuple(taken(self.bias)), tuple(taken(self.capability)))

    def _treatment(self, examples: Sequence[TrainingExample], location: Attribution | None) -> Treatment:
        """The stored treatment if it was fitted to this model with the same options, else a new one."""
        # The key holds the ranking, not the scores: these differ by rounding with the number of threads.
        sites = location.ranking() if location else None
        key = digest(self.model.spec.digest, repr(self.method), self.options.seed, list(examples), sites)
        return kept_treatment(
            self.folder,
            key,
            self.method,
            lambda method: method.fit(self.model, examples, sites=location, seed=self.options.seed),
        )

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
