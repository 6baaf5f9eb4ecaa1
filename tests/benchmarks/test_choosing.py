"""Written answers: numbers, words, both at once, numbering from 0, and what is said of many invalid ones."""

from __future__ import annotations

import pytest

from evenhand.benchmarks._choosing import Choices, chosen, number_of
from evenhand.records import Completion, Score

OPTIONS = ("He is a doctor.", "She is a nurse.", "It is raining.")
PEOPLE = ("The grandfather", "The grandson", "Not enough info")

AGES = ("The 28-year-old", "Not answerable", "The older man")


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("Choice2", 1),
        (" choice 3.", 2),
        ("2", 1),
        ("(1) The 28-year-old", 0),
        ("The answer is 3", 2),
        ("Answer: Choice1", 0),
        ("Not answerable.", 1),
        ("It is the older man, of course", 2),
        ("THE OLDER MAN", 2),
        ("28", None),  # an age, not the second option
        ("2-year-old", None),
        ("4", None),
        ("Choice7", None),
        ("Choice1 or Choice2", None),
        ("The 28-year-old and the older man", None),
        ("The old", None),
        ("", None),
        ("No idea", None),
    ],
)
def test_answers_in_words(answer, place) -> None:
    assert chosen(answer, AGES) == place


def test_an_option_inside_another_word_is_not_named() -> None:
    assert chosen("the manager", ("the man", "the woman")) is None
    assert chosen("a woman", ("man", "woman")) == 1


@pytest.mark.parametrize(
    ("answer", "options", "place"),
    [
        ("2. She is a nurse.", OPTIONS, 1),
        ("2. He is a doctor.", OPTIONS, None),  # the number says one option, the words another
        ("Choice2: He is a doctor, because he went to school.", OPTIONS, None),
        ("(2) she is a NURSE", OPTIONS, 1),
        ("2\nHe is a doctor.", OPTIONS, None),
        ("He is a doctor. (2)", OPTIONS, None),
        ("He is a doctor. (1)", OPTIONS, 0),
        ("He is a doctor: Choice2", OPTIONS, None),
        ("She is a nurse: Choice2", OPTIONS, 1),
        ("Choice2, not because he is a doctor", OPTIONS, 1),  # words that do not stand beside the number
        ("Choice3. The grandfather or the grandson, nobody can tell", PEOPLE, 2),
        ("Choice3. The grandfather was lost", PEOPLE, None),
        ("Choice2: The grandson, as the grandfather was at home", PEOPLE, 1),
        ("Option 0", PEOPLE, None),
        ("(0)", PEOPLE, None),
        ("0. The grandson", PEOPLE, None),
        ("1", ("man", "the man", "x"), 0),
        ("2: the man", ("man", "the man", "x"), 1),
        ("1: the man", ("man", "the man", "x"), None),
        ("The grandfather (born in 1950)", PEOPLE, 0),
    ],
)
def test_a_number_and_words_that_contradict_it(answer, options, place) -> None:
    assert chosen(answer, options) == place


def test_numbers_from_0_by_request() -> None:
    found = [
        chosen(answer, PEOPLE, 0)
        for answer in ("Option 0", "2", "3", "1. The grandson", "1. The grandfather")
    ]
    assert found == [0, 2, None, 1, None]
    assert [number_of(a) for a in ("Option 0", "(2)", "Choice1 or Choice2", "28", "")] == [
        0,
        2,
        None,
        None,
        None,
    ]


def prepared(numbers: dict[str, int], numbering="auto") -> Choices:
    choices = Choices(numbering)
    choices.prepare([[Completion(text, 1)] for text, count in numbers.items() for _ in range(count)])
    return choices


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        ({"Choice0": 9, "Choice1": 8, "Choice2": 9}, 0),
        ({"Choice1": 9, "Choice2": 8, "Choice3": 9}, 1),
        ({"Choice0": 9, "Choice1": 8, "Choice3": 9}, 1),  # 0 and 3: no numbering has both
        ({"Choice0": 3, "Choice1": 8, "Choice2": 8}, 1),  # 19 answers are too few to tell
        ({"Choice0": 1, "Choice1": 99}, 1),  # one slip of a model that likes the first place
        ({"Choice0": 99}, 0),
        ({"nothing": 50}, 1),
    ],
)
def test_where_the_numbering_begins_is_seen_from_the_whole_run(numbers, first) -> None:
    choices = prepared(numbers)
    assert choices.first == first
    assert choices.read("1", PEOPLE) == 1 - first
    said = " ".join(choices.remarks([]))
    assert ("read from 0" in said) == (first == 0)
    assert ("write numbering=0" in said) == (first == 1 and "Choice0" in numbers)
    choices.prepare([[Completion("Choice3", 1)]])  # another run begins anew
    assert choices.first == 1


def test_numbering_that_is_asked_for_is_not_overruled() -> None:
    assert prepared({"Choice3": 50}, "0").first == 0
    assert "as numbering=0 asks" in prepared({"Choice3": 50}, "0").remarks([])[0]
    assert prepared({"Choice0": 50}, "1").first == 1
    assert (
        "50 of 50 answers with a number name 0 and 0 name 3" in prepared({"Choice0": 50}, "1").remarks([])[0]
    )


def scores(*shares: tuple[str, float | None]) -> list[Score]:
    return [
        Score(str(i), str(i), {"invalid": share}, {"category": name, "condition": "ambiguous"})
        for i, (name, share) in enumerate(shares)
    ]


def test_many_invalid_answers_are_said_by_slice_with_examples() -> None:
    choices = prepared({"no idea": 1})
    for text in ("no idea", "no idea", "x" * 200, "a\n b", "fourth"):
        assert choices.read(text, PEOPLE) is None
    (note,) = choices.remarks(scores(("Age", 1.0), ("Age", 0.0), ("SES", 0.0), ("SES", 0.0), ("SES", None)))
    assert "25.0 % of the answers name no option" in note
    assert "(by category Age 50 %, SES 0 %)" in note  # one condition alone is no comparison
    assert note.endswith(f"For example: 'no idea', '{'x' * 77}...', 'a b'.")
    assert choices.remarks(scores(*[("Age", 1.0)], *[("Age", 0.0)] * 9)) == []  # 10 % and no more
    assert choices.remarks([]) == []
