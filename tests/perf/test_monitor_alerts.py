"""A small, seeded part of the simulation of alerts: the bounds that the whole one has to keep."""

from __future__ import annotations

import pytest

from perf import monitor_alerts as simulated


@pytest.mark.parametrize(("number", "alarms"), [(0, 1), (4, 1), (6, 4), (9, 1)])
def test_false_alarms_of_a_hundred_streams(number: int, alarms: int) -> None:
    found = simulated.false_alarms(simulated.NULLS[number], 100, seed=number)
    assert round(100 * found) == alarms <= 5


def test_false_alarms_of_48_indicators() -> None:
    assert simulated.false_alarms_of_many(40, seed=1) == 1 / 40
    assert simulated.false_alarms_of_many(40, seed=2, alike=True) == 0


def test_the_service_gives_the_capital_of_the_arrays_to_the_last_bit() -> None:
    found = simulated.through_the_service(3, seed=3, days=30)
    assert found == {"alarmed": 0, "same": 1}


def test_a_ratio_of_four_fifths_is_found_in_time() -> None:
    found = simulated.stopping(0.5, 400, seed=4)
    assert found["median"] == 450
    assert found["ratio"] == 450 / 388 <= 1.3


def test_sequences_hold_at_all_times() -> None:
    rate = simulated.rate_coverage(simulated.NULLS[6], 100, seed=5)
    gap = simulated.difference_coverage(simulated.NULLS[9], 60, seed=6)
    assert (rate["held"], gap["held"]) == (0.96, 1)
    assert rate["fixed"] < rate["width"] < 2 * rate["fixed"]
    assert gap["fixed"] < gap["width"] < 2 * gap["fixed"]
