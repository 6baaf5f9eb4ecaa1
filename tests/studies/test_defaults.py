"""What is measured when nobody names a benchmark."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.studies import defaults

JUDGED = ("genbiaseval:split=heldout", "genhinteval", "genhinteval:form=sentence786")
ANYWHERE = (
    "subjects",
    "coreference",
    "definitional",
    "facts:set=world",
    "perplexity",
    "perplexity:text=people",
)


def test_a_language_model_is_asked_about_professions_and_facts() -> None:
    assert defaults.bias("lab:causal") == ("genbiaseval", "genhinteval")
    assert defaults.treated_bias("lab:causal") == defaults.treated_bias("hf:org/name") == JUDGED
    assert defaults.capability("lab:causal?planted=none") == ("facts", "perplexity:text=lab")
    assert defaults.capability("hf:org/name") == ANYWHERE
    assert defaults.capability("openai:http://h/v1#m") == ANYWHERE


def test_the_harder_world_is_asked_what_only_it_can_know() -> None:
    sets = ("hard", "professions", "stated", "definitional", "unseen")
    for uri in ("lab:causal?world=hard", "lab:causal?seed=2&world=hard", "lab:causal?world=hard+folder"):
        own = ("facts", "perplexity:text=lab", *(f"facts:set={name}" for name in sets))
        assert defaults.capability(uri) == own
    for uri in ("lab:causal?world=plain", "lab:causal+x?world=hard", "lab:masked", "lab:causal?bias=spread"):
        assert defaults.capability(uri) == ("facts", "perplexity:text=lab")


def test_a_model_from_anywhere_is_asked_more_than_two_thousand_items_of_capability() -> None:
    items = {spec: len(registry.create("benchmark", spec).load()) for spec in ANYWHERE}
    # 262 professions x 4 questions, 262 x 4 about a stated gender, 496 about words of one gender, then facts
    # and sentences: 1048 + 1048 + 496 + 151 + 60 + 80 = 2883.
    assert list(items.values()) == [262 * 4, 262 * 4, 496, 151, 60, 80]
    assert sum(items.values()) == 2883 >= 2000


def test_what_gives_examples_by_default_is_the_heldout_split() -> None:
    assert defaults.training("hf:org/name", "genbiaseval") == "genbiaseval:split=heldout"
    assert defaults.training("lab:decisions", "decisions") == "decisions:parity=0.5,shots=8"
    assert defaults.training("hf:org/name", "decisions") == "decisions"


def test_the_two_kinds_of_hint_share_no_item() -> None:
    first, second = (registry.create("benchmark", spec) for spec in JUDGED[1:])
    assert (first.name, second.name) == ("genhinteval", "genhinteval:form=sentence786")
    assert not {s.id for s in first.load()} & {s.id for s in second.load()}


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
        *ANYWHERE,
    )


def test_every_default_is_a_benchmark_of_its_role() -> None:
    for uri in ("lab:causal", "lab:decisions"):
        specs = (*defaults.bias(uri), *defaults.treated_bias(uri))
        assert {registry.create("benchmark", spec).role for spec in specs} == {"bias"}
        assert {registry.create("benchmark", spec).role for spec in defaults.capability(uri)} == {
            "capability"
        }
