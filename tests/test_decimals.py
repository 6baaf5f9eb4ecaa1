"""Numbers as text: no minus before a zero, whichever way the figure came to be one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from evenhand.decimals import fixed, number, percent, significant
from evenhand.records import Estimate
from evenhand.studies import reasons

SOURCE = Path(__file__).parents[1] / "src" / "evenhand"


@pytest.mark.parametrize(
    ("value", "places", "signed", "text"),
    [
        (None, 3, False, "undefined"),
        (-0.0004, 3, False, "0.000"),
        (-0.0004, 3, True, "0.000"),
        (0.0004, 3, True, "0.000"),
        (-0.0, 3, False, "0.000"),
        (-0.0006, 3, False, "−0.001"),
        (0.25, 3, True, "+0.250"),
        (-0.4, 0, False, "0"),
        (1234567.0, 0, False, "1 234 567"),
        (-100.0, 1, False, "−100.0"),
    ],
)
def test_fixed(value: float | None, places: int, signed: bool, text: str) -> None:
    assert fixed(value, places, signed=signed) == text


def test_percent() -> None:
    assert [percent(share) for share in (None, -0.004, 0.95, -0.826)] == ["undefined", "0 %", "95 %", "−83 %"]
    assert percent(0.051, signed=True) == "+5 %"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.12345, "0.123"),
        (-0.5, "−0.500"),
        (-0.000412, "−0.00041"),  # small is not zero
        (0.00002, "2.00e-05"),
        (7.5, "7.500"),
        (12.34, "12.3"),
        (2358, "2 358"),
        (3.2e9, "3.20e+09"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_signed_numbers_show_a_plus() -> None:
    assert number(0.25, signed=True) == "+0.250"
    assert number(-0.25, signed=True) == "−0.250"
    assert number(0.0, signed=True) == "0.000"


def test_significant_digits() -> None:
    assert [significant(value) for value in (None, 0.12345, 2, 1234.5)] == [
        "undefined",
        "0.123",
        "2",
        "1.23e+03",
    ]
    assert significant(0.0042, 2) == "0.0042"


def test_figures_are_rounded_here_alone() -> None:
    """Text elsewhere that says how many digits a figure has would not know None, nor a rounded zero."""
    found = [
        f"{path.relative_to(SOURCE)}: {ast.unparse(node)}"
        for path in SOURCE.rglob("*.py")
        if path.name != "decimals.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None
        if re.search(r"\.\d+[fg%]|,", ast.unparse(node.format_spec))
    ]
    assert found == []


def test_the_reasons_of_a_verdict_round_alike() -> None:
    assert reasons.number(-0.0004) == "0.000"
    assert reasons.percent(Estimate(-0.001, -0.004, 0.02, 9)) == "0 % (0 % to 2 %)"
    assert reasons.span(Estimate(0.0, -0.0003, 0.0004, 9)) == "95 % interval 0.000 to 0.000"
