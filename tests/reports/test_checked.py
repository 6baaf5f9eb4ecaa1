"""Checks in the reader's words."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.records import Check, Estimate
from evenhand.reports import checked
from evenhand.studies import guards, reasons
from evenhand.studies.capability import ACCURACY, LOG_PERPLEXITY


def check(name: str, loss: float | None, *, half: float = 0.004, kept: bool | None = True) -> Check:
    """A loss with `half` to each side."""
    ends = (None, None) if loss is None else (loss - half, loss + half)
    nothing = Estimate(None, None, None, 0)
    return Check(name, nothing, nothing, Estimate(loss, *ends, 30), 0.01, kept, "")


@pytest.mark.parametrize(
    ("name", "loss", "said"),
    [
        ("log_perplexity (perplexity:text=lab)", 0.255, "perplexity (perplexity:text=lab) rose by 29 %"),
        ("log_perplexity (perplexity)", 0.035, "perplexity (perplexity) rose by 3.6 %"),  # exp(.035) - 1
        ("accuracy (facts)", 0.014, "accuracy (facts) fell by 1.4 points"),
        ("accuracy (all questions)", -0.014, "accuracy over all questions rose by 1.4 points"),
        ("options (facts)", 0.05, "the probabilities of the answers (facts) moved by 0.050 nats"),
        ("mass", 0.67, "the probability of the groups' words fell by 67 %"),
        ("mass", -0.2, "the probability of the groups' words rose by 20 %"),
        ("hints", 0.062, "the following of explicit hints fell by 0.062"),
        (
            "rest of the distribution (text)",
            0.046,
            "the probabilities of all other words after neutral text moved by 0.046 nats",
        ),
        (
            "entropy of neutral text",
            0.135,
            "the certainty about the next word of neutral text fell by 0.135 nats",
        ),
        ("LMS (stereoset)", 3.0, "LMS (stereoset) got worse by 3.000"),
        ("accuracy (facts)", None, "accuracy (facts) was not measured"),
    ],
)
def test_a_loss_is_said_as_people_say_it(name: str, loss: float | None, said: str) -> None:
    assert checked.said(check(name, loss)) == said


def test_where_is_left_out_where_there_is_one_place() -> None:
    one, other = check("log_perplexity (perplexity)", 0.255), check("log_perplexity (people)", 0.255)
    accuracy = check("accuracy (facts)", 0.1)
    assert checked.said(one, [one, accuracy]) == "perplexity rose by 29 %"
    assert checked.said(one, [one, other]) == "perplexity (perplexity) rose by 29 %"


def test_the_smallest_excludable_loss() -> None:
    """0.010 + 0.004: a loss above 1.4 points is excluded. A gain of at least 0.006 excludes any loss."""
    assert checked.excluded(check("accuracy (facts)", 0.010)) == "above 1.4 points"
    assert checked.excluded(check("accuracy (facts)", -0.010)) == "any"
    assert checked.excluded(check("accuracy (facts)", None)) == "–"


def test_where_both_ways_count_the_larger_change_bounds() -> None:
    """The mass rose by 20 %, between 19.6 and 20.4: only larger changes than that are excluded."""
    assert checked.bound(check("mass", -0.2)) == pytest.approx(0.204)
    assert checked.bound(check("hints", -0.2)) == 0.0
    half_open = dataclasses.replace(check("mass", 0.1), loss=Estimate(0.1, None, 0.2, 30))
    assert checked.bound(half_open) is None


@pytest.mark.parametrize(
    ("kept", "loss", "state"),
    [(True, 0.0, "kept"), (False, 0.1, "lost"), (None, 0.1, "undecided"), (None, None, "not measured")],
)
def test_states(kept: bool | None, loss: float | None, state: str) -> None:
    assert checked.state(check("hints", loss, kept=kept)) == state


def test_a_gain_has_a_minus_and_what_rounds_to_nothing_has_none() -> None:
    assert checked.seen(check("accuracy (facts)", -0.003)) == "−0.3 points"
    assert checked.seen(check("accuracy (facts)", -0.0001)) == "0.0 points"
    assert checked.seen(check("hints", -0.019)) == "−0.019"


@pytest.mark.parametrize(
    "name", [f"{ACCURACY.name} (facts)", f"{LOG_PERPLEXITY.name} (perplexity)", guards.MASS, guards.HINTS,
             guards.PAST, f"{reasons.OVER} (male)"],
)  # fmt: skip
def test_every_name_that_the_verdict_gives_a_check_is_known(name: str) -> None:
    assert checked.words(check(name, 0.1)).what != name


def test_directions_name_the_group() -> None:
    assert checked.title(check("over-correction (male)", 0.1)) == (
        "direction of the bias (items that leaned to male)"
    )
    assert checked.title(check(reasons.PAST, 0.1)) == "direction of the bias beyond the ideal"
