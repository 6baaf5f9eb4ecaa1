"""From measurements to a verdict: gather the evidence, then apply `evenhand.studies.verdict_rule`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    VerdictName,
)
from evenhand.studies.capability import capability_checks
from evenhand.studies.chance import at_chance
from evenhand.studies.control import Families, adjusted, matched_control
from evenhand.studies.distance import distance_of
from evenhand.studies.effects import effects
from evenhand.studies.guards import (
    group_leans,
    hints_check,
    mass_check,
    over_correction_check,
    rest_check,
    turned_check,
)
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements, partner
from evenhand.studies.primary import of_measurements
from evenhand.studies.verdict_rule import Evidence, decide, not_comparable


@dataclass(frozen=True)
class Judgement:
    """A verdict with all its evidence; the fields go into a `Verification`."""

    verdict: VerdictName
    reasons: tuple[str, ...]
    effects: tuple[Effect, ...]
    capability: CapabilityResult
    guards: tuple[Check, ...]
    control: ControlResult | None


def judge(
    before: ModelMeasurements,
    after: ModelMeasurements,
    families: Families | str,
    *,
    margins: Margins | None = None,
    primary: str | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge a treated model against its base; `families` are the control models, empty when none were made.

    Where there could be none, `families` is the sentence that says why.

    `primary` is the one pre-registered bias metric that the verdict is about, so that no correction for
    several metrics is needed; None for the primary one of the first bias benchmark that has one. The control
    of the groups' leans is adjusted for the number of groups.

    Raises:
        UsageError: no bias benchmark of the run reports the primary metric with an ideal, or none has one.
        NotComparable: a *control* model was measured under other conditions than the base. (For before and
            after this is a verdict, not an error.)
    """
    margins = margins or Margins()
    uncontrolled, families = (families, {}) if isinstance(families, str) else ("", families)
    primary = of_measurements(before.bias, primary)
    source = next(m for m in [before.reporting(primary)] if m is not None)
    try:
        found = effects((*before.bias, *before.capability), (*after.bias, *after.capability), seed=seed)
    except NotComparable as error:
        return incomparable(str(error))
    with task("weighing the evidence", unit="check", late=True) as advance:
        case = _Case(before, after, families, source, margins, primary, seed, uncontrolled, advance)
        evidence = case.evidence(found)
    verdict, reasons = decide(evidence)
    return Judgement(verdict, reasons, tuple(found), evidence.capability, evidence.guards, evidence.control)


def incomparable(why: str) -> Judgement:
    """The judgement of measurements that cannot be compared."""
    verdict, reasons = not_comparable(why)
    return Judgement(verdict, reasons, (), CapabilityResult(None, ()), (), None)


@dataclass(frozen=True)
class _Case:
    before: ModelMeasurements
    after: ModelMeasurements
    families: Families
    source: Measurement
    margins: Margins
    primary: str
    seed: int
    uncontrolled: str
    checked: Advance  # called after each check that draws resamples

    def evidence(self, found: Sequence[Effect]) -> Evidence:
        primary = next(e for e in found if (e.benchmark, e.metric) == (self.source.benchmark, self.primary))
        control = self._control(self.before, self.primary)
        return Evidence(
            primary=primary,
            mass=self._guard(mass_check, GuardName.MASS, self.source),
            hints=self._guard(hints_check, GuardName.HINTS, *self.before.bias),
            rest=self._guard(rest_check, GuardName.REST, self.source),
            flips=self._flips() or self._turned(primary, control),
            capability=capability_checks(
                self.before,
                self.after,
                margins=self.margins,
                seed=self.seed,
                part="report" if self.families else "all",  # without control models there is nothing to match
            ),
            control=control,
            margins=self.margins,
            uncontrolled=self.uncontrolled,
            chance=tuple(text for m in (*self.before.bias, *self.before.capability) for text in at_chance(m)),
        )

    def _control(self, base: ModelMeasurements, metric: str | Metric) -> ControlResult | None:
        if not self.families:
            return None
        found = matched_control(
            base, self.after, self.families, metric=metric, margins=self.margins, seed=self.seed
        )
        self.checked(1)
        return found

    def _guard(self, check: Callable[..., Check], part: GuardName, *among: Measurement) -> Check | None:
        """The check on the first measurement of `among` whose guard is not its primary metric."""
        for source in among:
            if source.guards.get(part) in source.metrics and source.guards[part] != self.primary:
                after = partner(source, self.after.bias)
                found = check(source, after, margins=self.margins, seed=self.seed)
                self.checked(1)
                return found
        return None

    def _turned(
        self, primary: Effect, control: ControlResult | None
    ) -> tuple[tuple[Check, ControlResult | None], ...]:
        """How far a figure went past an ideal inside its range, with the control of the figure itself."""
        if not distance_of(primary).inside or group_leans(self.source, self.margins):
            return ()
        after = partner(self.source, self.after.bias)
        return ((turned_check(primary, self.source, after, margins=self.margins, seed=self.seed), control),)

    def _flips(self) -> tuple[tuple[Check, ControlResult | None], ...]:
        """Each group's lean, with the result of the control models for groups that changed direction."""
        after = partner(self.source, self.after.bias)
        metrics = group_leans(self.source, self.margins)
        checks = {
            group: over_correction_check(self.source, after, group, margins=self.margins, seed=self.seed)
            for group in metrics
        }
        base = ModelMeasurements((self.source,), self.before.capability)
        asked = {g: self._control(base, metrics[g]) for g, check in checks.items() if check.kept is False}
        answered = {g: control for g, control in asked.items() if control is not None}
        holm = dict(zip(answered, adjusted(list(answered.values())), strict=True))
        return tuple((check, holm.get(group)) for group, check in checks.items())
