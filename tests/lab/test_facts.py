"""The facts and the neutral text."""

import re
from collections import Counter

from evenhand.lab import corpus, facts
from evenhand.lab.corpus import Amounts

GENDERED = {"he", "she", "his", "her", "him", "hers", "himself", "herself", "man", "woman", "men", "women"}


def test_three_hundred_questions_and_more_of_several_topics():
    questions = facts.questions()
    assert len(questions) == 320
    assert Counter(q.topic for q in questions) == {"capital": 80, "crop": 80, "colour": 80, "material": 80}
    assert len({q.id for q in questions}) == 320
    assert len({q.prompt for q in questions}) == 320


def test_a_question_states_a_fact_when_its_answer_follows():
    stated = {s.text for s in corpus.sentences("none", Amounts(facts=2), 1) if s.kind == "fact"}
    for question in facts.questions():
        assert f"{question.prompt}{question.options[question.answer]}." in stated


def test_options_are_four_different_words_after_a_space():
    for question in facts.questions():
        assert not question.prompt.endswith(" ")
        assert len(set(question.options)) == 4
        assert all(re.fullmatch(r" \w+", option) for option in question.options)


def test_wrong_options_are_not_stated_of_the_subject():
    right = {(f.opening, f.value) for f in facts.facts()}
    for question in facts.questions():
        wrong = set(question.options) - {question.options[question.answer]}
        assert not any((question.prompt, option.strip()) in right for option in wrong)


def test_the_place_of_the_answer_gives_nothing_away():
    # 320 questions over 4 places: 80 each on average, standard deviation sqrt(320 * 3 / 16) = 7.7
    places = Counter(q.answer for q in facts.questions())
    assert all(abs(places[i] - 80) < 4 * 7.75 for i in range(4))


def test_no_two_invented_names_are_the_same():
    names = [f.opening.split()[3] for f in facts.facts() if f.topic == "capital"]
    names += [f.value for f in facts.facts() if f.topic == "capital"]
    assert len(names) == len(set(names)) == 160


def test_neutral_text_is_held_out_and_neutral():
    held_out = facts.neutral_text().split("\n")
    assert len(held_out) == len(set(held_out)) == 600
    assert not set(held_out) & {s.text for s in corpus.sentences("none", Amounts(), 1)}
    words = {word.lower() for line in held_out for word in re.findall(r"\w+", line)}
    assert not words & GENDERED
