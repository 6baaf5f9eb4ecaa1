"""What was shown and what was not."""

from __future__ import annotations

import dataclasses

from evenhand.records import CapabilityResult, Estimate, Verification
from evenhand.reports import shown
from tests.reports.test_controlled import family, result
from tests.support import records_factory as make


def record(**changes: object) -> Verification:
    return dataclasses.replace(make.verification(), **changes)  # type: ignore[arg-type]


def states(given: Verification) -> dict[str, str]:
    return {row[0]: row[1] for row in shown.claims(given).rows}


def test_every_claim_has_a_state_and_its_figures() -> None:
    """The fall is 0.533 - 0.107 = 0.427, and the control's T is the same to be judged."""
    total = Estimate(0.8 * 4.8 / 9, 0.40, 0.45, 27)
    control = dataclasses.replace(result(family(), family(p_value=0.04, family="noise")), total=total)
    rows = shown.claims(record(control=control)).rows
    assert rows == (
        ("the bias fell", "shown", "by 0.427 [0.397 to 0.457]"),
        ("the fall is large enough to matter", "shown", "0.427; 0.060 or more is relevant"),
        (
            "it fell more than in sham models",
            "shown",
            "by 0.400 [0.300 to 0.500], p 0.001, claimed up to 0.025",
        ),
        (
            "it fell more than in noise models",
            "not shown",
            "by 0.400 [0.300 to 0.500], p 0.040, claimed up to 0.025",
        ),
    )


def test_a_part_below_the_smallest_relevant_effect_is_not_shown() -> None:
    small = family(specific=Estimate(0.05, 0.04, 0.07, 27))  # below delta, 0.06
    assert states(record(control=result(small)))["it fell more than in sham models"] == "not shown"


def test_another_reading_of_the_treated_model_is_a_claim_of_its_own() -> None:
    at = "it fell at the base's temperature as well"
    assert at not in states(
        record(control=dataclasses.replace(result(), total=Estimate(0.8 * 4.8 / 9, 0.4, 0.45, 27)))
    )
    assert states(record(control=result()))[at] == "shown"  # T is 0.43
    unsure = dataclasses.replace(result(), total=Estimate(0.1, -0.1, 0.3, 27))
    assert states(record(control=unsure))[at] == "not shown"


def test_what_did_not_run_was_not_tested() -> None:
    assert states(record(control=None))["it fell more than in control models"] == "not tested"
    (*_, last) = shown.claims(record(control=None, uncontrolled="No weights.")).rows
    assert last[2] == "No weights."
    absent = dataclasses.replace(result(), absent=("There is no control sham: the method has none.",))
    assert states(record(control=absent))["it fell more than in further models"] == "not tested"
    unread = family(matched=False, state="broken")
    assert states(record(control=result(unread)))["it fell more than in sham models"] == "not tested"


def test_a_control_that_cannot_carry_a_claim_says_so() -> None:
    kinds = "the control models are of enough kinds"
    assert states(record(control=dataclasses.replace(result(), reduced=True)))[kinds] == "not shown"
    assert kinds not in states(record(control=result()))


def test_after_a_loss_some_controls_must_have_lost_as_much() -> None:
    among = "models that lost as much capability are among them"
    lost = CapabilityResult(False, ())
    assert states(record(control=result(), capability=lost))[among] == "not tested"
    assert states(record(control=result(family(basis="loss")), capability=lost))[among] == "shown"
    assert among not in states(record(control=result()))


def test_checks_show_the_smallest_loss_that_is_excluded() -> None:
    """Accuracy: 0.005 + 0.004; log-perplexity is not named as the verdict names it, so it stays as it is."""
    first, second, *_ = shown.losses(make.verification()).rows
    assert first[1:] == ("kept", "0.5 points", "above 0.9 points", "1.0 points")
    assert second == ("log-perplexity", "undecided", "−0.010", "any", "0.020")


def test_the_claim_names_the_families_that_ran() -> None:
    assert shown.scope(record()).startswith("A claim goes beyond sham and noise, and beyond nothing else")
    assert "cannot be told from damage" in shown.scope(record(control=None))
    assert shown.asked_in(record()) == ""  # English sentences are not spoken of


def test_a_run_without_effects_claims_nothing() -> None:
    assert shown.claims(record(effects=())).rows == ()
