"""What is measured when nobody names a benchmark."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.studies import defaults


def test_a_language_model_is_asked_about_professions_and_facts() -> None:
    assert defaults.bias("lab:causal") == ("genbiaseval", "genhinteval")
    assert defaults.capability("lab:causal?planted=none") == ("facts", "perplexity:text=lab")
    assert defaults.capability("hf:org/name") == ("facts:set=world", "perplexity")
    assert defaults.capability("openai:http://h/v1#m") == ("facts:set=world", "perplexity")


@pytest.mark.parametrize(
    "uri", ["lab:decisions", "lab:decisions?planted=none&seed=2", "lab:decisions+folder"]
)
def test_a_decision_model_is_asked_for_decisions_alone(uri: str) -> None:
    assert defaults.bias(uri) == ("decisions:parity=0.5,shots=8",)
    assert defaults.capability(uri) == ("decision_accuracy:n=2000,parity=0.5,shots=8",)
    assert not defaults.decides("lab:decisionsx")


def test_accuracy_is_taken_after_the_demonstrations_of_the_bias_benchmark() -> None:
    bias = ("decisions:counterbalanced=true,n=50,shots=4,test_parity=0.5,train=10",)
    assert defaults.capability("lab:decisions", bias) == (
        "decision_accuracy:counterbalanced=true,n=2000,shots=4",
    )
    assert defaults.capability("hf:org/name", ("genbiaseval", "decisions:shots=2,task=adult")) == (
        "decision_accuracy:shots=2,task=adult",
        "facts:set=world",
        "perplexity",
    )


def test_every_default_is_a_benchmark_of_its_role() -> None:
    for uri in ("lab:causal", "lab:decisions"):
        assert {registry.create("benchmark", spec).role for spec in defaults.bias(uri)} == {"bias"}
        assert {registry.create("benchmark", spec).role for spec in defaults.capability(uri)} == {
            "capability"
        }
