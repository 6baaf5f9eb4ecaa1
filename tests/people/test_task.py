"""A decision task: what it refuses, all at once, and the prompt it writes, letter by letter."""

from __future__ import annotations

import dataclasses
import math

import pytest

from evenhand.errors import BadOption, UnknownName
from evenhand.people.task import DecisionTask, check_columns, text_of
from tests.support.crowd import TASK

RECORD = {"job": "nurse", "age": 41.0, "sex": "f", "town": "?", "granted": 1}


def test_a_prompt_letter_by_letter() -> None:
    shown = TASK.shown(RECORD)
    blocks = [TASK.block(shown, 0, 1), TASK.block(shown, 1, 0)]
    assert TASK.prompt(blocks, TASK.render(shown, 1)) == (
        "nurse, 41, m, from not stated. Granted: yes\n\n"
        "nurse, 41, f, from not stated. Granted: no\n\n"
        "nurse, 41, f, from not stated. Granted:"
    )
    with_header = dataclasses.replace(TASK, header="Loans.", separator="\n", missing="unknown")
    assert with_header.prompt([], with_header.render(with_header.shown(RECORD), 0)) == (
        "Loans.\nnurse, 41, m, from unknown. Granted:"
    )


def test_an_intersection_sets_every_column_of_the_attribute() -> None:
    both = dataclasses.replace(
        TASK, attribute=("sex", "town"), groups=(("m", "A"), ("f", "A"), ("m", "B"), ("f", "B"))
    )
    assert both.group_names == ("m&A", "f&A", "m&B", "f&B")
    assert both.render(both.shown(RECORD), 2) == "nurse, 41, m, from B. Granted:"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (math.nan, ""),
        (3.0, "3"),
        (3.5, "3.5"),
        (0, "0"),
        ("  a ", "a"),
        ("41.0", "41"),
        ("-2.00", "-2"),
        (-0.0, "0"),
        ("-0", "0"),
        ("4.05", "4.05"),
    ],
)
def test_cells_as_text(cell: object, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": (" yes", " yes")}, "both label words are ' yes'"),
        ({"labels": ("no", " yes")}, "'no' has no leading space"),
        ({"labels": (" no ", " yes")}, "empty or ends with a space"),
        ({"labels": (" no", " yes", " may")}, "3 label words"),
        ({"attribute": ("sexx",), "groups": ()}, "'sexx' (did you mean 'sex'?)"),
        ({"attribute": ("zebra",), "groups": ()}, "'zebra' but job, age, sex, town"),
        ({"attribute": (), "groups": ()}, "no sensitive attribute"),
        ({"template": TASK.template + " "}, "ends with a space"),
        ({"template": "{sex} {granted}:"}, "shows the target 'granted' itself"),
        ({"template": "{sex} {0}:"}, "names no column"),
        ({"template": "{sex:"}, "malformed"),
        ({"positive": ()}, "no value of the target counts as positive"),
        ({"groups": (("m", "x"), ("f",))}, "one value for each of sex"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BadOption) as found:
        dataclasses.replace(TASK, **changes)
    assert said in found.value.what
    assert "'loan'" in found.value.what


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(BadOption) as found:
        DecisionTask("t", "{town} ", "y", ("a", "a"), ("sex",), positive=())
    for said in ("leading space", "both label words", "'sex'", "ends with a space", "counts as positive"):
        assert said in found.value.what


def test_a_missing_column_names_near_ones() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'occupation'") as found:
        check_columns(["ocupation", "sx"], ["occupation", "sex"], "people.csv")
    assert "It also lacks 'sx'" in str(found.value)
    check_columns(["sex"], ["occupation", "sex"], "people.csv")
