"""What a verification trains on when its benchmarks have something to train on, and when they have not."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import UsageError
from evenhand.records import Example, PersonExample
from evenhand.studies.trained_on import trained_on

FEW = "decisions:dev=4,n=5,shots=0,train=4"


def made(*specs: str) -> list[Benchmark]:
    return [registry.create("benchmark", spec) for spec in specs]


def test_a_benchmark_of_the_run_gives_the_examples() -> None:
    found = trained_on(
        "lab:causal", made("crows_pairs:data=lab", "genbiaseval", FEW), (PersonExample,), "faircon"
    )
    assert (found.benchmark, found.note) == (FEW, "")
    assert len(found.examples) == 8


def test_where_none_has_any_the_default_of_the_kind_does_and_it_is_said() -> None:
    pairs = made("crows_pairs:data=lab")
    prompts = trained_on("lab:causal", pairs, (Example,), "lftf")
    assert prompts.benchmark == "genbiaseval:split=heldout"
    assert all(isinstance(example, Example) for example in prompts.examples)
    assert "lftf was fitted on that of genbiaseval:split=heldout, which was not measured" in prompts.note
    people = trained_on("lab:decisions", pairs, (PersonExample,), "thresholds")
    assert people.benchmark == "decisions:parity=0.5,shots=8"
    assert all(isinstance(example, PersonExample) for example in people.examples)
    assert trained_on("lab:causal", pairs, (PersonExample,), "thresholds").benchmark == "decisions"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("genbiaseval", "In distribution: the professions and the templates"),
        ("genbiaseval:split=paper", "In distribution: the professions and the templates"),
        (
            "genbiaseval:split=profession",
            "The templates of the test of genbiaseval:split=profession are also",
        ),
    ],
)
def test_a_test_that_shares_with_its_train_part_says_so(spec: str, said: str) -> None:
    assert trained_on("lab:causal", made("genhinteval", spec), (Example,), "lftf").note.startswith(said)


def test_a_test_that_shares_nothing_says_nothing() -> None:
    heldout = trained_on("lab:causal", made("genhinteval", "genbiaseval:split=heldout"), (Example,), "lftf")
    assert (heldout.benchmark, heldout.note) == ("genbiaseval:split=heldout", "")
    # Where the train part itself is measured, there is no train part to share anything with.
    assert made("genbiaseval:part=all")[0].in_distribution == ""


def test_other_examples_than_the_mitigation_takes_are_refused() -> None:
    with pytest.raises(UsageError, match="works on prompts that groups' terms may follow"):
        trained_on("lab:causal", made("crows_pairs:data=lab", FEW), (Example,), "lftf")
