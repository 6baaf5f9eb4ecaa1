"""The first sentence of a verdict and the next step, for every name of a verdict."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.records import TREATED, VerdictName, Verification
from evenhand.reports import leading
from evenhand.studies import reasons
from tests.support import records_factory as make

V = VerdictName


def record(verdict: VerdictName, **changes: object) -> Verification:
    return dataclasses.replace(make.verification(verdict), **changes)  # type: ignore[arg-type]


def lost(name: str, loss: float, kept: bool | None = False) -> dict[str, object]:
    one = make.check(name, 0.9, 0.9 - loss, margin=0.01, kept=kept)
    whole = make.verification()
    return {"capability": dataclasses.replace(whole.capability, checks=(one,)), "guards": ()}


def test_a_perplexity_is_said_as_people_say_it() -> None:
    """exp(.255) - 1 = 29 %."""
    said = leading.sentence(record(V.AT_A_COST, **lost("log_perplexity (perplexity)", 0.255)))
    assert said.startswith("The he/she gap fell from ")
    assert said.replace("\u202f", " ").replace("\xa0", " ").endswith(", but perplexity rose by 29 %.")


@pytest.mark.parametrize(
    ("verdict", "part"),
    [
        (V.MITIGATED, "more than in models changed as much"),
        (V.AT_A_COST, "but accuracy (facts) fell by 3.000 points"),
        (V.COST_UNKNOWN, "whether it cost anything is not known"),
        (V.CAPABILITY_LOSS, "the model lost capability: accuracy (facts) fell by 3.000 points"),
        (V.WORSE, "The he/she gap"),
        (V.OVER_CORRECTED, "The gap fell by 80 %."),
        (V.NO_EVIDENCE, "The gap fell by 80 %."),
        (V.NOT_COMPARABLE, "The gap fell by 80 %."),
    ],
)
def test_every_verdict_has_a_sentence(verdict: VerdictName, part: str) -> None:
    assert part in leading.sentence(record(verdict, **lost("accuracy (facts)", 0.03)))


@pytest.mark.parametrize(
    ("treatment", "verdict", "step"),
    [
        ("lftf", V.CAPABILITY_LOSS, "Try --with lftf:loss=mass_preserving."),
        ("full_finetune", V.AT_A_COST, "Try --with lftf:loss=mass_preserving."),
        ("lftf:loss=mass_preserving", V.OVER_CORRECTED, "--locator ablation"),
        ("prompt", V.WORSE, "another method"),
        (TREATED + "hf:./ours", V.AT_A_COST, "Treat again with less: lost was accuracy (facts)."),
        ("lftf", V.MITIGATED, "Save it: evenhand mitigate"),
        (TREATED + "hf:./ours", V.MITIGATED, "evenhand gate RUN"),
        ("lftf", V.NOT_COMPARABLE, "under the same conditions"),
    ],
)
def test_the_next_step_follows_from_verdict_and_treatment(
    treatment: str, verdict: VerdictName, step: str
) -> None:
    given = record(verdict, treatment=treatment, **lost("accuracy (facts)", 0.03))
    assert step in leading.next_step(given)
    if treatment.startswith(TREATED):
        assert "--with" not in leading.next_step(given)


def test_what_is_undecided_names_the_items_that_would_decide_it() -> None:
    one = dataclasses.replace(
        make.check("accuracy (facts)", 0.9, 0.9, margin=0.01, kept=None), items_needed=640
    )
    whole = make.verification()
    given = record(V.COST_UNKNOWN, capability=dataclasses.replace(whole.capability, checks=(one,)), guards=())
    assert leading.next_step(given).startswith("Measure accuracy (facts) on about 640 items; it has ")


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        (
            {"control": None, "reasons": (f"{reasons.NOT_JUDGED}. Without control models ...",)},
            "--control standard",
        ),
        ({"control": make.control(reduced=True)}, "--control full"),
        ({"control": make.control(reduced=False)}, "stronger treatment"),
        ({"control": None, "uncontrolled": "No control model was possible: ..."}, "give their weights"),
        ({"control": None}, "Measure a bias that this model has"),
    ],
)
def test_without_evidence_the_step_says_what_would_give_some(changes: dict[str, object], step: str) -> None:
    assert step in leading.next_step(record(V.NO_EVIDENCE, **changes))
