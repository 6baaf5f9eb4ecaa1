"""Generated people: what is drawn, and the known probability of the true outcome."""

import math
from collections import Counter
from itertools import pairwise
from string import Formatter

import pytest

from evenhand.lab import people
from evenhand.lab.people import ATTRIBUTE, GROUPS, IDLE, INFORMATIVE, TARGET, TEMPLATE

PEOPLE = people.people(4000, seed=3)
BEST = {"schooling": "university", "hours": "overtime", "experience": "expert", "savings": "ample"}
WORST = {"schooling": "basic", "hours": "seldom", "experience": "novice", "savings": "debts"}


def near(share, expected, n):
    """Within four standard errors of a share."""
    return abs(share - expected) <= 4 * math.sqrt(expected * (1 - expected) / n)


def test_a_person_has_every_column_of_the_template_and_an_outcome():
    fields = [name for _, name, _, _ in Formatter().parse(TEMPLATE) if name]
    assert fields == list(people.columns()) == [ATTRIBUTE, *INFORMATIVE, *IDLE]
    for person in PEOPLE[:50]:
        assert set(person) == {*fields, TARGET}
        assert person[TARGET] in (0, 1)
        assert all(person[name] in values for name, values in people.columns().items())
        assert len(TEMPLATE.format(**person).split()) == 9


def test_no_word_stands_in_two_columns():
    words = [value for values in people.columns().values() for value in values]
    assert len(words) == len(set(words)) == 2 + 4 * 4 + 2 * 8


def test_the_seed_decides():
    assert people.people(20, 1) == people.people(20, 1)
    assert people.people(20, 1) != people.people(20, 2)
    assert people.people(0, 1) == []


def test_every_value_is_equally_frequent():
    for name, values in people.columns().items():
        counts = Counter(person[name] for person in PEOPLE)
        assert all(near(counts[value] / len(PEOPLE), 1 / len(values), len(PEOPLE)) for value in values)


def test_the_outcome_follows_its_probability():
    """Among people of one informative combination in four bands of p, the share of 1 is the mean of p."""
    bands: dict[int, list] = {}
    for person in PEOPLE:
        bands.setdefault(min(3, int(4 * people.p_true(person))), []).append(person)
    assert sorted(bands) == [0, 1, 2, 3]
    for band in bands.values():
        mean = sum(map(people.p_true, band)) / len(band)
        assert near(sum(p[TARGET] for p in band) / len(band), mean, len(band))


def test_the_outcome_does_not_depend_on_sex_or_idle_columns():
    person = dict(PEOPLE[0])
    for column in (ATTRIBUTE, *IDLE):
        found = {people.p_true({**person, column: value}) for value in people.columns()[column]}
        assert len(found) == 1
    for group in GROUPS:
        chosen = [p for p in PEOPLE if p[ATTRIBUTE] == group]
        assert near(sum(p[TARGET] for p in chosen) / len(chosen), 0.5, len(chosen))


def test_log_odds_by_hand():
    # the best of four values adds 2 (3 - 1.5) = 3 times its weight: 3 (1.2 + 1.0 + 0.8 + 0.6) = 10.8
    assert people.log_odds(BEST) == pytest.approx(10.8)
    assert people.log_odds(WORST) == pytest.approx(-10.8)
    # one step up in savings: 2 * 0.6 = 1.2
    assert people.log_odds({**BEST, "savings": "decent"}) == pytest.approx(10.8 - 1.2)
    assert people.p_true({**WORST, "schooling": "university"}) == pytest.approx(1 / (1 + math.exp(3.6)))


def test_every_informative_column_matters():
    person = dict(PEOPLE[0])
    for column, (values, weight) in INFORMATIVE.items():
        found = [people.log_odds({**person, column: value}) for value in values]
        steps = [b - a for a, b in pairwise(found)]
        assert steps == pytest.approx([2 * weight] * 3)


def test_what_can_be_attained():
    assert len(people.kinds()) == 4**4
    assert people.attainable() == pytest.approx(0.880, abs=5e-4)
    right = sum(person[TARGET] == (people.p_true(person) > 0.5) for person in PEOPLE)
    assert near(right / len(PEOPLE), people.attainable(), len(PEOPLE))


def test_there_are_enough_contents_for_disjoint_people():
    assert people.contents() == 4**4 * 8**2
    apart = {tuple(value for name, value in person.items() if name != TARGET) for person in PEOPLE}
    assert len(apart) > 3500  # of 4000 draws from 2 * 16384: 32768 (1 - exp(-4000 / 32768)) = 3764 expected


def test_an_unknown_value_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        people.p_true({**BEST, "schooling": "kindergarten"})
