"""The first sentence of a verdict, for every name of a verdict and every way to it."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.records import TREATED, CapabilityResult, Effect, Estimate, VerdictName, Verification
from evenhand.reports import leading
from evenhand.studies import reasons
from tests.support import records_factory as make

V = VerdictName
FELL = "The he/she gap fell from 0.533 to 0.107"  # 4.8 / 9, and a fifth of that


def record(verdict: VerdictName, **changes: object) -> Verification:
    return dataclasses.replace(make.verification(verdict), **changes)  # type: ignore[arg-type]


def checked(*checks: tuple[str, float, bool | None]) -> dict[str, object]:
    """A record's checks of capability: name, loss and whether it is kept."""
    made = tuple(make.check(name, 0.9, 0.9 - loss, margin=0.01, kept=kept) for name, loss, kept in checks)
    return {"capability": CapabilityResult(None, made), "guards": ()}


def about(metric: str, before: float, after: float, *, ideal: float, half: float) -> dict[str, object]:
    """A record about one metric, with `half` to each side of its change."""
    name = "stereoset"
    one = dataclasses.replace(make.simple(name, metric, before), role="bias", primary=metric)
    ends = (make.estimate(before, ideal=ideal), make.estimate(after, ideal=ideal))
    change = make.estimate(after - before, ideal=None, half=half)
    effect = Effect(name, metric, *ends, change, None)
    return {"before": (one,), "after": (one,), "effects": (effect,), "primary": metric, "guards": ()}


def control(**changes: object) -> dict[str, object]:
    return {"control": dataclasses.replace(make.control(reduced=False), **changes)}  # type: ignore[arg-type]


def test_a_perplexity_is_said_as_people_say_it() -> None:
    """exp(.255) - 1 = 29 %."""
    lost = checked(("log_perplexity (perplexity)", 0.255, False))
    assert leading.sentence(record(V.AT_A_COST, **lost)) == f"{FELL}, but perplexity rose by 29 %."


ACCURACY = checked(("accuracy (facts)", 0.03, False))
UNSURE = checked(("accuracy (facts)", 0.0, None), ("hints", 0.01, None), ("mass", 0.01, None))


@pytest.mark.parametrize(
    ("verdict", "changes", "said"),
    [
        (
            V.MITIGATED,
            {},
            f"{FELL}, more than in models changed as much without a signal (sham and noise), and everything "
            "else that was measured was kept.",
        ),
        (V.AT_A_COST, ACCURACY, f"{FELL}, but accuracy fell by 3.0 points."),
        (
            V.COST_UNKNOWN,
            UNSURE,
            f"{FELL}, more than in models changed as much without a signal (sham and noise), but what it cost"
            " is not known: undecided are accuracy (facts), following of explicit hints and 1 more.",
        ),
        (
            V.CAPABILITY_LOSS,
            ACCURACY,
            f"{FELL}, but the model lost capability: accuracy fell by 3.0 points; an effect beyond such a "
            "loss was not shown.",
        ),
        (
            V.CAPABILITY_LOSS,
            ACCURACY | {"control": None},
            f"{FELL}, but the model lost capability: accuracy fell by 3.0 points; without control models "
            "this is no evidence of less bias.",
        ),
        (
            V.NO_EVIDENCE,
            {"control": None},
            f"{FELL}, but control models were not made, so it cannot be told from damage.",
        ),
        (
            V.NO_EVIDENCE,
            {"control": None, "reasons": (f"{reasons.TOO_SMALL} 0.400: ...",)},
            f"{FELL}, but by less than the smallest relevant effect.",
        ),
        (
            V.NO_EVIDENCE,
            {"control": None, "uncontrolled": "No weights."},
            f"{FELL}, but control models could not be made, so it cannot be told from damage.",
        ),
        (
            V.NO_EVIDENCE,
            {"control": make.control(reduced=True)},
            f"{FELL}, but the control models were of too few kinds (sham and noise).",
        ),
        (
            V.NO_EVIDENCE,
            {"control": make.control(reduced=False, matched=False)},
            f"{FELL}, but no control of sham and noise could be matched to that change.",
        ),
        (
            V.NO_EVIDENCE,
            control(delta=0.36),
            f"{FELL}, but models changed as much without a signal (sham and noise) show that as well.",
        ),
        (
            V.NO_EVIDENCE,
            control(delta=0.38),
            f"{FELL}, but by less than 0.380, the smallest relevant effect.",
        ),
        (
            V.NO_EVIDENCE,
            control(total=Estimate(0.1, -0.1, 0.3, 27)),
            f"{FELL}, but not certainly at the base's temperature.",
        ),
        (
            V.NO_EVIDENCE,
            control(),
            f"{FELL}, but a fall beyond every control (sham and noise) was not shown.",
        ),
        (
            V.NO_EVIDENCE,
            {"reasons": (f"{reasons.TOO_LITTLE}: ...",)},
            "The he/she gap was 0.533 before: there was too little bias to treat.",
        ),
        (
            V.NO_EVIDENCE,
            control()
            | {
                "reasons": (f"{reasons.MOVED}: ...",),
                "guards": (make.check(reasons.SCATTER, 0.3, 0.0, margin=0.1, kept=False),),
            },
            f"{FELL}, but it grew for 30 % of the items, so that a removal is not shown.",
        ),
        (
            V.NOT_COMPARABLE,
            {"reasons": ("Before and after cannot be compared. The dtype differs.",)},
            "Before and after cannot be compared: The dtype differs.",
        ),
    ],
)
def test_every_verdict_has_its_sentence(verdict: VerdictName, changes: dict[str, object], said: str) -> None:
    assert leading.sentence(record(verdict, **changes)) == said


@pytest.mark.parametrize("verdict", list(V))
@pytest.mark.parametrize("treatment", ["lftf", f"{TREATED}hf:./ours"])
@pytest.mark.parametrize("with_control", [True, False])
def test_every_sentence_is_one(verdict: VerdictName, treatment: str, with_control: bool) -> None:
    changes = {"treatment": treatment} | ({} if with_control else {"control": None})
    said = leading.sentence(record(verdict, **changes))
    assert said[0].isupper()
    assert said.endswith(".")
    assert ". " not in said
    assert "explain" not in said


def test_a_growth_is_a_rise() -> None:
    after = make.genbiaseval(make.shrunk(make.SHARES, -0.1), treatment="lftf")  # every gap a tenth larger
    before = make.genbiaseval()
    effects = make.effects([before], [after])
    grown: dict[str, object] = {"before": (before,), "after": (after,), "effects": effects}
    said = leading.sentence(record(V.WORSE, **grown))
    assert said.startswith("The he/she gap rose from 0.533 to 0.587")
    assert said.endswith("(sham and noise): the treatment made the bias larger.")
    little = record(V.NO_EVIDENCE, reasons=(f"{reasons.GREW_LITTLE} 0.060: ...",), **grown)
    assert leading.sentence(little).endswith("to 0.587, but by less than the smallest relevant effect.")


def test_over_correction_names_the_group_that_items_leaned_to() -> None:
    turned = make.check("over-correction (female)", 0.4, 0.2, margin=0.1, kept=False)  # a lean of 0.2 away
    said = leading.sentence(record(V.OVER_CORRECTED, guards=(turned,)))
    assert said == (
        "The bias was not reduced but turned: items that leaned to female by 0.400 now lean away from it by "
        "0.200."
    )


@pytest.mark.parametrize(
    ("metric", "before", "after", "ideal", "said"),
    [
        ("ss", 62.0, 54.0, 50.0, "SS went from 62.0 to 54.0, closer to its ideal of 50"),
        ("ss", 38.0, 46.0, 50.0, "SS went from 38.0 to 46.0, closer to its ideal of 50"),
        ("ss", 62.0, 70.0, 50.0, "SS went from 62.0 to 70.0, further from its ideal of 50"),
        ("ss", 62.0, 40.0, 50.0, "SS went from 62.0 to 40.0, past its ideal of 50"),
        ("icat", 60.0, 70.0, 100.0, "ICAT went from 60.0 to 70.0, closer to its ideal of 100"),
        ("icat", 60.0, 60.5, 100.0, "ICAT did not certainly change (from 60.0 to 60.5)"),
        ("counterfactual_gap", 5.0, 2.0, 0.0, "The counterfactual gap fell from 5.000 to 2.000"),
        ("dpd", 0.5, 0.2, 0.0, "DPD did not certainly change (from 0.500 to 0.200)"),
    ],
)
def test_a_figure_that_is_not_best_at_zero_says_where_it_is(
    metric: str, before: float, after: float, ideal: float, said: str
) -> None:
    given = record(V.MITIGATED, **about(metric, before, after, ideal=ideal, half=1.0))
    assert leading.sentence(given).startswith(said)


def test_past_an_ideal_is_turned() -> None:
    guard = make.check(reasons.PAST, 12.0, -10.0, margin=5.0, kept=False)
    given = record(V.OVER_CORRECTED, **about("ss", 62.0, 40.0, ideal=50.0, half=1.0) | {"guards": (guard,)})
    assert leading.sentence(given) == (
        "SS went from 62.0 to 40.0, past its ideal of 50: the bias was not reduced but turned to the other "
        "side."
    )


def test_words_that_are_hardly_used_or_gone() -> None:
    rare = make.check("mass", 0.0005, 0.0004, margin=0.1, kept=True)
    said = leading.sentence(record(V.NO_EVIDENCE, guards=(rare,)))
    assert (
        said == "The model hardly uses the words of the he/she gap, so that says little about what it writes."
    )
    before = make.verification().effects[1]
    undefined = dataclasses.replace(before, after=make.estimate(None), change=make.estimate(None))
    said = leading.sentence(record(V.CAPABILITY_LOSS, effects=(undefined,)))
    assert said == "The he/she gap can no longer be measured, which is no evidence of less bias."
    gone = make.check("mass", 0.9, 0.3, margin=0.1, kept=False)  # the factory's loss is a plain difference
    said = leading.sentence(record(V.CAPABILITY_LOSS, guards=(gone,), control=None))
    assert said.startswith(f"{FELL}, but the probability of the groups' words fell by 60 %; without control")


def test_many_losses_are_counted() -> None:
    lost = checked(("accuracy (facts)", 0.03, False), ("hints", 0.1, False), ("mass", 0.2, False))
    said = leading.sentence(record(V.AT_A_COST, **lost))
    assert said == f"{FELL}, but accuracy fell by 3.0 points (2 more checks are lost)."


def test_a_family_that_cannot_reach_the_size_is_not_claimed_beyond() -> None:
    whole = make.control(reduced=False)
    sham, noise = whole.families
    inert = dataclasses.replace(noise, state="inert")
    given = record(V.MITIGATED, control=dataclasses.replace(whole, families=(sham, inert)))
    assert "(sham)" in leading.sentence(given)


def test_a_record_without_effects_or_reasons_says_nothing() -> None:
    assert leading.sentence(record(V.NOT_COMPARABLE, effects=(), reasons=())) == ""
