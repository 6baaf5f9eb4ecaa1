"""Whoever cannot be fitted on what is measured is refused before a model is opened, with what would fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand import registry
from evenhand.errors import UsageError
from evenhand.records import EVERY_KIND, Example, PersonExample
from evenhand.studies import verbs
from evenhand.studies.training_data import training_data, usable
from evenhand.studies.verbs import VerifyOptions
from evenhand.testing import tiny
from evenhand.testing.examples import examples, people


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tiny.module("llama").save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return f"hf:{folder}"


NOWHERE = "hf:./there/is/no/such/model"
FEW = "decisions:dev=4,n=5,shots=0,train=4"


def test_every_mitigation_says_what_it_fits_on() -> None:
    kinds = {
        name: registry.get(kind, name).fits_on
        for kind in ("mitigation", "control", "locator")
        for name in registry.names(kind)
    }
    assert all(set(found) <= set(EVERY_KIND) and found for found in kinds.values())
    assert kinds["lftf"] == (Example,)
    assert kinds["faircon"] == kinds["thresholds"] == (PersonExample,)
    assert set(kinds["prompt"]) == set(kinds["noise"]) == set(EVERY_KIND)


@pytest.mark.parametrize("verb", ["mitigate", "verify"])
def test_prompts_are_not_people_and_people_not_prompts(verb: str, tmp_path: Path) -> None:
    def start(mitigation: str, *benchmarks: str) -> None:
        options = VerifyOptions(benchmarks=benchmarks, capability=(FEW,), out=tmp_path / "run")
        if verb == "mitigate":
            verbs.mitigate(NOWHERE, mitigation, tmp_path / "out", options)
        else:
            verbs.verify(NOWHERE, mitigation, options)

    with pytest.raises(UsageError, match="works on prompts that groups' terms may follow") as found:
        start("lftf", FEW)
    assert "gives people to decide on" in found.value.what
    for word in ("faircon", "thresholds", "group_gap", "-b genbiaseval"):
        assert word in (found.value.mend or "")
    assert "noise" not in (found.value.mend or "")  # a control is nothing to mitigate with
    with pytest.raises(UsageError, match="faircon works on people to decide on") as found:
        start("faircon", "genbiaseval")
    assert "lftf" in (found.value.mend or "")
    assert "-b decisions" in (found.value.mend or "")
    assert not any(tmp_path.iterdir())


def test_a_locator_of_decisions_is_refused_and_no_mitigation_offered_in_its_place() -> None:
    with pytest.raises(UsageError, match="The locator bmi works on prompts") as found:
        verbs.locate(NOWHERE, "bmi", VerifyOptions(benchmarks=(FEW,)))
    assert found.value.mend == "Measure -b genbiaseval; no locator works on people to decide on."


def test_the_first_benchmark_that_fits_gives_the_examples() -> None:
    made = [registry.create("benchmark", spec) for spec in ("perplexity:text=lab", "genbiaseval", FEW)]
    assert {type(e) for e in training_data(made, (PersonExample,), "faircon")} == {PersonExample}
    assert {type(e) for e in training_data(made, (Example,), "lftf")} == {Example}
    assert {type(e) for e in training_data(made, (Example, PersonExample), "prompt")} == {Example}
    with pytest.raises(UsageError, match="train part to learn from"):
        training_data(made[:1], (Example,), "lftf")


def test_a_mitigation_is_usable_on_examples_of_its_kinds_alone() -> None:
    assert usable(registry.create("mitigation", "faircon"), people())
    assert not usable(registry.create("mitigation", "faircon"), examples())
    assert not usable(registry.create("mitigation", "lftf"), people())


@pytest.mark.parametrize("measured", ["bias", "capability"])
def test_people_of_one_content_are_not_trained_on_and_measured(
    measured: str, uri: str, tmp_path: Path
) -> None:
    """Another seed puts the people into other parts, so that whom one seed trains on another one measures."""
    fitted, other = "decisions:dev=50,n=50,shots=0,train=500", ":n=300,seed=1,shots=0"
    options = VerifyOptions(
        benchmarks=(fitted, "decisions" + other) if measured == "bias" else (fitted,),
        capability=("decision_accuracy" + other,),
        out=tmp_path,
    )
    with pytest.raises(UsageError, match="people that the mitigation is trained on") as found:
        verbs.verify(uri, "group_gap", options)
    assert ("decision_accuracy:" in found.value.what) == (measured == "capability")
    assert "the same seed" in (found.value.mend or "")
