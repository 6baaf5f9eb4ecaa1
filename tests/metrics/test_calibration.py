"""The contract case of the calibration gap; worked examples: `test_decisions`."""

from __future__ import annotations

from evenhand.testing import MetricCase
from tests.support.columns import ALL_RIGHT, ALL_WRONG, FAIR, PEOPLE, people

CASE = MetricCase("calibration_gap", people, FAIR, [*ALL_WRONG, *ALL_RIGHT], swap=PEOPLE)
