"""A model behind a rule: shares of the label words, chance alike for twins, words nobody asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from evenhand.errors import BadData, BadModel
from evenhand.postprocessing.group_cue import learn
from evenhand.postprocessing.prompts import Answers, PromptRule, own_groups
from evenhand.postprocessing.rules import Calibration, Curve, Cut, Mixture, Thresholds
from evenhand.records import (
    Ability,
    Continuation,
    ModelSpec,
    PersonExample,
    Request,
    Sampling,
    Undefined,
)
from evenhand.testing.scripted import ScriptedModel
from evenhand.treatments.rule import RuledModel, favourable_scores
from tests.support.asking import generated
from tests.support.unfair import decider, deciding

PEOPLE = deciding(200, part="dev")
HALF = Mixture((Cut(0.5, 2.0), Cut(0.5, -1.0)))  # a coin for everyone


def prompt_rule(rule, people, answers):
    """The rule for prompts like those of `people`, whose twins teach what tells a group."""
    return PromptRule(rule, people[0].labels, learn(people), answers)


COINS = Thresholds(("female", "male"), (HALF, HALF), "demographic_parity", "accuracy", seed=1)
STRICT = Thresholds(
    ("female", "male"),
    (Mixture((Cut(1.0, 0.2),)), Mixture((Cut(1.0, 0.8),))),
    "demographic_parity",
    "accuracy",
)
CURVES = Calibration(("female", "male"), (Curve(1.0, 1.0), Curve(1.0, -1.0)), ("platt", "platt"))


def _view(rule: Thresholds | Calibration, answers: Answers = "decided") -> tuple[ScriptedModel, RuledModel]:
    model = decider()
    return model, RuledModel(model, prompt_rule(rule, PEOPLE, answers), ModelSpec("scripted:ruled", "r"))


def _shares(view: RuledModel, people: Sequence[PersonExample], twin: int) -> list[float]:
    answers = view.answer([Continuation(p.contexts[twin], word) for p in people for word in p.labels])
    no, yes = np.exp([a.value for a in answers]).reshape(-1, 2).T
    return list(yes / (no + yes))


def test_the_label_words_keep_their_mass_and_follow_the_rule() -> None:
    model, view = _view(STRICT)
    for twin, cut in ((0, 0.8), (1, 0.2)):  # the twins' order is male, female
        items = [Continuation(p.contexts[twin], word) for p in PEOPLE for word in p.labels]
        before = np.exp([a.value for a in model.answer(items)]).reshape(-1, 2)
        after = np.exp([a.value for a in view.answer(items)]).reshape(-1, 2)
        assert after.sum(axis=1) == pytest.approx(before.sum(axis=1))
        share = before[:, 1] / before.sum(axis=1)
        assert ((after[:, 1] > after[:, 0]) == (share > cut)).all()


def test_calibrated_shares_are_the_curves() -> None:
    model, view = _view(CURVES, "expected")
    plain = favourable_scores(model, PEOPLE)
    assert favourable_scores(view, PEOPLE) == pytest.approx(CURVES.expected(plain, own_groups(PEOPLE)))


def test_expected_answers_give_the_probability_of_favour() -> None:
    _, view = _view(COINS, "expected")
    assert favourable_scores(view, PEOPLE) == pytest.approx(np.full(len(PEOPLE), 0.5))


def test_chance_treats_twins_alike_and_repeats() -> None:
    _, view = _view(COINS)
    male, female = _shares(view, PEOPLE, 0), _shares(view, PEOPLE, 1)
    assert [round(s) for s in male] == [round(s) for s in female]
    assert female == _shares(view, PEOPLE, 1)
    assert 0.35 < np.mean(male) < 0.65
    assert {round(share) for share in male} == {0, 1}


def test_one_word_asked_alone_is_answered_as_beside_the_others() -> None:
    _, view = _view(CURVES, "expected")
    context = PEOPLE[0].contexts[0]
    no, yes, other = (Continuation(context, word) for word in (" no", " yes", " maybe"))
    both = view.answer([no, yes])
    assert view.answer([yes]) == [both[1]]
    assert view.answer([other, yes, no]) == [*decider().answer([other]), both[1], both[0]]
    assert view.answer([]) == []


def test_several_unfavourable_words_keep_their_proportions() -> None:
    people = [dataclasses.replace(p, labels=(" no", " later", " yes"), label=2) for p in PEOPLE]
    table = {" no": 0.3, " later": 0.1, " yes": 0.4}
    model = ScriptedModel(lambda item: table[item.text])
    view = RuledModel(model, prompt_rule(CURVES, people, "expected"), ModelSpec("s", "s"))
    answers = view.answer([Continuation(people[0].contexts[0], word) for word in table])
    no, later, yes = (math.exp(a.value) for a in answers)
    assert no / later == pytest.approx(3)
    assert no + later + yes == pytest.approx(0.8)
    assert yes / 0.8 == pytest.approx(CURVES.expected([0.5], ["male"])[0])


def test_kind_and_number_of_tokens_stay() -> None:
    class Pseudo(ScriptedModel):
        def say(self, request: Request) -> Any:
            return dataclasses.replace(super().say(request), kind="pseudo", n_tokens=3)

    view = RuledModel(Pseudo(lambda item: 0.4), prompt_rule(CURVES, PEOPLE, "expected"), ModelSpec("s", "s"))
    answer = view.answer([Continuation(PEOPLE[0].contexts[0], " yes")])[0]
    assert (answer.kind, answer.n_tokens) == ("pseudo", 3)


def test_a_prompt_whose_group_cannot_be_told_is_an_error() -> None:
    _, view = _view(STRICT)
    with pytest.raises(BadData, match="cannot be recognised"):
        view.answer([Continuation("Person unknown score 3 approved", " yes")])


def test_it_gives_log_probabilities_only() -> None:
    _, view = _view(STRICT)
    assert view.can == {Ability.LOGPROBS}
    assert view.notes() == ()
    with pytest.raises(BadModel, match="generated text"):
        generated(view, ["Person male"], Sampling())


def test_label_words_without_probability_are_an_error() -> None:
    model = ScriptedModel(lambda item: 0.0)
    with pytest.raises(BadModel, match="no label word has any probability"):
        favourable_scores(model, PEOPLE)


def test_a_prompt_without_an_answer_leaves_all_its_label_words_without_one() -> None:
    lost = PEOPLE[0].contexts[0]
    refused = Undefined("content_filter")
    model, _ = _view(STRICT)

    class Refusing(ScriptedModel):
        def say(self, request: Request) -> Any:
            missing = Continuation(lost, PEOPLE[0].labels[0])
            return refused if request == missing else model.say(request)

    view = RuledModel(Refusing(lambda item: 0.5), prompt_rule(STRICT, PEOPLE, "decided"), ModelSpec("s", "s"))
    asked = [Continuation(p.contexts[0], word) for p in PEOPLE[:3] for word in p.labels]
    whole = _view(STRICT)[1].answer(asked)
    assert view.answer(asked) == [refused, refused, *whole[2:]]
    people = [dataclasses.replace(PEOPLE[0], group=0), *PEOPLE[1:3]]
    with pytest.raises(BadModel, match=r"no answer to 1 of 6 requests \(content_filter\)"):
        favourable_scores(view._model, people)
