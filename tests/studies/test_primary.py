"""Which metric a verdict is about: what a benchmark declares, or what the user asks for."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import UsageError
from evenhand.studies.primary import of_benchmarks, of_measurements, subject
from tests.studies.worlds import Made, bias, hints, questions
from tests.support import records_factory as make


def benchmark(spec: str) -> Benchmark:
    made: Benchmark = registry.create("benchmark", spec)
    return made


PAIRS, GAPS = benchmark("crows_pairs:data=lab"), benchmark("genbiaseval")
HINTS, PEOPLE = benchmark("genhinteval"), benchmark("decisions:dev=4,n=5,shots=0,train=4")


def test_the_benchmark_that_trains_decides_then_the_first_with_a_primary_metric() -> None:
    assert of_benchmarks([PAIRS, GAPS], None, GAPS.name) == "afgb_normalised"
    assert of_benchmarks([PAIRS, GAPS], None, PAIRS.name) == "stereotype_preference"
    assert of_benchmarks([HINTS, PAIRS], None, HINTS.name) == "stereotype_preference"
    assert of_benchmarks([PAIRS], None, "one that is not measured") == "stereotype_preference"


def test_any_metric_with_an_ideal_can_be_asked_for() -> None:
    assert of_benchmarks([GAPS, HINTS], "ub", GAPS.name) == "ub"
    assert of_benchmarks([PEOPLE], "dpd", PEOPLE.name) == "dpd"


@pytest.mark.parametrize("asked", ["dpd", "mass", "no such metric", ""])
def test_a_wrong_one_is_refused_with_what_there_is(asked: str) -> None:
    with pytest.raises(UsageError, match="A verdict cannot be about") as found:
        of_benchmarks([GAPS, HINTS], asked)
    assert "genbiaseval: afgb, afgb_normalised" in (found.value.mend or "")
    assert "genhinteval: ub" in (found.value.mend or "")
    assert "mass" not in (found.value.mend or "")  # it has no best value


def test_where_no_benchmark_has_a_primary_metric_the_user_is_told_what_to_add_or_to_ask_for() -> None:
    with pytest.raises(UsageError, match="genhinteval names none") as found:
        of_benchmarks([HINTS], None)
    assert found.value.mend == (
        "Add a bias benchmark that does, such as -b genbiaseval, or choose one with --primary, such as ub."
    )


def test_the_same_from_measurements_without_those_of_capability() -> None:
    taken = [questions(Made()), hints(Made()), bias(Made())]
    assert of_measurements(taken, None) == "afgb_normalised"
    assert of_measurements(taken, "ub") == "ub"
    with pytest.raises(UsageError, match="'accuracy'"):
        of_measurements(taken, "accuracy")


def test_what_a_stored_verification_is_about() -> None:
    record = make.verification()
    assert subject(record) == ("genbiaseval", "afgb_normalised")
    assert subject(dataclasses.replace(record, primary="ub")) == ("genhinteval", "ub")
    assert subject(dataclasses.replace(record, before=record.before[1:])) is None
