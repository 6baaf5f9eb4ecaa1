"""The two searches: a planted word is found from scores alone, and a gradient does better than chance."""

from __future__ import annotations

import random

import pytest

from evenhand.errors import BadData
from evenhand.mitigations._adversarial.adversary import PrefixSettings, one_hot, survives
from evenhand.mitigations._adversarial.panel import JOINT
from evenhand.mitigations._adversarial.prompts import score
from evenhand.mitigations._adversarial.search import (
    Aim,
    Course,
    attack,
    by_gradient,
    by_score,
    candidate_words,
    judged,
)
from evenhand.records import Continuation
from evenhand.testing.examples import people
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model as tiny

PEOPLE = people(labels=(" no", " yes"))
TRUTH = {context: p.label for p in PEOPLE for context in p.contexts}


def _planted(item: Continuation) -> float:
    """Right with 0.8 and biased; "merit" takes the bias away, "policy" takes it away with the task."""
    text, _, context = item.context.rpartition("\n")
    words = set(text.split())
    if "Policy:" in words:
        return 0.9 if item.text == " no" else 0.1
    yes = 0.8 if TRUTH[context] else 0.2
    if "merit" not in words:
        yes += 0.15 if " he" in context else -0.15
    return yes if item.text == " yes" else 1 - yes


def test_a_planted_word_is_found_from_scores_alone() -> None:
    model = ScriptedModel(_planted)
    texts = by_score(model, PEOPLE, Aim(), length=3, budget=400, seed=0)
    found = judged(model, PEOPLE, texts, Aim(), 400)
    assert "merit" in found.best.text.split()
    assert found.best.distance == pytest.approx(0.0, abs=1e-12)
    assert found.best.accuracy == 1.0
    assert found.nothing.distance > 0.5
    assert found.best.text.endswith(JOINT)


def test_without_the_task_term_the_prompt_that_destroys_the_answer_would_win() -> None:
    model = ScriptedModel(_planted)
    texts = ["Policy:" + JOINT, "merit" + JOINT, "judge" + JOINT]
    with_task = judged(model, PEOPLE, texts, Aim(beta=1.0), 3)
    assert with_task.best.text == "merit" + JOINT
    # By distance alone both are perfect, and nothing tells them apart but their length.
    assert score(model, PEOPLE, texts[0]).distance == 0.0
    assert score(model, PEOPLE, texts[0]).accuracy < 1.0
    assert [f.text for f in with_task.finalists][-1] in texts


def test_the_search_repeats_under_one_seed_and_keeps_its_budget() -> None:
    model = ScriptedModel(_planted)
    asked: list[int] = []
    counted = ScriptedModel(lambda item: (asked.append(1), _planted(item))[1])
    first = by_score(model, PEOPLE, Aim(), length=3, budget=20, seed=1)
    assert by_score(counted, PEOPLE, Aim(), length=3, budget=20, seed=1) == first
    assert len(asked) <= 21 * len(PEOPLE) * 4  # the start, then at most one text a try
    assert by_score(model, PEOPLE, Aim(), length=3, budget=20, seed=2) != first
    assert all(1 <= len(text.split()) <= 3 for text in first)


def test_words_come_from_the_prompts_too() -> None:
    words = candidate_words(PEOPLE)
    assert {"nurse", "because", "yes", "merit"} <= set(words)
    assert words == sorted(set(words))


def test_the_gradient_finds_better_texts_than_chance() -> None:
    model, aim = tiny("gpt2"), Aim(beta=0.2)
    texts = by_gradient(model, people(), aim, PrefixSettings(3, 0.3), Course(15, 16, 2), seed=0)
    best = judged(model, people(), texts, aim, len(texts)).best
    chance = random.Random(0)
    vocabulary = len(model.tokenizer)
    drawn = [model.tokenizer.decode([chance.randrange(2, vocabulary) for _ in range(3)]) for _ in range(16)]
    values = sorted(aim.of(score(model, people(), text + JOINT, aim.distance)) for text in drawn)
    assert aim.of(best) < values[4]  # better than the better quarter of random prefixes
    assert texts == by_gradient(model, people(), aim, PrefixSettings(3, 0.3), Course(15, 16, 2), seed=0)


def test_a_fresh_attack_does_more_harm_than_chance() -> None:
    model = tiny("gpt2")
    texts = attack(model, people(), settings=PrefixSettings(3, 0.3), course=Course(15, 16, 2), seed=0)
    worst = max(score(model, people(), text).distance for text in texts)
    chance = attack(
        model, people(), settings=PrefixSettings(3, 0.0), course=Course(1, 16, 8), seed=0
    )  # rate 0: no step
    assert len(chance) == 8
    assert worst > 1.5 * sum(score(model, people(), text).distance for text in chance) / 8
    assert (
        attack(model, people(), settings=PrefixSettings(3, 0.3), course=Course(1, 16, 1), seed=0)[0]
        == texts[0]
    )


def test_nothing_to_judge_is_said() -> None:
    with pytest.raises(BadData, match="no text"):
        judged(ScriptedModel(_planted), PEOPLE, [], Aim(), 0)


def test_one_hot_rows_pick_their_ids() -> None:
    rows = one_hot([3, 1], 5)
    assert rows.argmax(-1).tolist() == [3, 1]
    assert rows.sum().item() == 2.0
    assert survives(tiny("llama").tokenizer, tiny("llama").tokenizer(" he")["input_ids"])
