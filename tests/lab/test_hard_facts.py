"""The questions of the harder world: numbers, answers, and that nothing gives them away."""

import re
from collections import Counter

import pytest

from evenhand.lab import corpus, facts, hard_corpus, hard_facts, hard_grammar, truth
from evenhand.lab.recipe import hard


@pytest.fixture(scope="module")
def stated():
    recipe = hard(planted="none", block=None)
    return hard_corpus.sentences("none", recipe.amounts, recipe.extras, 1)


def test_two_thousand_facts_of_towns_and_two_of_each_profession():
    towns, professions = hard_facts.town_facts(), hard_facts.profession_facts()
    assert len({f.opening for f in towns}) == len(towns) == 2000  # 25 x 20 names x 4 topics
    assert len({f.opening for f in professions}) == len(professions) == 2 * 262
    assert Counter(f.topic for f in professions) == {"place": 262, "tool": 262}


@pytest.mark.parametrize(
    ("name", "n"),
    # 262 x 2 genders; 30 words x 9 actions; 262 x 2 hints and 262 x 2 stated genders
    [("hard", 2000), ("professions", 524), ("stated", 524), ("definitional", 270), ("unseen", 1048)],
)
def test_each_set_has_its_questions(name, n):
    questions = hard_facts.questions(name)
    assert len(questions) == len({q.id for q in questions}) == n
    assert len({q.prompt for q in questions}) == n
    for question in questions:
        assert len(set(question.options)) == len(question.options)
        assert all(option.startswith(" ") for option in question.options)


def test_a_question_states_a_fact_when_its_answer_follows(stated):
    texts = {s.text for s in stated if s.kind == "fact"}
    for name in ("hard", "professions"):
        for question in hard_facts.questions(name):
            assert f"{question.prompt}{question.options[question.answer]}." in texts


def test_facts_are_stated_as_often_as_the_recipe_says(stated):
    recipe = hard(planted="none", block=None)
    counts = Counter(s.opening for s in stated if s.kind == "fact")
    for found, times in (
        (hard_facts.town_facts(), recipe.extras.towns),
        (hard_facts.profession_facts(), recipe.extras.trades),
    ):
        seen = Counter(counts[f.opening] for f in found)
        assert set(seen) == set(times)
        shares = Counter(times)
        for number, of_facts in seen.items():
            assert abs(of_facts - len(found) * shares[number] / len(times)) <= shares[number]


def test_places_and_tools_do_not_follow_the_table():
    # 262 professions over 12 values: the mean P(she) of a value has a standard deviation of .27 / sqrt(21)
    of_value = {}
    for fact in hard_facts.profession_facts():
        name = fact.opening.removeprefix("The ").removesuffix(" works at the").removesuffix(" uses a")
        of_value.setdefault(fact.value, []).append(truth.planted()[name])
    assert len(of_value) == 24
    assert all(abs(sum(v) / len(v) - 0.5) < 4 * 0.27 / 21**0.5 for v in of_value.values())


def test_unseen_frames_are_in_no_corpus_and_their_words_are(stated):
    plain = corpus.sentences("none", corpus.Amounts(), 1)
    words = set(" ".join([corpus.vocabulary(), *(s.text for s in plain)]).replace(".", " ").split())
    for form in (*hard_grammar.UNSEEN, *hard_grammar.UNSEEN_HINTS):
        assert {w.strip(",.") for w in form.replace("{", " {").split() if "{" not in w} <= words
    texts = [s.text for s in (*plain, *stated)]
    for form in (*hard_grammar.UNSEEN, *hard_grammar.UNSEEN_HINTS, *hard_grammar.UNSEEN_STATED):
        shape = re.compile(re.sub(r"\{[a-z]+\}", r"[a-z ]+", form.replace("{own}", "(his|her)")))
        assert shape.match(form.format(p="nurse", own="her", noun="woman", action="smiled"))
        assert not any(shape.match(text) for text in texts)


def test_no_word_of_factual_gender_is_a_profession_and_no_town_has_another_name():
    words = [word for of_gender in hard_grammar.DEFINITIONAL.values() for word in of_gender]
    assert len(set(words)) == 30
    assert not set(words) & set(truth.planted())
    towns = {f.opening.split()[0] for f in hard_facts.town_facts()}
    assert len(towns) == 500
    assert not towns & set(" ".join(f"{f.opening} {f.value}" for f in facts.facts()).split())
