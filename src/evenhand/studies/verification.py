"""The study of one verification, from measurement to verdict; its parts are stored and resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.benchmarks import Benchmark
from evenhand.models import Model, gives_weights
from evenhand.progress import say
from evenhand.provenance import made_by
from evenhand.records import Measurement, Verification, digest
from evenhand.studies import control_models, quantised
from evenhand.studies.ahead import ahead
from evenhand.studies.cells import Cells
from evenhand.studies.controlling import Controlling, Made, Maker
from evenhand.studies.fitting import Treating
from evenhand.studies.forecast import Clock
from evenhand.studies.margins import Margins
from evenhand.studies.options import VerifyOptions
from evenhand.studies.pairing import ModelMeasurements, unlike
from evenhand.studies.shift import FLAT, NoShift, Shift, contexts, temperature_of, tempered, terms_of
from evenhand.studies.store import Store
from evenhand.studies.trained_on import TrainedOn
from evenhand.studies.verdict import Case, Controlled, Incomparable, Judgement, incomparable

READ = 0.5  # seconds below which the base's measurements were read, not made

if TYPE_CHECKING:
    from evenhand.studies.apart import Apart
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Study:
    """One verification: its model, its benchmarks, and the folder where its parts are kept.

    `treating` gives the treated model, `data` the examples that control models are fitted on, and `primary`
    is the metric that the verdict is about. `further` gives more treated models of the same method, by the
    seeds of their fits. `apart` makes control models in other processes; None makes them here.
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
    further: Mapping[int, Treating] = field(default_factory=dict)
    apart: Apart | None = None

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
        for treating in (self.treating, *self.further.values()):
            treating.check([*self.bias, *self.capability])
        if not self.treating.uncontrolled:
            assert gives_weights(self.model)  # else there is a reason
            control_models.check(self.model, self.options.control, self.data.examples)

    def verification(self) -> Verification:
        """Of the first treated model: every part in order; what the folder already holds is not made again.

        Raises:
            EvenhandError: as for `evenhand.studies.verbs.verify`.
        """
        return self.verifications()[0]

    def verifications(self) -> tuple[Verification, ...]:
        """As `verification`, of every treated model; the base and what their controls share is made once.

        Raises:
            EvenhandError: as for `evenhand.studies.verbs.verify`.
        """
        self.check()
        clock, made = Clock(self.options.budget), Made()
        with clock.timed("base"):
            before = self._measured(self.cells.base)
        self._forecast(clock)
        fits = {self.options.seed: self.treating, **self.further}
        return tuple(
            replace(self, treating=treating, further={})._verification(seed, before, clock, made)
            for seed, treating in fits.items()
        )

    def _verification(self, seed: int, before: ModelMeasurements, clock: Clock, made: Made) -> Verification:
        """The treated model of `treating`, fitted and judged with `seed`."""
        treatment, site = self.treating.treatment()
        key = treatment.digest
        after = self._measured(lambda b: self.cells.treated(b, key, lambda: treatment.applied(self.model)))
        after, shift, unread = self._beside(before, after, treatment)
        judged, remarks = self._judged((before, after), treatment, shift, seed, (clock, made))
        return Verification(
            verdict=judged.verdict,
            reasons=(*judged.reasons, *remarks),
            model=self.model.spec,
            treatment=self.treating.said,
            seed=seed,
            before=(*before.bias, *before.capability),
            after=(*after.bias, *after.capability),
            effects=judged.effects,
            capability=judged.capability,
            guards=judged.guards,
            control=judged.control,
            location=site,
            proof={**treatment.about.proof, "details": dict(treatment.about.details), "digest": key},
            limited=any(m.protocol.limited for m in before.bias),
            notes=tuple(n for n in (*self._notes(before, after), *unread) if n not in judged.reasons),
            primary=self.primary,
            uncontrolled=self.treating.uncontrolled,
            remarks=remarks,
            beside=after.beside,
            made_by=made_by(self.model.spec),
        )

    def _beside(
        self, before: ModelMeasurements, after: ModelMeasurements, treatment: Treatment
    ) -> tuple[ModelMeasurements, Shift | None, tuple[str, ...]]:
        """The treated model with further readings beside it, what measured how far it moved, and notes.

        Only of models that give their weights, and where the two can be compared; a note says why their next
        words cannot. What is stored is read without a model.
        """
        model = self.model
        if not gives_weights(model) or unlike(before, after):
            return after, None, ()
        source = self._source(before)
        key, seed = treatment.digest, self.options.seed
        asked = contexts(model, source, self.bias, seed)
        shift = Shift(model, asked, terms_of(source))
        found: list[Measurement] = []
        notes: tuple[str, ...] = ()
        try:
            found.append(self.cells.shifted(shift, key, lambda: treatment.applied(model)))
            T = temperature_of(found[0])
            texts = quantised.texts_of(self.capability, before)
            if texts is not None:
                fewer = quantised.reading(self.cells, shift, before, texts, self._margins)
                found += [] if fewer is None else [fewer]
            if T is not None and abs(T - 1) > FLAT:
                found += self.cells.treated(
                    [source], digest(key, "tempered"), lambda: tempered(treatment, model, T)
                )
        except NoShift as why:
            notes = () if found else (f"{why.what} {why.mend}",)  # else the temperature alone is not read
        return replace(after, beside=tuple(found)), shift if found else None, notes

    @property
    def _margins(self) -> Margins:
        return Margins(accuracy=self.options.margin)

    def _source(self, before: ModelMeasurements) -> Benchmark:
        """The benchmark that the verdict is about."""
        reporting = before.reporting(self.primary)
        return next(b for b in self.bias if reporting is not None and b.name == reporting.benchmark)

    def _judged(
        self,
        sides: tuple[ModelMeasurements, ModelMeasurements],
        treatment: Treatment,
        shift: Shift | None,
        seed: int,
        controlled: tuple[Clock, Made],
    ) -> tuple[Judgement, tuple[str, ...]]:
        """The judgement, and what to add to its reasons; no control model is made where none can help.

        `sides` are before and after. `controlled` is when control models must end, and those made so far.
        """
        before, after = sides
        why = unlike(before, after)
        if why:
            return incomparable(why), ()
        try:
            case = Case(before, after, self._margins, self.primary, seed)
        except Incomparable as error:
            return incomparable(str(error)), ()
        if self.treating.uncontrolled:
            return case.judged(self.treating.uncontrolled), ()
        controls = self._controls(case, treatment, shift, *controlled)
        return case.judged(controls), self.treating.remarks(list(controls.families))

    def _forecast(self, clock: Clock) -> None:
        """Say how long the rest will take; nothing where the base was read from the store."""
        if clock.parts["base"] < READ or self.treating.uncontrolled:
            return
        found = ahead(
            clock.parts["base"],
            [*self.bias, *self.capability],
            self.data.examples,
            method=getattr(self.treating, "method", None),
            controls=control_models.Asked(
                self.options.control, shammed=getattr(self.treating, "shammed", True)
            ),
            fits=1 + len(self.further),
        )
        say(found.said)

    def _controls(
        self, case: Case, treatment: Treatment, shift: Shift | None, clock: Clock, made: Made
    ) -> Controlled:
        """The control models, measured on the benchmark that the verdict is about and on capability."""
        if not gives_weights(self.model):
            return Controlled()
        maker = Maker(
            self.model,
            self.cells,
            treatment,
            self.data.examples,
            [self._source(case.before)],
            self.capability,
            self.options.control,
            shift,
        )
        return Controlling(maker, case, case.size, clock, made, self.apart).run()

    def _notes(self, *measured: ModelMeasurements) -> tuple[str, ...]:
        return (*self.notes, *_notes(*measured))

    def _measured(self, taken: Any) -> ModelMeasurements:
        return ModelMeasurements(tuple(taken(self.bias)), tuple(taken(self.capability)))


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
