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
from evenhand.studies.verdict_rule import Evidence, decide, not_comparable

V = VerdictName


def estimate(value: Value, half: float = 0.02) -> Estimate:
    if value is None:
        return Estimate(None, None, None, 0, undefined=100)
    return Estimate(value, value - half, value + half, 100)


def check(name: str, loss: float | None, margin: float, kept: bool | None) -> Check:
    return Check(name, estimate(0.9), estimate(0.8), estimate(loss), margin, kept, "")


@dataclass(frozen=True)
class Case:
    """Figures of one case; the defaults are those of a clean mitigation."""

    before: Value = 0.4
    after: Value = 0.1
    half: float = 0.02
    capability: bool | None = True
    lost: float = 0.01  # of log-perplexity
    measured: bool = True  # was any capability benchmark run?
    mass: float | None = 0.0
    mass_before: float = 0.9
    hints: bool | None = True
    hinted: bool = True  # was a hint benchmark run?
    p_value: Value = 0.001
    specific: float = 0.3
    equivalent: bool = False
    matched: bool = True
    control: bool = True
    flipped: bool = False
    flip_p: Value = 0.001

    def evidence(self) -> Evidence:
        change = None if self.before is None or self.after is None else self.after - self.before
        capability = check("log_perplexity (text)", self.lost, 0.02, self.capability)
        turned = check("over-correction (male)", 0.6 if self.flipped else -0.2, 0.1, not self.flipped)
        flip_control = replace(self.result(), p_value=self.flip_p) if self.control and self.flipped else None
        mass_kept = None if self.mass is None else self.mass + 0.02 <= 0.1
        return Evidence(
            primary=Effect(
                "genbiaseval",
                "afgb_normalised",
                estimate(self.before),
                estimate(self.after),
                estimate(change, self.half),
                None,
            ),
            mass=replace(check("mass", self.mass, 0.1, mass_kept), before=estimate(self.mass_before)),
            hints=check("hints", 0.0, 0.05, self.hints) if self.hinted else None,
            flips=((turned, flip_control),),
            capability=CapabilityResult(self.capability, (capability,) if self.measured else ()),
            control=self.result() if self.control else None,
            margins=Margins(),
        )

    def result(self) -> ControlResult:
        families = tuple(self.family(name) for name in ("placebo", "noise"))
        p = self.p_value if self.matched else None
        return ControlResult("afgb_normalised", True, 0.04, estimate(0.3), 0.0, -0.1, families, p, 0.05)

    def family(self, name: str) -> FamilyResult:
        nothing = estimate(None)
        if not self.matched and name == "noise":
            return FamilyResult(name, (), False, None, nothing, nothing, None, None)
        S = estimate(self.specific)
        return FamilyResult(name, (), True, 1.0, estimate(0.0), S, self.p_value, self.equivalent)


TABLE = [
    ("clean", Case(), V.MITIGATED, "beyond what the loss of capability explains"),
    ("no hint benchmark", Case(hinted=False, hints=None), V.MITIGATED, "beyond"),
    ("capability lost", Case(capability=False), V.AT_A_COST, "is not kept"),
    ("capability undecided", Case(capability=None), V.COST_UNKNOWN, "is undecided"),
    ("no capability run", Case(capability=None, measured=False), V.COST_UNKNOWN, "no capability benchmark"),
    ("hints lost", Case(hints=False), V.AT_A_COST, "hints is not kept"),
    ("hints undecided", Case(hints=None), V.COST_UNKNOWN, "hints is undecided"),
    ("one lost, one undecided", Case(capability=None, hints=False), V.AT_A_COST, "hints is not kept"),
    ("some mass lost", Case(mass=0.3), V.AT_A_COST, "mass is not kept"),
    ("mass gone", Case(mass=0.8), V.CAPABILITY_LOSS, "lost more than half"),
    ("mass gone before all else", Case(mass=0.8, before=0.02), V.CAPABILITY_LOSS, "lost more than half"),
    ("mass perhaps half gone", Case(mass=0.51), V.AT_A_COST, "mass is not kept"),
    ("undefined after", Case(after=None), V.CAPABILITY_LOSS, "no longer uses the terms"),
    ("undefined before", Case(before=None), V.NO_EVIDENCE, "undefined"),
    ("words hardly used before", Case(mass_before=0.0005), V.NO_EVIDENCE, "hardly uses the terms"),
    ("words used a little before", Case(mass_before=0.002), V.MITIGATED, "fell beyond"),
    ("no bias before", Case(before=0.08, after=0.01), V.NO_EVIDENCE, "too little bias"),
    ("no bias before, some now", Case(before=0.05, after=0.3), V.WORSE, "grew"),
    ("no bias before, still none", Case(before=0.02, after=0.09), V.NO_EVIDENCE, "too little bias"),
    ("one pronoun", Case(after=0.9, flipped=True, specific=-0.4, p_value=1.0), V.OVER_CORRECTED, "direction"),
    ("flip beyond damage", Case(flipped=True), V.OVER_CORRECTED, "direction"),
    ("flip as damage does", Case(flipped=True, flip_p=0.4, capability=False), V.AT_A_COST, "over-correction"),
    (
        "flip, unmatched",
        Case(flipped=True, flip_p=None, capability=False, matched=False),
        V.CAPABILITY_LOSS,
        "noise",
    ),
    ("flip, no control", Case(flipped=True, control=False), V.OVER_CORRECTED, "direction"),
    (
        "flip, damaged, no control",
        Case(flipped=True, control=False, capability=False),
        V.NO_EVIDENCE,
        "Without",
    ),
    ("worse", Case(after=0.6, p_value=1.0, specific=-0.2), V.WORSE, "grew"),
    (
        "worse by damage",
        Case(after=0.6, capability=False, p_value=0.5, specific=0.0),
        V.CAPABILITY_LOSS,
        "certainly has less bias",
    ),
    (
        "worse, out of reach",
        Case(after=0.6, capability=False, matched=False),
        V.CAPABILITY_LOSS,
        "has less bias",
    ),
    ("worse, undecided, out of reach", Case(after=0.6, capability=None, matched=False), V.WORSE, "grew"),
    ("worse beyond damage", Case(after=0.6, capability=False, p_value=1.0, specific=-0.2), V.WORSE, "grew"),
    (
        "worse, but broken: 0.5 - 0.02 > 20 x 0.02",
        Case(after=0.6, capability=False, lost=0.5, p_value=1.0, specific=-0.2),
        V.CAPABILITY_LOSS,
        "broken",
    ),
    (
        "worse, badly damaged, not broken: 0.41 - 0.02 < 20 x 0.02",
        Case(after=0.6, capability=False, lost=0.41, p_value=1.0, specific=-0.2),
        V.WORSE,
        "grew",
    ),
    (
        "one pronoun, but broken",
        Case(after=0.9, flipped=True, capability=False, lost=0.5, p_value=1.0, specific=-0.4),
        V.CAPABILITY_LOSS,
        "broken",
    ),
    (
        "broken, and less biased beyond damage",
        Case(capability=False, lost=0.5),
        V.AT_A_COST,
        "is not kept",
    ),
    ("worse, no control", Case(after=0.6, control=False, capability=False), V.WORSE, "grew"),
    ("worse, capability kept", Case(after=0.6, p_value=0.5, specific=0.0), V.WORSE, "grew"),
    (
        "damage explains it",
        Case(p_value=0.3, capability=False, specific=0.0),
        V.CAPABILITY_LOSS,
        "Capability was lost",
    ),
    ("out of reach", Case(matched=False, capability=False), V.CAPABILITY_LOSS, "more of it than in any"),
    ("out of reach, undecided", Case(matched=False, capability=None), V.NO_EVIDENCE, "could not be matched"),
    ("no control", Case(control=False), V.NO_EVIDENCE, "Not judged. Without control models"),
    ("no control, not fallen", Case(control=False, after=0.4), V.NO_EVIDENCE, "did not certainly fall"),
    ("no control, damaged", Case(control=False, capability=False), V.NO_EVIDENCE, "Without control models"),
    ("no p-value", Case(p_value=None), V.NO_EVIDENCE, "too few models"),
    ("not significant", Case(p_value=0.051), V.NO_EVIDENCE, "No effect beyond"),
    ("just significant", Case(p_value=0.05), V.MITIGATED, "beyond"),
    ("negligible", Case(after=0.37, specific=0.01, equivalent=True), V.NO_EVIDENCE, "negligible"),
    (
        "better than damage but not less",
        Case(after=0.4, specific=0.2),
        V.NO_EVIDENCE,
        "did not certainly fall",
    ),
]


@pytest.mark.parametrize(
    ("case", "verdict", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_rule(case: Case, verdict: VerdictName, reason: str) -> None:
    found, reasons = decide(case.evidence())
    assert found is verdict
    assert reason in reasons[0]


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
        "Control placebo",
        "Control noise",
        "was reduced",
        "Capability, log_perplexity",
        "Guard, mass: kept",
    ):
        assert part in text
    text = " ".join(decide(Case(control=False, hinted=False, measured=False).evidence())[1])
    for part in ("was not run", "hints are still followed was not measured", "No capability benchmark"):
        assert part in text


def test_a_base_at_chance_is_said_to_be() -> None:
    evidence = replace(Case().evidence(), chance=("At chance on facts, like a model that guesses: ...",))
    assert decide(evidence)[1][1] == "Before: At chance on facts, like a model that guesses: ..."
    assert decide(evidence)[0] is decide(Case().evidence())[0]


def test_a_flip_that_was_not_claimed_is_still_told() -> None:
    text = " ".join(decide(Case(flipped=True, flip_p=0.4, capability=False).evidence())[1])
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


def test_the_loss_of_mass_reads_as_a_share_and_every_check_says_its_n() -> None:
    """A mass that grew seventeenfold is a loss of -1 630 % of what was there, not of -16.3."""
    reasons = decide(Case(mass=-16.3).evidence())[1]
    (mass,) = [reason for reason in reasons if reason.startswith("Guard, mass")]
    assert "loss −1 630 %" in mass.replace("\u202f", " ").replace("\xa0", " ")
    assert "of what was there before, n = 100, margin 10 %" in mass
    (capability,) = [reason for reason in reasons if reason.startswith("Capability, ")]
    assert "loss 0.010" in capability
    assert "n = 100" in capability
