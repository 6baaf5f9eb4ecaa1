"""Numbers as text."""

from __future__ import annotations

import pytest

from evenhand.records import Estimate
from evenhand.reports import formats


def test_details_are_rounded_and_plain() -> None:
    given = {"lr": 0.00028, "first_loss": 0.157512, "blocks": ["block.0"], "deep": {"same": True, "x": None}}
    assert list(formats.flat(given)) == [
        ("lr", "0.00028"), ("first loss", "0.158"), ("blocks", "block.0"), ("deep: same", "yes"),
        ("deep: x", "none"),
    ]  # fmt: skip
    assert formats.plain([1.0] * 14).endswith("1.000 and 2 more")


def test_undefined_is_never_a_zero() -> None:
    undefined = Estimate(None, None, None, 0, undefined=4)
    assert formats.with_interval(undefined) == "undefined"
    assert formats.interval(undefined) == "–"
    assert formats.percent(None) == "undefined"
    assert formats.p_value(None) == "–"
    assert formats.count(undefined) == "0 (4 undefined)"


def test_interval_percent_and_p() -> None:
    estimate = Estimate(0.4, 0.3, 0.5, 27)
    assert formats.with_interval(estimate) == "0.400 [0.300 to 0.500]"
    few = Estimate(0.4, 0.3, 0.5, 27, few_clusters=True)
    assert formats.with_interval(few) == "0.400 [0.300 to 0.500, few clusters]"
    assert formats.count(estimate) == "27"
    assert formats.percent(-0.826, signed=True) == "−83 %"
    assert formats.percent(0.051, signed=True) == "+5 %"
    assert formats.percent(-0.001, signed=True) == "0 %"
    assert formats.percent(14.4, signed=True) == "> +1000 %"
    assert formats.percent(-1155.2) == "< −1000 %"
    assert formats.p_value(0.0005) == "< 0.001"
    assert formats.p_value(0.0421) == "0.042"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1.57e-05, 0.001, "0.00002 to 0.00100"),
        (-0.00052, 0.5, "−0.0005 to 0.5000"),
        (0.0, 0.0004, "0.0000 to 0.0004"),
        (1.5e-08, 0.002, "0.000000 to 0.002000"),
        (0.1, 0.25, "0.100 to 0.250"),
        (2e-07, 3e-07, "2.00e-07 to 3.00e-07"),
    ],
)
def test_both_ends_of_an_interval_have_one_precision(low: float, high: float, shown: str) -> None:
    assert formats.interval(Estimate(0.0, low, high, 9)) == shown
