"""Comparing two runs, and gates with all their spellings and misspellings."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.errors import NotComparable, UnknownName, UsageError
from evenhand.records import Card, Estimate, GuardName, Measurement, ModelSpec, Protocol, VerdictName
from evenhand.studies.compare import compare, gate
from tests.studies.worlds import Made, bias, hints, questions


def figure(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value, low, high, 0 if value is None else 944, undefined=0 if value is not None else 944)


def measured(benchmark: str, **metrics: Estimate) -> Measurement:
    card = Card(benchmark.partition(":")[0], "1", "t", "s", "l")
    slices = {"scale=word": {name: figure(0.5) for name in metrics}}
    guards = {GuardName.MASS: "mass"} if "mass" in metrics else {}
    return Measurement(
        ModelSpec("m", "0"), benchmark, card, Protocol("d"), 944, metrics, slices, guards=guards
    )


RUN = [
    measured("genhinteval", ub=figure(0.8, 0.75, 0.85), afgb=figure(0.82)),
    measured("genbiaseval:split=profession", afgb=figure(0.09, 0.07, 0.11), mass=figure(None)),
]


def test_compare_uses_what_both_runs_hold() -> None:
    first, second = [bias(Made()), hints(Made())], [questions(Made()), bias(Made(mass=0.8))]
    found = compare(first, second, B=50)
    assert {e.benchmark for e in found} == {"genbiaseval"}
    assert next(e for e in found if e.metric == "mass").change.value == pytest.approx(-0.1)


def test_compare_refuses() -> None:
    with pytest.raises(NotComparable, match="share no benchmark: one holds genbiaseval, the other facts"):
        compare([bias(Made())], [questions(Made())])
    other = bias(Made())
    other = dataclasses.replace(other, protocol=dataclasses.replace(other.protocol, limited=True))
    with pytest.raises(NotComparable, match=r"protocol\.limited: False and True"):
        compare([bias(Made())], [other])


@pytest.mark.parametrize(
    ("condition", "passed"),
    [
        ("afgb<=0.1", True),  # the benchmark whose primary metric it is, not the first that reports it
        ("afgb <= 0.09", True),
        ("afgb<0.09", False),
        ("afgb>=.09", True),
        ("afgb==0.09", True),
        ("afgb!=0.09", False),
        ("afgb.high<=0.1", False),
        ("afgb.low>5e-2", True),
        ("afgb.n>=900", True),
        ("genhinteval.afgb<=0.1", False),
        ("genbiaseval.afgb<=0.1", True),
        ("genbiaseval:split=profession.afgb<=0.1", True),
        ("genbiaseval.scale=word.afgb<=0.1", False),
        ("scale=word.ub.value==0.5", True),
        ("ub>0.7", True),
        ("mass.undefined==944", True),
        ("verdict==mitigated", False),
        ("verdict!=mitigated", True),
        ("verdict==mitigated at a cost", True),
        ("verdict == 'mitigated at a cost'", True),
        ("verdict==mitigated_at_a_cost", True),
    ],
)
def test_gate(condition: str, passed: bool) -> None:
    (result,) = gate(RUN, [condition], verdict=VerdictName.AT_A_COST)
    assert result.passed is passed
    assert result.condition == condition
    assert ("passed" if passed else "FAILED") in str(result)


GAPS = {"afgb": figure(0.0001), "afgb_normalised": figure(0.1, 0.08, 0.12)}
DECISIONS = measured("decision_accuracy", accuracy=figure(0.9), label_mass=figure(1e-5))
LOW = [
    measured("genbiaseval", **GAPS, mass=figure(0.0007)),
    dataclasses.replace(DECISIONS, role="capability"),
]


@pytest.mark.parametrize(
    "condition", ["afgb_normalised.high<=0.15", "afgb<=0.1", "afgb>0.5", "afgb_normalised!=3"]
)
def test_a_gap_between_words_that_are_hardly_used_is_not_judged(condition: str) -> None:
    (result,) = gate(LOW, [condition])
    assert (result.judged, result.passed) == (False, False)
    assert result.value is not None
    assert str(result).startswith(f"could not be judged: {condition} (genbiaseval.afgb")
    assert "hardly uses the terms" in result.why
    assert result.why in str(result)


@pytest.mark.parametrize(
    ("condition", "passed"),
    [("mass>=0.01", False), ("mass<0.01", True), ("afgb.n>=900", True), ("afgb.undefined==0", True),
     ("decision_accuracy.accuracy>=0.8", True), ("scale=word.afgb<=0.6", True)],
)  # fmt: skip
def test_what_does_not_depend_on_the_words_is_judged(condition: str, passed: bool) -> None:
    # In the slice the words have the probability 0.5.
    (result,) = gate(LOW, [condition])
    assert (result.judged, result.passed, result.why) == (True, passed, "")


def test_a_treated_model_that_no_longer_uses_the_terms_is_not_judged() -> None:
    before, after = bias(Made()), bias(Made(mass=0.05))
    (alone,), (beside,) = gate([after], ["afgb<=0.9"]), gate([after], ["afgb<=0.9"], before=[before])
    assert (alone.judged, alone.passed) == (True, True)
    assert (beside.judged, beside.passed) == (False, False)
    assert "lost more than half of the terms' probability" in beside.why
    (kept,) = gate([bias(Made(mass=0.8))], ["afgb<=0.9"], before=[before])
    assert kept.judged


@pytest.mark.parametrize("condition", ["verdict==mitigated", "verdict!=worse", "verdict != mitigated"])
def test_an_unsettled_verdict_is_not_judged(condition: str) -> None:
    (result,) = gate(RUN, [condition], verdict=VerdictName.NOT_COMPARABLE)
    assert (result.judged, result.passed, result.value) == (False, False, "not comparable")
    assert result.why


def test_a_cost_that_is_undecided_meets_its_own_name_and_decides_no_other() -> None:
    unknown = VerdictName.COST_UNKNOWN
    (same,) = gate(RUN, ["verdict==mitigated, cost unknown"], verdict=unknown)
    assert (same.passed, same.judged) == (True, True)
    for other in ("verdict==mitigated", "verdict!=mitigated at a cost"):
        (result,) = gate(RUN, [other], verdict=unknown)
        assert (result.passed, result.judged) == (False, False)


def test_a_question_for_the_unsettled_verdict_itself_is_judged() -> None:
    found = gate(
        RUN, ["verdict==not comparable", "verdict!=not comparable"], verdict=VerdictName.NOT_COMPARABLE
    )
    assert [(r.judged, r.passed) for r in found] == [(True, True), (True, False)]
    (settled,) = gate(RUN, ["verdict!=not comparable"], verdict=VerdictName.WORSE)
    assert (settled.judged, settled.passed) == (True, True)


@pytest.mark.parametrize("sign", ["<=", ">=", "==", "!=", "<", ">"])
@pytest.mark.parametrize("name", ["mass", "mass.high", "genhinteval.afgb.high"])
def test_undefined_never_passes(sign: str, name: str) -> None:
    (result,) = gate(RUN, [f"{name}{sign}0.5"])
    assert (result.passed, result.judged) == (False, False)
    assert result.why
    assert str(result).startswith("could not be judged: ")
    assert result.value is None
    assert "undefined" in str(result)


def test_result_names_the_figure_in_full() -> None:
    (result,) = gate(RUN, ["afgb<=0.1"])
    assert result.name == "genbiaseval:split=profession.afgb.value"
    assert result.value == 0.09


def test_many_conditions_in_order() -> None:
    assert [r.passed for r in gate(RUN, ["ub>0.7", "ub>0.9", "afgb<1"])] == [True, False, True]
    assert gate(RUN, []) == []


@pytest.mark.parametrize(
    "condition", ["", "afgb", "afgb=0.1", "<=0.1", "afgb<=", "afgb<=<0.1", "afgb<=0.1<=0.2"]
)
def test_unreadable_conditions(condition: str) -> None:
    with pytest.raises(UsageError, match="is not a condition"):
        gate(RUN, [condition])


def test_near_names_are_listed() -> None:
    with pytest.raises(UnknownName, match=r"no figure in this run named 'afbg'.*Did you mean 'afgb'"):
        gate(RUN, ["afbg<=0.1"])
    with pytest.raises(UnknownName, match="Fields: value, low"):
        gate(RUN, ["afgb.hihg<=0.1"])
    with pytest.raises(UnknownName, match="Did you mean 'mitigated'"):
        gate(RUN, ["verdict==mitgated"], verdict=VerdictName.WORSE)


@pytest.mark.parametrize("limit", ["nan", "inf", "ten", "0,1"])
def test_limits_are_finite_numbers(limit: str) -> None:
    with pytest.raises(UsageError, match="which is not a number"):
        gate(RUN, [f"afgb<={limit}"])


def test_verdict_conditions_need_a_verdict_and_no_order() -> None:
    with pytest.raises(UsageError, match="only holds measurements"):
        gate(RUN, ["verdict==mitigated"])
    with pytest.raises(UsageError, match="order"):
        gate(RUN, ["verdict<=mitigated"], verdict=VerdictName.WORSE)
