"""The next step after every verdict, and what would settle an open question."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from evenhand import registry
from evenhand.records import TREATED, CapabilityResult, Check, Estimate, VerdictName, Verification
from evenhand.reports import advice
from evenhand.studies import reasons
from tests.reports.test_controlled import family, result
from tests.support import records_factory as make

V = VerdictName
GIVEN = f"{TREATED}hf:./ours"
SIX = (*family().points, *family().points[:2])
UNREAD: dict[str, Any] = {"matched": False, "state": "few", "p_value": None}


def record(verdict: VerdictName, **changes: object) -> Verification:
    return dataclasses.replace(make.verification(verdict), **changes)  # type: ignore[arg-type]


def checks(*found: Check) -> dict[str, object]:
    return {"capability": CapabilityResult(None, found), "guards": ()}


def accuracy(kept: bool | None, needed: int | None = None) -> Check:
    """A loss of 3 points, 0.4 to each side, of 30 items."""
    one = make.check("accuracy (facts)", 0.9, 0.87, margin=0.01, kept=kept)
    return dataclasses.replace(one, items_needed=needed)


@pytest.mark.parametrize("verdict", [V.AT_A_COST, V.CAPABILITY_LOSS, V.OVER_CORRECTED])
@pytest.mark.parametrize(
    ("treatment", "step"),
    [
        ("lftf", "Try `--with lftf:loss=mass_preserving`."),
        ("lftf:loss=nll", "Try `--with lftf:loss=mass_preserving`."),
        ("lftf:blocks=2,loss=printed", "Try `--with lftf:blocks=2,loss=mass_preserving`."),
        ("full_finetune:lr=0.1", "Try `--with lftf:loss=mass_preserving`."),
        ("lftf:loss=mass_preserving", "Try the block that carries the bias: `--locator ablation`."),
        (
            "lftf:blocks=2,loss=mass_preserving",
            "Try a weaker form of lftf:blocks=2,loss=mass_preserving (smaller `lr` or fewer `epochs`),",
        ),
        ("faircon", "Try a weaker form of faircon (smaller `lr`), or another"),
        ("prompt", "Try another method (`evenhand ls mitigations`), in place of prompt."),
        ("gone:x=1", "Try another method (`evenhand ls mitigations`), in place of gone:x=1."),
        (GIVEN, "Do not use it as it is: treat the base again with a weaker setting, and keep accuracy"),
    ],
)
def test_after_a_loss_a_treatment_that_changes_less(verdict: VerdictName, treatment: str, step: str) -> None:
    given = record(verdict, treatment=treatment, **checks(accuracy(kept=False)))
    assert step in advice.next_step(given)


def test_what_is_proposed_exists() -> None:
    for spec in ("lftf:loss=mass_preserving", "lftf:blocks=2,loss=mass_preserving"):
        registry.create("mitigation", spec)
    registry.get("locator", "ablation")


def test_the_located_block_is_proposed_once() -> None:
    located = make.location("ablation", specific=True)
    step = advice.next_step(record(V.AT_A_COST, location=located))
    assert step.startswith("Try a weaker form of lftf:loss=mass_preserving")


@pytest.mark.parametrize("verdict", list(V))
@pytest.mark.parametrize("control", [make.control(), make.control(reduced=False), None])
def test_no_option_of_a_method_for_a_model_that_somebody_else_treated(
    verdict: VerdictName, control: object
) -> None:
    given = record(verdict, treatment=GIVEN, control=control, location=None)
    for text in (advice.next_step(given), *advice.settling(given)):
        assert text
        assert "--with" not in text
        assert "--locator" not in text
        assert TREATED not in text


def test_what_was_mitigated_is_saved_and_held() -> None:
    step = advice.next_step(record(V.MITIGATED, seed=3))
    assert step == (
        "Save it: `evenhand mitigate lab:causal --with lftf:loss=mass_preserving --locator bmi --seed 3 --out"
        " treated`, and hold it in your pipeline: `evenhand gate RUN verdict==mitigated` (RUN is this run's "
        "folder)."
    )
    assert advice.next_step(record(V.MITIGATED, treatment=GIVEN)).startswith("Hold it in your pipeline")


def test_a_name_with_a_space_is_quoted() -> None:
    model = dataclasses.replace(make.MODEL, uri="hf:./my model")
    assert "'hf:./my model'" in advice.next_step(record(V.MITIGATED, model=model))


def test_an_unknown_cost_names_the_benchmark_and_its_items() -> None:
    few, more = accuracy(None, 640), dataclasses.replace(accuracy(None, 1400), name="accuracy (coreference)")
    bound = make.check("entropy of neutral text", 2.3, 2.24, margin=0.05, kept=None)  # 0.06 + 0.004
    given = record(V.COST_UNKNOWN, **checks(few, bound, more))
    asked = "Measure accuracy (coreference) on about 1400 items: this run had 30."
    assert advice.next_step(given) == asked
    assert advice.settling(given) == (
        asked,
        "Measure accuracy (facts) on about 640 items: this run had 30.",
        "Measure certainty about the next word of neutral text on more items: with 30 a loss of up to 0.064 "
        "nats is possible, and the margin is 0.050 nats.",
    )


def test_what_was_not_measured_comes_first() -> None:
    nothing = Estimate(None, None, None, 0)
    hints = Check("hints", nothing, nothing, nothing, 0.05, None, "")
    given = record(V.COST_UNKNOWN, **checks(accuracy(None, 640), hints))
    assert advice.next_step(given) == "Measure following of explicit hints: this run did not."
    bare = record(V.COST_UNKNOWN, **checks())
    assert "`--capability`" in advice.next_step(bare)
    assert advice.settling(bare) == (advice.next_step(bare),)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"control": None}, "`--control standard`"),
        ({"control": make.control(reduced=True)}, "`--control full`"),
        ({"control": result(family(p_value=0.04))}, "more control models: run it again with `--control stan"),
        (
            {"control": result(family(p_value=0.31))},
            "Try a stronger form of lftf:loss=mass_preserving (larger `lr` or more",
        ),
        (
            {"control": result(family(p_value=0.01), family(family="noise", points=SIX, **UNREAD))},
            "Treat the base in another way: noise cannot be made to change it as much as the treatment did",
        ),
        (  # ended by a budget: more models may match it
            {"control": result(family(p_value=0.01), family(family="noise", **UNREAD))},
            "more control models: run it again with `--control stan",
        ),
        ({"control": None, "uncontrolled": "No control model was possible."}, "weights can be opened"),
        ({"reasons": (f"{reasons.TOO_LITTLE}: ...",)}, "Measure another bias"),
        (
            {
                "reasons": (f"{reasons.MOVED}: ...",),
                "guards": (make.check(reasons.SCATTER, 0.3, 0.0, margin=0.1, kept=False),),
            },
            "Look at the items whose gap grew",
        ),
        ({"effects": ()}, "Try a stronger form"),
        (
            {"control": None, "reasons": (f"{reasons.TOO_SMALL} 0.040: ...",)},
            "Try a stronger form of lftf:loss=mass_preserving",
        ),
        (  # options moved, and the bias did not fall
            {"effects": (), "control": None, "capability": CapabilityResult(False, ())},
            "Try the block that carries the bias",  # what changes less, not a stronger form
        ),
        (
            {"effects": (), "control": None, "reasons": (f"{reasons.NOT_JUDGED}. ...",)},
            "`--control standard`",
        ),
    ],
)
def test_without_evidence_the_step_says_what_would_give_some(changes: dict[str, object], step: str) -> None:
    assert step in advice.next_step(record(V.NO_EVIDENCE, **changes))


def test_a_loss_without_control_models_asks_for_them_unless_the_words_are_gone() -> None:
    lost = checks(accuracy(kept=False)) | {"control": None, "treatment": "lftf"}
    assert "`--control standard`" in advice.next_step(record(V.CAPABILITY_LOSS, **lost))
    gone = lost | {"guards": (make.check("mass", 0.9, 0.3, margin=0.1, kept=False),)}
    assert "mass_preserving" in advice.next_step(record(V.CAPABILITY_LOSS, **gone))


def test_other_steps() -> None:
    assert "another method than lftf" in advice.next_step(record(V.WORSE))
    assert "the same conditions" in advice.next_step(record(V.NOT_COMPARABLE))


def test_further_models_settle_what_the_control_could_not_show() -> None:
    weak, unread = family(p_value=0.04), family(matched=False, state="few", family="noise")
    given = record(V.NO_EVIDENCE, control=result(weak, unread))
    more, matched = advice.settling(given)
    assert more.startswith("More models of each family: an effect beyond them of less than 0.030 would")
    assert matched == "Control models that change the model as much: noise did not."
    assert advice.settling(record(V.NO_EVIDENCE, control=result())) == ()  # shown in every family
    none = (f"{reasons.TOO_LITTLE}: ...",)
    assert advice.settling(record(V.NO_EVIDENCE, control=result(weak, unread), reasons=none)) == ()


def test_after_a_loss_controls_of_equal_size_leave_the_loss_open() -> None:
    lost = {"capability": CapabilityResult(False, (accuracy(kept=False),))}
    (said,) = advice.settling(record(V.CAPABILITY_LOSS, control=result(), **lost))
    assert said.startswith("Control models that lose as much capability")
    reached = record(V.CAPABILITY_LOSS, control=result(family(basis="loss")), **lost)
    assert advice.settling(reached) == ()


@pytest.mark.parametrize("verdict", [V.MITIGATED, V.AT_A_COST, V.OVER_CORRECTED, V.WORSE, V.NOT_COMPARABLE])
def test_a_settled_verdict_needs_nothing(verdict: VerdictName) -> None:
    assert advice.settling(record(verdict)) == ()
