"""From rows to people: groups, outcomes, contents, and who is left out."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.errors import BadData, UnknownName
from evenhand.people.population import gather
from tests.support.crowd import TASK, rows

ANY = dataclasses.replace(TASK, groups=())


def row(**changes: object) -> dict[str, object]:
    return {"job": "baker", "age": 30, "sex": "m", "town": "T", "granted": 1, **changes}


BOTH = [row(), row(sex="f", granted=0)]


def test_groups_are_those_of_the_table_the_most_frequent_first() -> None:
    found = gather(ANY, [*BOTH, row(sex="f"), row(sex="d"), row(sex="?"), row(sex=None)])
    assert found.task.groups == (("f",), ("d",), ("m",))  # as frequent: by name
    assert [p.group for p in found.people] == [2, 0, 0, 1]
    assert found.remarks() == ["2 rows were left out: sex is missing."]


def test_intersections_are_the_combinations_that_occur() -> None:
    both = dataclasses.replace(ANY, attribute=("sex", "job"))
    found = gather(both, [*BOTH, row(sex="f", job="smith"), row(sex="f", job="smith", granted=0)])
    assert found.task.group_names == ("f&smith", "f&baker", "m&baker")
    assert [p.group for p in found.people] == [2, 1, 0, 0]


def test_content_is_all_that_is_said_but_the_attribute() -> None:
    same, other = (
        gather(TASK, [*BOTH, row(granted=0)]),
        gather(TASK, [row(), row(sex="f", age=31, granted=0)]),
    )
    assert len({p.content for p in same.people}) == 1  # another sex, another outcome: the same text
    assert len({p.content for p in other.people}) == 2


def test_the_positive_values_and_the_ids() -> None:
    task = dataclasses.replace(TASK, positive=("A", "B"), negative=("C", "1"))
    people = gather(task, [row(granted=g) for g in "ABC"] + [row(sex="f")], ids=["w", "x", "y", "z"]).people
    assert [(p.id, p.label) for p in people] == [("w", 1), ("x", 1), ("y", 0), ("z", 0)]


def test_rows_without_an_outcome_are_left_out_and_counted() -> None:
    found = gather(TASK, [*BOTH, row(granted=None), row(granted="?"), row(granted="")])
    assert len(found.people) == 2
    assert found.remarks() == ["3 rows were left out: the outcome granted is missing."]


@pytest.mark.parametrize(
    ("task", "table", "said"),
    [
        (ANY, [row(), row(granted=0)], "one value alone ('m')"),
        (TASK, [row(), row(granted=0)], "nobody has sex = 'f'"),
        (TASK, [row(), row(sex="f")], "'granted' is always positive (1)"),
        (TASK, [row(granted=0), row(sex="f", granted=0)], "'granted' is never positive (1)"),
        (TASK, [], "has no rows"),
    ],
)
def test_what_cannot_show_bias_is_refused(task, table, said) -> None:
    with pytest.raises(BadData) as found:
        gather(task, table, of="loans.csv")
    assert said in found.value.what
    assert "loans.csv" in found.value.what


def test_problems_are_told_together_and_columns_by_near_names() -> None:
    with pytest.raises(BadData) as found:
        gather(ANY, [row()])
    assert "one value alone" in found.value.what
    assert "always positive" in found.value.what
    with pytest.raises(UnknownName, match="Did you mean 'granted'"):
        gather(dataclasses.replace(TASK, target="grantd"), rows(10), of="loans.csv")
