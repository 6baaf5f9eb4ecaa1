"""From measurements to a verdict: gather the evidence, then apply `evenhand.studies.verdict_rule`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from evenhand.errors import NotComparable
from evenhand.metrics import Metric
from evenhand.progress import Advance, task
from evenhand.records import (
    CapabilityResult,
    Check,
    ControlResult,
    Effect,
    GuardName,
    Measurement,
    Value,
    VerdictName,
)
from evenhand.registry import parse
from evenhand.studies.capability import capability_checks
from evenhand.studies.chance import at_chance
from evenhand.studies.control import Families, LossScale, Treated, adjusted, matched_control, target_of
from evenhand.studies.distance import distance_of
from evenhand.studies.effects import effects
from evenhand.studies.further_guards import association_check, balanced_check, rates_checks
from evenhand.studies.guards import (
    group_leans,
    hints_check,
    mass_check,
    moved_checks,
    over_correction_check,
    rest_check,
    scatter_check,
    turned_check,
    unmeasured,
)
from evenhand.studies.margins import Margins
from evenhand.studies.matching import Target
from evenhand.studies.pairing import ModelMeasurements, partner
from evenhand.studies.parts import least
from evenhand.studies.primary import of_measurements
from evenhand.studies.quantised import NAME as QUANTISED
from evenhand.studies.shift import NAME as SHIFT
from evenhand.studies.shift import size_of
from evenhand.studies.verdict_rule import Evidence, decide, not_comparable, undecided

HINT_KINDS = 2  # wordings of a hint that a verdict on a gap of words needs


@dataclass(frozen=True)
class Judgement:
    """A verdict with all its evidence; the fields go into a `Verification`."""

    verdict: VerdictName
    reasons: tuple[str, ...]
    effects: tuple[Effect, ...]
    capability: CapabilityResult
    guards: tuple[Check, ...]
    control: ControlResult | None


@dataclass(frozen=True)
class Controlled:
    """The control models of a verdict, by family; empty where none were made.

    Attributes:
        shammed: whether there is a sham of the treatment's method, which a claim then has to pass.
        absent: one sentence for each family of which no model could be made.
        size: the size of the treated model's change; None where it was not measured.
    """

    families: Families = field(default_factory=dict)
    shammed: bool = True
    absent: tuple[str, ...] = ()
    size: Value = None


def judge(
    before: ModelMeasurements,
    after: ModelMeasurements,
    controls: Controlled | str,
    *,
    margins: Margins | None = None,
    primary: str | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge a treated model against its base, beside its control models.

    Where there could be none, `controls` is the sentence that says why.

    `primary` is the one pre-registered bias metric that the verdict is about, so that no correction for
    several metrics is needed; None for the primary one of the first bias benchmark that has one. The control
    of the groups' leans is adjusted for the number of groups.

    Raises:
        UsageError: no bias benchmark of the run reports the primary metric with an ideal, or none has one.
        NotComparable: a *control* model was measured under other conditions than the base. (For before and
            after this is a verdict, not an error.)
    """
    try:
        case = Case(before, after, margins or Margins(), primary, seed)
        return case.judged(controls)
    except Incomparable as error:
        return incomparable(str(error))


def incomparable(why: str) -> Judgement:
    """The judgement of measurements that cannot be compared."""
    verdict, reasons = not_comparable(why)
    return Judgement(verdict, reasons, (), CapabilityResult(None, ()), (), None)


class Incomparable(Exception):
    """Before and after were not measured alike; the message says how."""


class Case:
    """A treated model beside its base: all evidence but that of control models, gathered once.

    `margins`, `primary` and `seed` as for `judge`.

    Raises:
        UsageError: as for `judge`.
        Incomparable: before and after cannot be compared.
    """

    def __init__(
        self,
        before: ModelMeasurements,
        after: ModelMeasurements,
        margins: Margins,
        primary: str | None,
        seed: int,
    ) -> None:
        self.before, self.after, self.margins, self.seed = before, after, margins, seed
        self.primary = of_measurements(before.bias, primary)
        self.source = next(m for m in [before.reporting(self.primary)] if m is not None)
        self.checked: Advance = lambda amount: None  # called after each check that draws resamples
        try:
            self.effects = effects(
                (*before.bias, *before.capability), (*after.bias, *after.capability), seed=seed
            )
        except NotComparable as error:
            raise Incomparable(str(error)) from None
        with task("weighing the evidence", unit="check", late=True) as self.checked:
            self.evidence = self._evidence(self.effects)

    def undecided(self) -> bool:
        """Whether control models could change the verdict."""
        return undecided(self.evidence)

    def judged(self, controls: Controlled | str) -> Judgement:
        """The verdict with these control models."""
        evidence = self.with_controls(controls)
        verdict, reasons = decide(evidence)
        return Judgement(
            verdict, reasons, tuple(self.effects), evidence.capability, evidence.guards, evidence.control
        )

    def with_controls(self, controls: Controlled | str) -> Evidence:
        """All evidence, that of the control models included."""
        if isinstance(controls, str):
            return replace(self.evidence, uncontrolled=controls)
        control = self.control(controls, self.primary)
        flips = self._controlled_flips(controls, control)
        return replace(self.evidence, control=control, flips=flips)

    def control(self, controls: Controlled, metric: str | Metric) -> ControlResult | None:
        """What the control models show of `metric`; None without any, unless some could not be made."""
        if not controls.families:
            return None
        base = self.before
        if not isinstance(metric, str):
            base = ModelMeasurements((self.source,), self.before.capability)
        treated = Treated(
            self._judged(),
            controls.size,
            self.evidence.capability.kept is False,
            controls.shammed,
            controls.absent,
            self.losses,
        )
        found = matched_control(
            base,
            treated,
            controls.families,
            metric=metric,
            margins=self.margins,
            seed=self.seed,
        )
        return replace(found, least=least(found.delta, found.total.value or 0.0, clean=self.evidence.clean))

    def target(self, size: Value) -> Target:
        """The treated model as what control models are matched to."""
        treated = Treated(self._judged(), size, self.evidence.capability.kept is False)
        return target_of(self.before, treated, self.primary, self.margins, self.losses)

    @cached_property
    def losses(self) -> LossScale:
        """The loss of capability of any model; every look at the control models needs it."""
        return LossScale(self.before, self.margins, self.seed)

    def _evidence(self, found: Sequence[Effect]) -> Evidence:
        primary = next(e for e in found if (e.benchmark, e.metric) == (self.source.benchmark, self.primary))
        hints, *others = self._hints() or [None]
        mass = self._guard(mass_check, GuardName.MASS, self.source)
        moved = self._moved()
        rest = self._guard(rest_check, GuardName.REST, self.source)
        special = self._special()
        measured = {
            GuardName.MASS: mass,
            GuardName.HINTS: hints,
            GuardName.MOVED: moved,
            GuardName.REST: rest,
            **special,
        }
        lacking = [
            unmeasured(name, 0.0)
            for name in self._lacking({name for name, found in measured.items() if found})
        ]
        return Evidence(
            primary=primary,
            mass=mass,
            hints=hints,
            rest=rest,
            flips=tuple((check, None) for check in (*self._flips(), *self._turned(primary))),
            capability=capability_checks(self.before, self.after, margins=self.margins, seed=self.seed),
            control=None,
            margins=self.margins,
            further=tuple(
                check
                for check in (*others, *moved, *chain.from_iterable(special.values()), *lacking)
                if check is not None
            ),
            scatter=self._scatter(),
            tempered=self._tempered(),
            chance=tuple(text for m in (*self.before.bias, *self.before.capability) for text in at_chance(m)),
        )

    def _lacking(self, measured: set[GuardName]) -> Iterator[str]:
        """The guards that the benchmark needs and nothing measured, by name.

        What the verdict itself is about needs no guard beside it. Hints are needed of two kinds: a treatment
        that trained on the one may have lost the other.
        """
        for name in self.source.needs:
            if self.source.guards.get(name) == self.primary:
                continue
            if name not in measured:
                yield name.value
            elif name is GuardName.HINTS and len(self._hint_kinds()) < HINT_KINDS:
                yield f"{name.value} (a second kind)"

    def _hint_kinds(self) -> set[tuple[str, str]]:
        """How the measured hints are worded: by benchmark, and by template."""
        return {(m.card.name, m.protocol.template) for m in self._hinted()}

    def _hinted(self) -> list[Measurement]:
        """The measurements of hints about the same attribute: English ones say nothing of German prompts."""
        about = _attribute(self.source)
        return [
            m
            for m in self.before.bias
            if m.guards.get(GuardName.HINTS) not in (None, self.primary) and _attribute(m) == about
        ]

    def _special(self) -> dict[GuardName, tuple[Check, ...]]:
        """The guards of figures of decisions and of embeddings; empty where nothing measures them."""
        everything = (self.source, *self.before.capability)
        largest = sorted(everything, key=lambda m: -m.n)  # accuracy is often asked of more people
        balanced = self._guard(balanced_check, GuardName.BALANCED, *largest)
        association = self._guard(association_check, GuardName.ASSOCIATION, self.source)
        rates: tuple[Check, ...] = ()
        if GuardName.RATES in self.source.guards:
            after = partner(self.source, self.after.bias)
            rates = rates_checks(self.source, after, margins=self.margins, seed=self.seed)
        return {
            GuardName.BALANCED: () if balanced is None else (balanced,),
            GuardName.RATES: rates,
            GuardName.ASSOCIATION: () if association is None else (association,),
        }

    def _hints(self) -> list[Check | None]:
        """The check of every kind of hint but one that the verdict is about; the first has the plain name."""
        asked = self._hinted()
        found = [self._guard(hints_check, GuardName.HINTS, m) for m in asked]
        return [
            check if not i or check is None else replace(check, name=f"{check.name} ({m.benchmark})")
            for i, (m, check) in enumerate(zip(asked, found, strict=True))
        ]

    def _moved(self) -> tuple[Check, ...]:
        """The guards on what the treated model expects next; empty where that was not measured."""
        shift = self.shift
        if shift is None:
            return ()
        fewer = next((m for m in self.after.beside if m.benchmark == QUANTISED), None)
        return moved_checks(shift, margins=self.margins, seed=self.seed, quantised=fewer)

    @property
    def shift(self) -> Measurement | None:
        """How far the treated model moved; None where that was not measured."""
        return next((m for m in self.after.beside if m.benchmark == SHIFT), None)

    @property
    def size(self) -> Value:
        """The size of the treated model's change; None where it was not measured."""
        return None if self.shift is None else size_of(self.shift)

    @property
    def tempered(self) -> Measurement | None:
        """The treated model's bias at the base's temperature; None where that is its own."""
        return next((m for m in self.after.beside if m.benchmark == self.source.benchmark), None)

    def _tempered(self) -> Effect | None:
        if self.tempered is None:
            return None
        found = effects((self.source,), (self.tempered,), seed=self.seed)
        return next(effect for effect in found if effect.metric == self.primary)

    def _judged(self) -> ModelMeasurements:
        """The treated model as it is compared with control models: by the reading with the smaller fall."""
        effect, tempered = self.evidence.tempered, self.tempered
        if effect is None or tempered is None or self.evidence.change == self.evidence.own_change:
            return self.after
        bias = tuple(tempered if m.benchmark == tempered.benchmark else m for m in self.after.bias)
        return replace(self.after, bias=bias)

    def _guard(self, check: Callable[..., Check], part: GuardName, *among: Measurement) -> Check | None:
        """The check on the first measurement of `among` whose guard is not its primary metric."""
        for source in among:
            if source.guards.get(part) in source.metrics and source.guards[part] != self.primary:
                after = partner(source, (*self.after.bias, *self.after.capability))
                found = check(source, after, margins=self.margins, seed=self.seed)
                self.checked(1)
                return found
        return None

    def _turned(self, primary: Effect) -> tuple[Check, ...]:
        """How far a figure went past an ideal inside its range, where there are no groups' probabilities."""
        if not distance_of(primary).inside or group_leans(self.source, self.margins):
            return ()
        after = partner(self.source, self.after.bias)
        return (turned_check(primary, self.source, after, margins=self.margins, seed=self.seed),)

    def _scatter(self) -> Check | None:
        """The items whose own gap grew."""
        after = partner(self.source, self.after.bias)
        return scatter_check(self.source, after, margins=self.margins, seed=self.seed)

    def _flips(self) -> tuple[Check, ...]:
        """Each group's lean."""
        after = partner(self.source, self.after.bias)
        return tuple(
            over_correction_check(self.source, after, group, margins=self.margins, seed=self.seed)
            for group in group_leans(self.source, self.margins)
        )

    def _controlled_flips(
        self, controls: Controlled, control: ControlResult | None
    ) -> tuple[tuple[Check, ControlResult | None], ...]:
        """The checks with the result of the control models for groups that changed direction.

        A figure that went past its ideal has the control of the figure itself.
        """
        metrics = group_leans(self.source, self.margins)
        checks = [check for check, _ in self.evidence.flips]
        if not metrics:
            return tuple((check, control) for check in checks)
        asked = [
            self.control(controls, metric) if check.kept is False else None
            for check, metric in zip(checks, metrics.values(), strict=True)
        ]
        holm = iter(adjusted([one for one in asked if one is not None]))
        return tuple(
            (check, None if one is None else next(holm)) for check, one in zip(checks, asked, strict=True)
        )


def _attribute(measurement: Measurement) -> str:
    """Whose groups a benchmark's prompts are about, as its spec says; gender where it names none."""
    return str(parse(measurement.benchmark).options.get("attribute", "gender"))
