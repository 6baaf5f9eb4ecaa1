"""Comparing two runs, and gates with all their spellings and misspellings."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.errors import NotComparable, UnknownName, UsageError
from evenhand.records import Card, Estimate, Measurement, ModelSpec, Protocol, VerdictName
from evenhand.studies.compare import compare, gate
from tests.studies.worlds import Made, bias, hints, questions


def figure(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value, low, high, 0 if value is None else 944, undefined=0 if value is not None else 944)


def measured(benchmark: str, **metrics: Estimate) -> Measurement:
    card = Card(benchmark.partition(":")[0], "1", "t", "s", "l")
    slices = {"scale=word": {name: figure(0.5) for name in metrics}}
    return Measurement(ModelSpec("m", "0"), benchmark, card, Protocol("d"), 944, metrics, slices)


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


@pytest.mark.parametrize("sign", ["<=", ">=", "==", "!=", "<", ">"])
@pytest.mark.parametrize("name", ["mass", "mass.high", "genhinteval.afgb.high"])
def test_undefined_never_passes(sign: str, name: str) -> None:
    (result,) = gate(RUN, [f"{name}{sign}0.5"])
    assert not result.passed
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
    with pytest.raises(UsageError, match="which is no number"):
        gate(RUN, [f"afgb<={limit}"])


def test_verdict_conditions_need_a_verdict_and_no_order() -> None:
    with pytest.raises(UsageError, match="only holds measurements"):
        gate(RUN, ["verdict==mitigated"])
    with pytest.raises(UsageError, match="order"):
        gate(RUN, ["verdict<=mitigated"], verdict=VerdictName.WORSE)
