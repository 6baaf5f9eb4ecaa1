"""Two versions: the interval of a difference, and what is said of it."""

from __future__ import annotations

import math

import pytest

from evenhand.monitor.comparing import compared, ends
from evenhand.monitor.indicators import Figure
from evenhand.stats.proportions import newcombe, wilson


def figure(indicator: str, value: float | None, half: float | None, group: str = "") -> Figure:
    ends = (None, None) if value is None or half is None else (value - half, value + half)
    return Figure(indicator, "share", group, value, *ends, 100)


def test_the_interval_is_newcombe_s_where_the_figures_have_wilson_s() -> None:
    shares, sizes = (0.3, 0.5), (80, 120)
    low, high = wilson(shares, sizes)
    b, a = (
        Figure("selection_rate", "share", "", p, float(lo), float(hi), n)
        for p, lo, hi, n in zip(shares, low, high, sizes, strict=True)
    )
    assert ends(a, b, 1.0) == pytest.approx(newcombe(shares, sizes))


@pytest.mark.parametrize(
    ("indicator", "a", "b", "state"),
    [
        ("impact_ratio", 0.5, 0.9, "better"),  # apart by .4, with limits of sqrt(2) * .1 each way
        ("impact_ratio", 0.9, 0.5, "worse"),
        ("error_gap", 0.5, 0.9, "worse"),
        ("error_gap", 0.5, 0.6, "unresolved"),
        ("selection_rate", 0.5, 0.9, "higher"),
        ("length", 0.9, 0.5, "lower"),
        ("calibration", -0.5, 0.1, "better"),  # nearer to 0: b - a is .6, b + a is -.4
        ("calibration", 0.1, -0.5, "worse"),
        ("calibration", -0.3, 0.3, "unresolved"),  # b - a is .6, but b + a is 0
    ],
)
def test_a_state_is_what_an_interval_shows(indicator: str, a: float, b: float, state: str) -> None:
    found, verdicts = compared([figure(indicator, a, 0.1)], [figure(indicator, b, 0.1)])
    assert [one.state for one in found] == [state]
    assert verdicts == (2 if indicator == "calibration" else 1)


def test_more_verdicts_need_more() -> None:
    # Alone: .15 > sqrt(2) * .1 = .141. Of ten: z(.995) / z(.95) is 2.807 / 1.960, and .141 becomes .203.
    alone = compared([figure("error_gap", 0.2, 0.1)], [figure("error_gap", 0.35, 0.1)])[0][0]
    assert (alone.state, alone.low) == ("worse", pytest.approx(0.15 - math.sqrt(0.02)))
    many = [[figure("error_rate", value, 0.1, str(number)) for number in range(10)] for value in (0.2, 0.35)]
    found, verdicts = compared(*many)
    assert verdicts == 10
    assert {one.state for one in found} == {"unresolved"}
    assert {one.low for one in found} == {alone.low}  # the interval that is shown is of one figure


def test_what_is_undefined_is_never_decided() -> None:
    found, verdicts = compared(
        [figure("error_gap", 0.2, 0.1), figure("dpd", 0.2, 0.01), figure("impact_ratio", None, None)],
        [figure("error_gap", None, None), figure("impact_ratio", None, None)],
    )
    assert [(one.indicator, one.value, one.low, one.state) for one in found] == [
        ("error_gap", None, None, "unresolved"),
        ("dpd", None, None, "unresolved"),
    ]
    assert verdicts == 0
