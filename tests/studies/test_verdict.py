"""From measurements to verdicts: what `judge` says of models whose making is known."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from evenhand.errors import UsageError
from evenhand.records import VerdictName
from evenhand.studies import reasons, verdict
from evenhand.studies.control import Treated, matched_control
from evenhand.studies.guards import group_leans
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements
from evenhand.studies.reasons import PAST
from evenhand.studies.verdict import Controlled, judge
from evenhand.studies.verdict_rule import Evidence, decide
from tests.studies.worlds import (
    LEANS,
    SIZE,
    Made,
    damage,
    damaged_pairs,
    everyone,
    families,
    measured,
    pairs,
    untreated,
)

V = VerdictName
FAST = Margins(draws=300)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (Made(lean=lambda x: 0.1 * x), V.MITIGATED),
        (Made(lean=lambda x: 0.1 * x, mass=0.95), V.MITIGATED),
        (Made(lean=lambda x: 0.1 * x, hint=0.1), V.AT_A_COST),
        (Made(lean=lambda x: 0.1 * x, loss=0.1), V.AT_A_COST),
        (Made(lean=lambda x: 0.1 * x, mass=0.7), V.AT_A_COST),
        (
            Made(lean=lambda x: x, mass=0.05),
            V.CAPABILITY_LOSS,
        ),  # the paper's printed loss: the words are gone
        (Made(lean=lambda x: 0 * x, mass=0.0), V.CAPABILITY_LOSS),  # nothing left at all
        (Made(lean=lambda x: 0 * x - 0.95, hint=0.0), V.OVER_CORRECTED),  # trained toward one pronoun
        (Made(lean=lambda x: -0.9 * x), V.OVER_CORRECTED),  # every profession turned round
        (Made(lean=lambda x: np.clip(1.5 * x, -1, 1)), V.WORSE),
        (Made(), V.NO_EVIDENCE),
        (damage(1.5, seed=99), V.CAPABILITY_LOSS),
        (damage(2.5, seed=98), V.CAPABILITY_LOSS),
    ],
    ids=[
        "removal",
        "removal, more mass",
        "hints ignored",
        "capability lost too",
        "mass lost too",
        "words avoided",
        "words gone",
        "one pronoun",
        "reversal",
        "amplified",
        "untouched",
        "damage",
        "much damage",
    ],
)
def test_judgement_of_known_models(made: Made, verdict: VerdictName) -> None:
    found = judge(untreated(), measured(made), everyone(), margins=FAST)
    assert found.verdict is verdict, found.reasons


@pytest.mark.parametrize("control", [True, False])
def test_anchors_that_look_fair_are_broken(control: bool) -> None:
    """A uniform model and one with shuffled weights: AFGB 0 and accuracy at chance (1 in 4)."""
    uniform = Made(lean=lambda x: 0 * x, mass=2 / 500, hint=0.0, forgets=0.75, loss=4.0)
    shuffled = Made(lean=lambda x: 0 * x, mass=0.8, hint=0.0, forgets=0.75, loss=3.0)
    found = [
        judge(untreated(), measured(m), everyone() if control else Controlled(), margins=FAST)
        for m in (uniform, shuffled)
    ]
    assert found[0].verdict is V.CAPABILITY_LOSS
    assert found[1].verdict is (V.CAPABILITY_LOSS if control else V.NO_EVIDENCE)
    assert found[1].capability.kept is False


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.2])
def test_an_unbiased_model_is_never_mitigated(factor: float) -> None:
    flat = measured(Made(lean=lambda x: 0.08 * x))  # mean gap 0.03, below twice the smallest step
    after = measured(Made(lean=lambda x: 0.08 * factor * x))
    assert judge(flat, after, everyone(), margins=FAST).verdict is V.NO_EVIDENCE


def test_an_unbiased_model_can_get_worse() -> None:
    flat = measured(Made(lean=lambda x: 0.15 * x))
    assert judge(flat, measured(Made()), everyone(), margins=FAST).verdict is V.WORSE


@pytest.mark.parametrize("seed", range(6))
def test_damage_that_flips_groups_by_accident_is_not_over_correction(seed: int) -> None:
    """Damaged models settle on one pronoun or the other by chance; the treated one is one more of them."""

    def coin(dose: float, number: int) -> Made:
        shift = dose * np.random.default_rng(number).choice([-1.0, 1.0])
        made = damage(dose, number)
        return dataclasses.replace(made, lean=lambda x: np.clip(x * (1 - dose / 4) + shift / 2, -1, 1))

    doses = (0.2, 0.5, 1.0, 1.5, 2.0)
    models = Controlled(
        {
            name: [
                dataclasses.replace(m, measured=measured(coin(m.dose, 7 * i + start)))
                for i, m in enumerate(made)
            ]
            for start, (name, made) in enumerate(families(doses).items())
        },
        size=1.7 * SIZE,
    )
    found = judge(untreated(), measured(coin(1.7, 1000 + seed)), models, margins=FAST)
    assert found.verdict in (V.CAPABILITY_LOSS, V.NO_EVIDENCE)
    assert any(guard.kept is False for guard in found.guards if guard.name.startswith("over-correction"))


def test_the_leans_of_two_groups_are_two_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every profession turned round: both groups flip, and Holm doubles the smaller of the two p-values."""
    seen: list[Evidence] = []

    def kept(evidence: Evidence) -> tuple[VerdictName, tuple[str, ...]]:
        seen.append(evidence)
        return decide(evidence)

    monkeypatch.setattr(verdict, "decide", kept)
    after = measured(Made(lean=lambda x: -0.9 * x))
    judge(untreated(), after, everyone(), margins=FAST)
    (evidence,) = seen
    base = ModelMeasurements(untreated().bias[:1], untreated().capability)
    raw = [
        matched_control(base, Treated(after, SIZE), everyone().families, metric=metric, margins=FAST).p_value
        or 1.0
        for metric in group_leans(untreated().bias[0], FAST).values()
    ]
    assert len(raw) == 2
    told = [control.p_value for _, control in evidence.flips if control is not None]
    assert sorted(told) == pytest.approx([2 * min(raw), max(2 * min(raw), *raw)])


def test_unlike_protocols_are_a_verdict() -> None:
    other = measured(Made(lean=lambda x: 0.1 * x, protocol={"dtype": "bfloat16"}))
    found = judge(untreated(), other, everyone(), margins=FAST)
    assert found.verdict is V.NOT_COMPARABLE
    assert "protocol.dtype" in found.reasons[0]
    assert found.effects == ()


def test_without_control_never_mitigated() -> None:
    found = judge(untreated(), measured(Made(lean=lambda x: 0.1 * x)), Controlled(), margins=FAST)
    assert found.verdict is V.NO_EVIDENCE
    assert found.control is None


def test_missing_hint_benchmark_is_said() -> None:
    after = measured(Made(lean=lambda x: 0.1 * x))
    less = [ModelMeasurements(r.bias[:1], r.capability) for r in (untreated(), after)]
    found = judge(*less, everyone(), margins=FAST)
    assert found.verdict is V.MITIGATED
    assert any("hints are still followed was not measured" in reason for reason in found.reasons)
    assert [guard.name for guard in found.guards] == [
        "mass",
        "items whose gap grew",
        "over-correction (male)",
        "over-correction (female)",
    ]


def test_hints_about_another_attribute_guard_nothing() -> None:
    """English hints that are still followed say nothing of what German prompts lost."""
    about = "genbiaseval:attribute=gender_de"

    def german(run: ModelMeasurements) -> ModelMeasurements:
        return ModelMeasurements((replace(run.bias[0], benchmark=about), *run.bias[1:]), run.capability)

    after = measured(Made(lean=lambda x: 0.1 * x))
    found = judge(german(untreated()), german(after), Controlled(), margins=FAST)
    assert "hints" not in {guard.name for guard in found.guards}
    assert any("hints are still followed was not measured" in reason for reason in found.reasons)


PAIRS, FAMILY = pairs(0.7, Made()), damaged_pairs()


@pytest.mark.parametrize(
    ("preferred", "related", "verdict"),
    [
        (0.52, 0.9, V.MITIGATED),
        (0.52, 0.7, V.AT_A_COST),  # LMS is what SS must not be bought with
        (0.3, 0.9, V.OVER_CORRECTED),  # as far on the other side
        (0.9, 0.9, V.WORSE),
        (0.7, 0.9, V.NO_EVIDENCE),
    ],
)
def test_a_verdict_about_a_share_whose_ideal_is_50(preferred: float, related: float, verdict: V) -> None:
    found = judge(PAIRS, pairs(preferred, Made(), related), FAMILY, margins=FAST)
    assert found.verdict is verdict, found.reasons
    assert found.control is not None
    assert found.control.metric == "ss"
    assert found.control.total.value == pytest.approx(70 - 100 * preferred)
    kept_all = found.verdict is VerdictName.MITIGATED
    assert found.control.least == max(found.control.delta, 0 if kept_all else found.control.total.value / 2)
    assert [guard.name for guard in found.guards] == ["LMS (stereoset)", PAST]
    assert any(reason.startswith("Guard, LMS (stereoset): ") for reason in found.reasons)


def test_reasons_name_the_signed_distance_and_the_items() -> None:
    """SS of 70 is 20 above its ideal; at 54 it is 4 above, so 4 short of going beyond it."""
    found = judge(PAIRS, pairs(0.54, Made(), 0.7), FAMILY, margins=FAST)
    assert found.verdict is V.AT_A_COST
    turned = [guard for guard in found.guards if guard.name == PAST]
    lost = reasons.costs(found.capability, [dataclasses.replace(turned[0], kept=None)])
    assert lost.startswith(
        f"{PAST} is not excluded (signed distance from the ideal from 20.000 to 4.000; "
        "beyond 0 on the other side −4.000, "
    )
    told = [reason for reason in found.reasons if reason.startswith("Capability, ")]
    assert told
    for reason, check in zip(told, found.capability.checks, strict=True):
        assert f"n = {check.loss.n}, margin" in reason


def test_a_base_on_the_lower_side_is_judged_alike() -> None:
    base, models = pairs(0.3, Made()), damaged_pairs(start=0.3)
    assert judge(base, pairs(0.48, Made()), models, margins=FAST).verdict is V.MITIGATED
    assert judge(base, pairs(0.7, Made()), models, margins=FAST).verdict is V.OVER_CORRECTED
    assert judge(base, pairs(0.1, Made()), models, margins=FAST).verdict is V.WORSE


def test_too_little_bias_on_the_metrics_own_scale() -> None:
    even, models = pairs(0.53, Made()), damaged_pairs(start=0.53)
    found = judge(even, pairs(0.5, Made()), models, margins=FAST)
    assert found.verdict is V.NO_EVIDENCE
    assert "SS was 53.000 before, 3.000 from its ideal of 50, below the floor of 2" in found.reasons[0]
    assert judge(even, pairs(0.7, Made()), models, margins=FAST).verdict is V.WORSE
    assert judge(even, pairs(0.2, Made()), models, margins=FAST).verdict is V.OVER_CORRECTED
    strict = Margins(draws=300, bias_floor=30.0)
    assert "below the floor of 30" in judge(PAIRS, PAIRS, FAMILY, margins=strict).reasons[0]


def test_another_metric_of_the_run_can_be_what_the_verdict_is_about() -> None:
    found = judge(PAIRS, pairs(0.52, Made()), FAMILY, margins=FAST, primary="icat")
    assert found.verdict is V.MITIGATED, found.reasons
    assert found.control is not None
    assert found.control.total.value == pytest.approx(90 * (0.48 - 0.3) * 2)  # its distance from 100 fell
    about = judge(
        untreated(), measured(Made(lean=lambda x: 0.1 * x)), everyone(), margins=FAST, primary="afgb"
    )
    assert about.control is not None
    assert about.control.metric == "afgb"
    with pytest.raises(UsageError, match="A verdict cannot be about 'mass'"):
        judge(untreated(), untreated(), Controlled(), primary="mass")


def test_missing_primary_metric() -> None:
    only_hints = ModelMeasurements(untreated().bias[1:], untreated().capability)
    with pytest.raises(UsageError, match="-b genbiaseval"):
        judge(only_hints, only_hints, everyone(), margins=FAST)


def test_judgement_carries_everything_and_repeats() -> None:
    after = measured(Made(lean=lambda x: 0.1 * x))
    first, second = (judge(untreated(), after, everyone(), margins=FAST) for _ in "ab")
    assert first == second
    assert {e.benchmark for e in first.effects} == {"genbiaseval", "genhinteval", "facts", "perplexity"}
    assert first.control is not None
    assert first.control.total.value == pytest.approx(0.9 * float(np.abs(LEANS).mean()))
