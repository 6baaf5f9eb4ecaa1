"""What a table may mean otherwise than a task takes it: named before any work, with what to write."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import pytest

from evenhand.errors import BadData, BadOption
from evenhand.people.population import gather
from evenhand.people.task import DecisionTask
from tests.support.crowd import TASK, rows

ANY = dataclasses.replace(TASK, groups=())


def table(column: str, *values: Any) -> list[dict[str, Any]]:
    """Forty people, whose first ones have these values in a column."""
    people = rows(40)
    for person, value in zip(people, values, strict=False):
        person[column] = value
    return people


def refused(task: DecisionTask, people: list[dict[str, Any]]) -> BadData:
    with pytest.raises(BadData) as found:
        gather(task, people, of="loans.csv")
    assert "loans.csv" in found.value.what
    return found.value


def written(error: BadData, key: str) -> Any:
    """What the message says to write into the task file, read as TOML."""
    line = error.mend[error.mend.index(f"{key} = ") :]
    for end in range(len(line), 0, -1):
        try:
            return tomllib.loads(line[:end])[key]
        except tomllib.TOMLDecodeError:
            continue
    raise AssertionError(error.mend)


@pytest.mark.parametrize("text", ["nan", "NaN", "NA", "N/A", "null", "NULL", "None", "<NA>", "-"])
@pytest.mark.parametrize("column", ["sex", "town", "granted"])
def test_a_text_that_stands_for_nothing_is_asked_about(text: str, column: str) -> None:
    people = table(column, text, text)
    error = refused(dataclasses.replace(ANY, negative=("0", text)), people)
    assert f"the column {column!r} has {text!r} (2)" in error.what
    assert written(error, "blanks") == [text]
    assert "blanks = [] if they are values" in error.mend


def test_what_counts_as_missing_is_the_users_word() -> None:
    people = table("town", "nan", "NA", "?", "", None)
    shown = [p.shown["town"] for p in gather(dataclasses.replace(TASK, blanks=("nan",)), people).people]
    assert shown[:5] == ["not stated", "NA", "?", "not stated", "not stated"]
    values = [p.shown["town"] for p in gather(dataclasses.replace(TASK, blanks=()), people).people]
    assert values[:5] == ["nan", "NA", "?", "not stated", "not stated"]  # an empty cell is never a value
    error = refused(TASK, people)  # the question mark stays missing in what is offered
    assert 'blanks = ["?", "nan", "NA"] if' in error.mend
    assert 'or blanks = ["?"] if' in error.mend


def test_a_column_that_nobody_reads_is_nobodys_business() -> None:
    people = [{**person, "notes": "nan"} for person in rows(20)]
    assert len(gather(TASK, people).people) == 20


def test_one_group_in_several_spellings_is_asked_about() -> None:
    people = table("sex", "M", "M", "m ", "F\u00a0", "m\u0308", "\u1e3f")  # outer spaces never count
    people[4]["sex"], people[5]["sex"] = "x y", "X  Y"
    error = refused(ANY, people)
    assert "'M' (2)" in error.what
    assert "'F'" in error.what
    assert "'X  Y' (1), 'x y' (1)" in error.what
    groups = written(error, "groups")
    assert sorted(groups["m"]) == ["M", "m"]
    assert sorted(groups["X  Y"]) == ["X  Y", "x y"]
    spellings = tuple(((text,), (name,)) for name, texts in groups.items() for text in texts)
    task = dataclasses.replace(ANY, spellings=spellings, groups=tuple((name,) for name in groups))
    found = gather(task, people)
    assert len(found.people) == 40
    assert {p.group for p in found.people if p.shown["sex"] in ("m", "M")} == {list(groups).index("m")}


def test_spellings_of_a_group_that_was_asked_for_do_not_get_lost() -> None:
    people = table("sex", "M", "d", "D")
    error = refused(TASK, people)
    assert "'M' (1)" in error.what
    assert "'D'" not in error.what  # of a group that is left out anyway
    both = dataclasses.replace(TASK, groups=(("m",), ("M",), ("f",)))
    assert len(gather(both, people).people) == 38  # who names both means both


def test_spellings_of_an_intersection() -> None:
    people = table("job", "Nurse", "nurse", "baker", "smith")
    for person in people[:4]:
        person["sex"] = "f"
    error = refused(dataclasses.replace(ANY, attribute=("sex", "job")), people)
    assert written(error, "groups")["f*nurse"] == ["f*nurse", "f*Nurse"]


def test_a_third_outcome_is_asked_about() -> None:
    people = table("granted", "pending", "pending", "appealed")
    error = refused(TASK, people)
    assert "'pending' (2), 'appealed' (1)" in error.what
    assert written(error, "negative") == ["0", "appealed", "pending"]
    found = gather(dataclasses.replace(TASK, negative=("0",)), people)
    assert len(found.people) == 37
    assert found.remarks() == [
        "3 rows were left out: the outcome granted is none of 1, 0, but 'pending' (2), 'appealed' (1)."
    ]
    kept = gather(dataclasses.replace(TASK, negative=("0", "pending", "appealed")), people)
    assert [p.label for p in kept.people[:3]] == [0, 0, 0]
    assert len(kept.people) == 40


def test_a_favourable_word_in_other_letters_is_not_unfavourable() -> None:
    people = table("granted", *["yes", "Yes", "no"] * 14)
    error = refused(dataclasses.replace(TASK, positive=("yes",)), people)
    assert "'Yes' (13), 'no' (13)" in error.what


def test_numbers_are_offered_bins() -> None:
    error = refused(dataclasses.replace(ANY, attribute=("age",), template="{age}:"), rows(200))
    assert "the attribute 'age' has 40 different numbers, from 20 to 59" in error.what
    edges = written(error, "bins")
    assert len(edges) == 3
    task = dataclasses.replace(ANY, attribute=("age",), bins=(("age", tuple(edges)),))
    sizes = [sum(p.group == g for p in gather(task, rows(200)).people) for g in range(4)]
    assert min(sizes) > 30
    both = refused(dataclasses.replace(ANY, attribute=("sex", "age")), rows(200))
    assert written(both, "bins") == {"age": edges}


def test_bins_make_groups() -> None:
    task = dataclasses.replace(ANY, attribute=("age",), bins=(("age", (25.0, 40.0, 41.0)),))
    people = table("age", 24.9, 25, 39, "39.5", 40.0, 41, 99, "?")[:8]
    people[0]["granted"], people[1]["granted"] = 0, 1
    found = gather(task, people)
    assert found.task.group_names == ("<25", "25-39", "40", "41+")
    assert [p.group for p in found.people] == [0, 1, 1, 1, 2, 3, 3]
    assert found.remarks() == ["1 row was left out: age is missing."]
    person = found.people[2]
    assert found.task.render(person.shown, 0).split(", ")[1] == "<25"
    assert found.task.render(person.shown, person.group).split(", ")[1] == "25-39"
    broken = dataclasses.replace(task, bins=(("age", (0.5, 1.5)),))
    assert [broken.value_of({"age": age}) for age in (0.4, 1, 1.5)] == [
        ("<0.5",),
        ("0.5 to <1.5",),
        ("1.5+",),
    ]
    error = refused(task, table("age", "old", "old"))
    assert "the column 'age' has bins, and holds what is no number: 'old' (2)" in error.what


@pytest.mark.parametrize("edges", [(), (40.0, 25.0), (25.0, 25.0), (float("nan"),)])
def test_bins_that_cannot_be_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(BadOption, match="each above the last"):
        dataclasses.replace(ANY, attribute=("age",), bins=(("age", edges),))
    with pytest.raises(BadOption, match="bins for 'town', which is not in the attribute"):
        dataclasses.replace(ANY, bins=(("town", (1.0,)),))


def test_too_many_words_are_refused_and_few_numbers_are_not() -> None:
    people = [{**person, "town": f"T{i}"} for i, person in enumerate(rows(60))]
    error = refused(dataclasses.replace(ANY, attribute=("town",)), people)
    assert "the attribute 'town' has 60 different values" in error.what
    assert len(written(error, "groups")) == 3
    people = [{**person, "age": i % 5} for i, person in enumerate(rows(60))]
    assert len(gather(dataclasses.replace(ANY, attribute=("age",)), people).task.groups) == 5


def test_groups_that_do_not_occur_are_named_with_those_that_do() -> None:
    error = refused(dataclasses.replace(TASK, groups=(("m",), ("w",), ("x",))), rows(30))
    assert "nobody has sex = 'w' or 'x'; the table has 'm' (" in error.what
    assert "'f' (" in error.what


def test_all_doubts_are_told_at_once() -> None:
    people = table("town", "nan")
    people[1]["granted"], people[2]["sex"] = "pending", "M"
    error = refused(ANY, people)
    assert "'nan'" in error.what
    assert "'pending'" in error.what


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"negative": ("0", "1")}, "'1' is both positive and negative"),
        ({"groups": (("m",), ("m",))}, "the group 'm' is named twice"),
        ({"spellings": ((("m",), ("a",)), (("m",), ("b",)))}, "'m' is in the list of two groups"),
        ({"spellings": ((("m", "x"), ("a",)),)}, "every group needs one value for each of sex"),
    ],
)
def test_lists_that_contradict_each_other_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        dataclasses.replace(TASK, **changes)


def test_cells_that_hold_lists_are_refused() -> None:
    error = refused(TASK, table("job", ["baker", "smith"]))
    assert "The column 'job' of loans.csv holds lists" in error.what


@pytest.mark.parametrize(
    "twin",
    [
        "\u043c\u0430le",
        "m\u0430le",
        "ma\u200ble",
        "\ufeffmale",
        "ma\u00adle",
        "\uff4dale",
        "m\u03b1le",
        "MA\u200dLE",
    ],
    ids=ascii,
)
def test_groups_that_look_alike_are_asked_about_with_their_codes(twin: str) -> None:
    people = table("sex", *["male"] * 6, twin, twin)
    error = refused(ANY, people)
    assert f"'male' (6), {twin!a} (2)" in error.what
    assert written(error, "groups")["male"] == ["male", twin]
    assert error.mend.isascii()
    task = dataclasses.replace(
        ANY, spellings=((("male",), ("male",)), ((twin,), ("male",)), (("f",), ("f",)))
    )
    found = gather(dataclasses.replace(task, groups=(("male",), ("f",))), people)
    assert sum(person.group == 0 for person in found.people) == 8


def test_words_of_another_script_are_no_questions() -> None:
    people = [
        dict(row, sex={"m": "\u043c\u0443\u0436", "f": "\u0436\u0435\u043d"}[row["sex"]]) for row in rows(40)
    ]
    assert len(gather(ANY, people).task.groups) == 2
    people[0]["sex"] = people[0]["sex"].upper()
    assert f"'{people[0]['sex']}' (1)" in refused(ANY, people).what  # its case can be seen


@pytest.mark.parametrize("column", ["sex", "town", "granted"])
@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x92"], ids=ascii)
def test_a_control_character_is_refused(column: str, sign: str) -> None:
    people = table(column, f"a{sign}b")
    error = refused(dataclasses.replace(ANY, negative=("0", f"a{sign}b")), people)
    assert f"the column {column!r} has {f'a{sign}b'!r} (1)" in error.what
    assert "control characters" in error.what


def test_a_line_break_within_a_group_is_asked_about_and_one_in_a_text_is_not() -> None:
    assert len(gather(ANY, table("town", "a\nb\tc")).people) == 40
    error = refused(ANY, table("sex", "a\nb", "a\nb"))
    assert "within a group: 'a\\nb' (2)" in error.what
    assert written(error, "groups")["a b"] == ["a\nb"]
    assert "\n" not in str(error)
