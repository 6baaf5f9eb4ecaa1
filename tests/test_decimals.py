"""Numbers as text: no minus before a zero, whichever way the figure came to be one."""

from __future__ import annotations

import pytest

from evenhand.decimals import fixed, percent
from evenhand.records import Estimate
from evenhand.studies import reasons


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


def test_the_reasons_of_a_verdict_round_alike() -> None:
    assert reasons.number(-0.0004) == "0.000"
    assert reasons.percent(Estimate(-0.001, -0.004, 0.02, 9)) == "0 % (0 % to 2 %)"
    assert reasons.span(Estimate(0.0, -0.0003, 0.0004, 9)) == "95 % interval 0.000 to 0.000"
