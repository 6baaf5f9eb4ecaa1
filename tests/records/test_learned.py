"""Kinds of training examples: each says what it is, who gives it, and what it asks."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.records import EVERY_KIND, Continuation, Example, PersonExample, TrainingExample
from evenhand.testing.examples import examples, one_of_each, pairs, people, texts


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.__name__)
def test_every_kind_is_a_training_example(kind: type[TrainingExample]) -> None:
    (first, *_) = one_of_each()[kind]
    assert type(first) is kind
    assert isinstance(first, TrainingExample)
    assert not first.keep
    assert first.requests()
    assert kind.what
    assert kind.noun
    assert kind.apart.endswith(".")


def test_what_is_no_example_is_told_apart() -> None:
    assert not isinstance("text", TrainingExample)
    assert not isinstance(Continuation("", "text"), TrainingExample)


@pytest.mark.parametrize("kind", [k for k in EVERY_KIND if k.given_by], ids=lambda kind: kind.__name__)
def test_the_benchmark_that_it_names_gives_it(kind: type[TrainingExample]) -> None:
    benchmark = registry.create("benchmark", kind.given_by)
    assert {type(example) for example in benchmark.examples()} == {kind}


def test_people_of_one_content_are_one_subject_and_prompts_are_none() -> None:
    assert {person.subject for person in people()} == {person.cluster for person in people()}
    assert {example.subject for example in (*examples(), *texts(), *pairs())} == {None}


def test_requests_are_what_shows_a_change() -> None:
    prompt, text, pair = examples()[0], texts()[0], pairs()[0]
    assert [r.text for r in prompt.requests()] == [" he", " she"]
    assert text.requests() == [Continuation("", text.text)]
    assert pair.requests() == [Continuation("", pair.sentence), Continuation("", pair.counterpart)]


def test_a_twin_is_a_prompt_that_the_label_words_may_follow() -> None:
    person: PersonExample = people()[0]
    twin = person.twin(1)
    assert isinstance(twin, Example)
    assert (twin.context, twin.cluster) == (person.contexts[1], person.cluster)
    assert twin.terms == ((" left",), (" smiled",))
    assert twin.groups == person.labels
    assert len({person.twin(g).id for g in (0, 1)}) == 2
