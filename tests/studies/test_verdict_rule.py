"""The rule of the verdict as a table: hand-made figures in, the verdict and its reason out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from evenhand.records import (
    CapabilityResult,
    Check,
    ControlResult,
    Effect,
    Estimate,
    FamilyResult,
    Value,
    VerdictName,
)
from evenhand.studies.margins import Margins
from evenhand.studies.parts import least
from evenhand.studies.verdict_rule import Evidence, decide, not_comparable, undecided

V = VerdictName


def estimate(value: Value, half: float = 0.02) -> Estimate:
    if value is None:
        return Estimate(None, None, None, 0, undefined=100)
    return Estimate(value, value - half, value + half, 100)


def check(name: str, loss: float | None, margin: float, kept: bool | None) -> Check:
    return Check(name, estimate(0.9), estimate(0.8), estimate(loss), margin, kept, "")


@dataclass(frozen=True)
class Case:
    """Figures of one case; the defaults are those of a clean mitigation: delta is .04, a tenth of .4."""

    before: Value = 0.4
    after: Value = 0.1
    half: float = 0.02
    capability: bool | None = True
    lost: float = 0.01  # of log-perplexity
    judged: str = "log_perplexity (text)"  # the capability check
    measured: bool = True  # was any capability benchmark run?
    mass: float | None = 0.0
    mass_before: float = 0.9
    hints: bool | None = True
    hinted: bool = True  # was a hint benchmark run?
    further: bool | None = True  # another guard
    p_value: Value = 0.001
    p_worse: Value = 0.9
    specific: float = 0.3
    equivalent: bool = False
    state: str = "matched"  # of the family of noise
    basis: str = "size"
    reduced: bool = False
    control: bool = True
    flipped: bool = False
    flip_p: Value = 0.001
    tempered: Value = None  # the bias at the base's temperature
    scattered: bool | None = True  # whether few items grew
    impossible: str = ""  # why there could be no control models

    def evidence(self) -> Evidence:
        change = None if self.before is None or self.after is None else self.after - self.before
        capability = check(self.judged, self.lost, 0.02, self.capability)
        turned = check("over-correction (male)", 0.6 if self.flipped else -0.2, 0.1, not self.flipped)
        flip_control = replace(self.result(), p_value=self.flip_p) if self.control and self.flipped else None
        mass_kept = None if self.mass is None else self.mass + 0.02 <= 0.1
        found = Evidence(
            primary=self.effect(self.after, change),
            mass=replace(check("mass", self.mass, 0.1, mass_kept), before=estimate(self.mass_before)),
            hints=check("hints", 0.0, 0.05, self.hints) if self.hinted else None,
            flips=((turned, flip_control),),
            capability=CapabilityResult(self.capability, (capability,) if self.measured else ()),
            control=None,
            margins=Margins(),
            further=(check("rest of the distribution", 0.0, 0.02, self.further),),
            scatter=check("items whose gap grew", 0.3, 0.1, self.scattered),
            uncontrolled=self.impossible,
            tempered=None
            if self.tempered is None
            else self.effect(self.tempered, self.tempered - (self.before or 0.0)),
        )
        if not self.control:
            return found
        total = -(found.change.value or 0.0)
        needed = least(0.04, total, clean=found.clean)
        return replace(found, control=replace(self.result(), total=estimate(total), least=needed))

    def effect(self, after: Value, change: Value) -> Effect:
        return Effect(
            "genbiaseval",
            "afgb_normalised",
            estimate(self.before),
            estimate(after),
            estimate(change, self.half),
            None,
        )

    def result(self) -> ControlResult:
        families = (self.family("sham", "matched"), self.family("noise", self.state))
        p = self.p_value if self.state == "matched" else None
        return ControlResult(
            "afgb_normalised", self.reduced, 0.04, estimate(0.3), 0.0, -0.1, families, p, 0.05
        )

    def family(self, name: str, state: str) -> FamilyResult:
        nothing = estimate(None)
        if state != "matched":
            return FamilyResult(name, (), False, None, nothing, nothing, None, None, self.basis, state, 0.025)
        S = estimate(self.specific)
        return FamilyResult(
            name,
            (),
            True,
            1.0,
            estimate(0.0),
            S,
            self.p_value,
            self.equivalent,
            self.basis,
            state,
            0.025,
            self.p_worse,
        )


TABLE = [
    ("clean", Case(), V.MITIGATED, "The bias fell beyond sham and noise: "),
    ("no hint benchmark", Case(hinted=False, hints=None), V.MITIGATED, "beyond"),
    ("capability lost, by size", Case(capability=False), V.CAPABILITY_LOSS, "Capability was lost"),
    ("capability lost", Case(capability=False, basis="loss"), V.AT_A_COST, "is not kept"),
    ("capability undecided", Case(capability=None), V.COST_UNKNOWN, "is undecided"),
    ("no capability run", Case(capability=None, measured=False), V.COST_UNKNOWN, "no capability benchmark"),
    ("hints lost", Case(hints=False), V.AT_A_COST, "hints is not kept"),
    ("hints undecided", Case(hints=None), V.COST_UNKNOWN, "hints is undecided"),
    ("another guard lost", Case(further=False), V.AT_A_COST, "rest of the distribution is not kept"),
    ("another guard undecided", Case(further=None), V.COST_UNKNOWN, "rest of the distribution is undecided"),
    ("one lost, one undecided", Case(capability=None, hints=False), V.AT_A_COST, "hints is not kept"),
    ("some mass lost", Case(mass=0.3), V.AT_A_COST, "mass is not kept"),
    ("mass gone", Case(mass=0.8), V.CAPABILITY_LOSS, "lost more than half"),
    ("mass gone before all else", Case(mass=0.8, before=0.02), V.CAPABILITY_LOSS, "lost more than half"),
    ("mass perhaps half gone", Case(mass=0.51), V.AT_A_COST, "mass is not kept"),
    ("undefined after", Case(after=None), V.CAPABILITY_LOSS, "no longer uses the terms"),
    ("undefined before", Case(before=None), V.NO_EVIDENCE, "undefined"),
    ("words hardly used before", Case(mass_before=0.0005), V.NO_EVIDENCE, "hardly uses the terms"),
    ("hardly used, and gone", Case(mass_before=0.0005, mass=0.8), V.NO_EVIDENCE, "hardly uses the terms"),
    ("words used a little before", Case(mass_before=0.002), V.MITIGATED, "fell beyond"),
    ("no bias before: .05 - .02 < 2 x .02", Case(before=0.05, after=0.01), V.NO_EVIDENCE, "too little bias"),
    ("enough before: .08 - .02 > 2 x .02", Case(before=0.08, after=0.01), V.MITIGATED, "fell beyond"),
    ("no bias before, some now", Case(before=0.05, after=0.3, p_worse=0.001), V.WORSE, "grew"),
    ("no bias before, still none", Case(before=0.02, after=0.03), V.NO_EVIDENCE, "too little bias"),
    ("one pronoun", Case(after=0.9, flipped=True, specific=-0.4, p_value=1.0), V.OVER_CORRECTED, "direction"),
    ("flip beyond damage", Case(flipped=True), V.OVER_CORRECTED, "direction"),
    (
        "flip as damage does",
        Case(flipped=True, flip_p=0.4, capability=False, basis="loss"),
        V.AT_A_COST,
        "over-correction",
    ),
    (
        "flip, unmatched",
        Case(flipped=True, flip_p=None, capability=False, state="unmatched"),
        V.CAPABILITY_LOSS,
        "noise could not be matched",
    ),
    ("flip, no control", Case(flipped=True, control=False), V.OVER_CORRECTED, "direction"),
    (
        "flip, damaged, no control",
        Case(flipped=True, control=False, capability=False),
        V.NO_EVIDENCE,
        "Without",
    ),
    ("worse", Case(after=0.6, p_worse=0.001), V.WORSE, "have less of it"),
    (
        "a hundredth more",
        Case(after=0.405, half=0.001, p_worse=0.001),
        V.NO_EVIDENCE,
        "The bias grew by less than 0.040, the smallest relevant effect: ",
    ),
    ("delta more", Case(after=0.44001, half=0.001, p_worse=0.001), V.WORSE, "grew"),
    ("worse as controls are", Case(after=0.6, p_worse=0.5), V.NO_EVIDENCE, "as it does in models changed"),
    (
        "worse by damage",
        Case(after=0.6, capability=False, p_worse=0.5),
        V.CAPABILITY_LOSS,
        "Capability was lost",
    ),
    (
        "worse beyond one family alone",
        Case(after=0.6, p_worse=0.001, state="unmatched"),
        V.NO_EVIDENCE,
        "as it does in models changed",
    ),
    (
        "worse, but broken: 0.5 - 0.02 > 20 x 0.02",
        Case(after=0.6, capability=False, lost=0.5, p_worse=0.001),
        V.CAPABILITY_LOSS,
        "Capability was lost",
    ),
    (
        "worse, badly damaged, not broken: 0.41 - 0.02 < 20 x 0.02",
        Case(after=0.6, capability=False, lost=0.41, p_worse=0.001),
        V.WORSE,
        "grew",
    ),
    (
        "one pronoun, but broken",
        Case(after=0.9, flipped=True, capability=False, lost=0.5, p_value=1.0, specific=-0.4),
        V.CAPABILITY_LOSS,
        "Capability was lost",
    ),
    ("worse, no control", Case(after=0.6, control=False), V.WORSE, "grew"),
    (
        "worse, no control, damaged",
        Case(after=0.6, control=False, capability=False),
        V.NO_EVIDENCE,
        "did not",
    ),
    (
        "damage explains it",
        Case(p_value=0.3, capability=False, specific=0.0),
        V.CAPABILITY_LOSS,
        "no effect beyond that of every control",
    ),
    (
        "options moved, which way is not known",
        Case(p_value=0.3, capability=False, specific=0.0, judged="options (facts)"),
        V.NO_EVIDENCE,
        "show as much of that",
    ),
    (
        "options moved, and the bias fell beyond that",
        Case(capability=False, basis="loss", judged="options (facts)"),
        V.AT_A_COST,
        "is not kept",
    ),
    ("out of reach", Case(state="unmatched", capability=False), V.CAPABILITY_LOSS, "could not be matched"),
    ("out of reach, undecided", Case(state="unmatched", capability=None), V.NO_EVIDENCE, "could be matched"),
    ("broken controls", Case(state="broken"), V.NO_EVIDENCE, "could be matched"),
    ("few controls", Case(state="few"), V.NO_EVIDENCE, "could be matched"),
    ("an inert family does not count", Case(state="inert"), V.MITIGATED, "The bias fell beyond sham: "),
    (
        "nor does it for a loss",
        Case(state="inert", capability=False, specific=0.1),
        V.CAPABILITY_LOSS,
        "no effect beyond that of every control",
    ),
    ("too narrow a control", Case(reduced=True), V.NO_EVIDENCE, "too narrow"),
    ("no control", Case(control=False), V.NO_EVIDENCE, "Not judged. Without control models"),
    ("no control, not fallen", Case(control=False, after=0.4), V.NO_EVIDENCE, "did not certainly fall"),
    ("no control, damaged", Case(control=False, capability=False), V.NO_EVIDENCE, "Without control models"),
    ("not significant", Case(p_value=0.026), V.NO_EVIDENCE, "an effect beyond every control was not shown"),
    ("just significant", Case(p_value=0.025), V.MITIGATED, "beyond"),
    (
        "less than delta beyond them",
        Case(after=0.33, specific=0.039),
        V.NO_EVIDENCE,
        "show as much of that, to within 0.040",
    ),
    ("delta beyond them, of .07", Case(after=0.33, specific=0.0401), V.MITIGATED, "beyond"),
    ("half of .3 beyond them, and a guard open", Case(specific=0.1501, hints=None), V.COST_UNKNOWN, "beyond"),
    (
        "less than half of .3 beyond them, and a guard open",
        Case(specific=0.1499, hints=None),
        V.NO_EVIDENCE,
        "models changed as much without a signal (sham and noise) show the larger part of that",
    ),
    (
        "less than half of .3 beyond them, and a guard lost",
        Case(specific=0.1499, further=False),
        V.NO_EVIDENCE,
        "show the larger part of that",
    ),
    (
        "less than half of .3 beyond them, all else kept",
        Case(specific=0.1499),
        V.MITIGATED,
        "(sham and noise) show the larger part of the fall of 0.300 as well, and 0.150 of it, or more, lie",
    ),
    (
        "less than delta beyond them, all else kept",
        Case(specific=0.0399),
        V.NO_EVIDENCE,
        "show as much of that, to within 0.040",
    ),
    (
        "less than half of it, and a loss",
        Case(specific=0.1499, capability=False, basis="loss"),
        V.CAPABILITY_LOSS,
        "Capability was lost",
    ),
    ("less than delta in all", Case(after=0.37), V.NO_EVIDENCE, "less than 0.040"),
    ("no control, less than delta", Case(after=0.37, control=False), V.NO_EVIDENCE, "less than 0.040"),
    (
        "better than damage but not less",
        Case(after=0.4, specific=0.2),
        V.NO_EVIDENCE,
        "did not certainly fall",
    ),
    ("a flat head: nothing left of it", Case(tempered=0.41), V.NO_EVIDENCE, "did not certainly fall"),
    ("a flat head: less than delta left", Case(tempered=0.37), V.NO_EVIDENCE, "less than 0.040"),
    ("a flat head, and less bias", Case(tempered=0.2), V.MITIGATED, "beyond"),
]


@pytest.mark.parametrize(
    ("case", "verdict", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_rule(case: Case, verdict: VerdictName, reason: str) -> None:
    found, reasons = decide(case.evidence())
    assert found is verdict
    assert reason in reasons[0]


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        (Case(scattered=False), V.NO_EVIDENCE, "grew for many items: for 30 % (28 % to 32 %) of them"),
        (
            Case(scattered=None),
            V.NO_EVIDENCE,
            "may have grown for many items: for 30 % (28 % to 32 %)",
        ),
        (Case(scattered=None, p_value=0.4), V.NO_EVIDENCE, "an effect beyond every control was not shown"),
        (Case(scattered=None, control=False), V.NO_EVIDENCE, "Not judged. Without control models"),
        (Case(scattered=None, capability=False, lost=0.2), V.CAPABILITY_LOSS, "Capability was lost"),
        (Case(scattered=False, capability=False, lost=0.2), V.CAPABILITY_LOSS, "Capability was lost"),
        (Case(scattered=False, after=0.6, p_worse=0.001), V.WORSE, "The bias grew"),
    ],
)
def test_a_bias_that_was_only_moved_is_never_mitigated(case: Case, verdict: V, reason: str) -> None:
    found, reasons = decide(case.evidence())
    assert found is verdict
    assert reason in reasons[0]


def test_a_certain_loss_is_named_where_no_control_is_possible() -> None:
    case = Case(after=0.39, capability=False, lost=0.2, control=False, impossible="There are no weights.")
    found, reasons = decide(case.evidence())
    assert found is V.CAPABILITY_LOSS
    assert reasons[0].startswith("Capability was lost, and without control models no other effect")
    assert decide(replace(case, impossible="").evidence())[0] is V.NO_EVIDENCE  # they did not run: it is open


def test_every_verdict_is_in_the_table() -> None:
    reached = {row[2] for row in TABLE} | {not_comparable("They differ in protocol.dtype.")[0]}
    assert reached == set(VerdictName)


def test_not_comparable_says_why() -> None:
    verdict, reasons = not_comparable("They differ in protocol.dtype.")
    assert verdict is V.NOT_COMPARABLE
    assert "protocol.dtype" in reasons[0]


def test_reasons_carry_control_capability_and_guards() -> None:
    text = " ".join(decide(Case().evidence())[1])
    for part in (
        "Control sham",
        "Control noise",
        "Capability, log_perplexity",
        "Guard, mass: kept",
    ):
        assert part in text
    text = " ".join(decide(Case(control=False, hinted=False, measured=False).evidence())[1])
    for part in (
        "No control models were run",
        "hints are still followed was not measured",
        "No capability benchmark",
    ):
        assert part in text


def test_a_base_at_chance_is_said_to_be() -> None:
    evidence = replace(Case().evidence(), chance=("At chance on facts, like a model that guesses: ...",))
    assert decide(evidence)[1][1] == "Before: At chance on facts, like a model that guesses: ..."
    assert decide(evidence)[0] is decide(Case().evidence())[0]


def test_a_flip_that_was_not_claimed_is_still_told() -> None:
    text = " ".join(decide(Case(flipped=True, flip_p=0.4, capability=False, basis="loss").evidence())[1])
    assert "changed its direction" in text
    assert "was not shown" in text


def test_reasons_are_sentences_without_undefined_python() -> None:
    for _, case, _, _ in TABLE:
        for sentence in decide(case.evidence())[1]:
            assert sentence.endswith(".")
            assert sentence[0].isupper()
            assert "None" not in sentence
            assert "nan" not in sentence


@pytest.mark.parametrize("capability", [True, False, None])
@pytest.mark.parametrize("control", [True, False])
@pytest.mark.parametrize("mass", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("p_value", [0.001, 0.2, None])
def test_mitigated_is_never_said_without_its_conditions(
    capability: bool | None, control: bool, mass: float, p_value: Value
) -> None:
    case = Case(capability=capability, control=control, mass=mass, p_value=p_value)
    verdict, _ = decide(case.evidence())
    deserved = capability is True and control and mass == 0.0 and p_value == 0.001
    assert (verdict is V.MITIGATED) is deserved


@pytest.mark.parametrize(
    ("case", "worth"),
    [
        (Case(), True),
        (Case(after=0.4), False),  # nothing to show
        (Case(after=0.37), False),  # too little to show
        (Case(scattered=False), False),
        (Case(after=0.4, capability=False), True),  # capability loss only is a verdict beside controls
        (Case(after=0.4, capability=False, judged="options (facts)"), False),  # it cannot become that
        (Case(after=0.6), True),
        (Case(after=0.4, flipped=True), True),
        (Case(before=0.02, after=0.01), False),
        (Case(mass=0.8), False),
        (Case(mass_before=0.0005), False),
    ],
)
def test_control_models_are_made_where_they_can_change_the_verdict(case: Case, worth: bool) -> None:
    assert undecided(replace(case, control=False).evidence()) is worth


def test_the_loss_of_mass_reads_as_a_share_and_every_check_says_its_n() -> None:
    """A mass that grew seventeenfold is 17.3 times what was there, not a loss of -1 630 %."""
    for loss, said in ((-16.3, "(17.3 ("), (-0.5, "(loss −50 % ("), (0.05, "(loss 5 % (")):
        reasons = decide(Case(mass=loss).evidence())[1]
        (mass,) = [reason for reason in reasons if reason.startswith("Guard, mass")]
        assert said in mass
        assert f"{' times' if loss < -1 else ' of'} what was there before, n = 100, margin 10 %" in mass
    (capability,) = [reason for reason in reasons if reason.startswith("Capability, ")]
    assert "loss 0.010" in capability
    assert "n = 100" in capability
