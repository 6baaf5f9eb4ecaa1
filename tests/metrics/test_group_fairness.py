"""The contract cases of the differences between groups' rates; worked examples: `test_decisions`."""

from __future__ import annotations

from evenhand.testing import MetricCase
from tests.support.columns import ALL_RIGHT, ALL_WRONG, FAIR, PEOPLE, UNFAIR, people

CASES = (
    *(
        MetricCase(name, people, FAIR, UNFAIR, swap=PEOPLE)
        for name in ("dpd", "deo_sum", "deo_max", "deo_mean", "equal_opportunity")
    ),
    MetricCase("disparate_impact", people, UNFAIR, FAIR, swap=PEOPLE),
    MetricCase("error_gap", people, FAIR, [*ALL_WRONG, *ALL_RIGHT], swap=PEOPLE),
)
