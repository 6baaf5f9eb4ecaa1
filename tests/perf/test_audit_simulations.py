"""Audits reject seldom where nothing is there, and their intervals hold what is: fewer draws than in perf."""

from __future__ import annotations

import pytest

pytest.importorskip("ibis")

from perf.audit_simulations import LEARNT, Outcome, Scenario, labels, scenarios, simulated

DRAWS = 200


@pytest.mark.slow
@pytest.mark.parametrize("one", scenarios(), ids=lambda one: f"{one.audit}: {one.what}")
def test_rejection_and_coverage(one: Scenario) -> None:
    # `holds` allows for two standard errors of 200 draws, 3.1 points, beside 4 to 6 % and 93 to 98 %.
    found = simulated(one, DRAWS)
    assert found.holds, (found.rejected, found.covered)


def test_every_audit_with_a_test_or_an_interval_of_chance_is_simulated() -> None:
    assert len({(one.audit, one.what) for one in scenarios()}) == len(scenarios())
    assert {one.audit for one in scenarios() if one.null} >= {
        "representation", "label_rates", "missingness", "constants", "duplicates", "label_noise", "proxies",
        "drift", "impact_ratio", "mentions", "cooccurrence", "association",
    }  # fmt: skip


def test_a_share_outside_its_limits_does_not_hold() -> None:
    # Of 2000 draws nothing is allowed beside the limits; of 200 two standard errors, 3.1 points.
    one = Scenario("label_rates", "x", labels(100, (0.5, 0.5), (0.3, 0.3)), 0.0, True)
    assert Outcome(one, 2000, 0.05, 0.95).holds
    assert not Outcome(one, 2000, 0.061, 0.95).holds
    assert not Outcome(one, 2000, 0.039, 0.95).holds
    assert not Outcome(one, 2000, 0.05, 0.929).holds
    assert not Outcome(one, 2000, 0.05, 0.981).holds
    assert Outcome(one, 200, 0.09, 0.9).holds
    assert not Outcome(one, 200, 0.092, 0.95).holds


def test_a_difference_that_is_there_is_rejected_and_held() -> None:
    # .9 beside .1 of 50 each: always rejected; its interval holds .8 in all but a few of 20 data sets.
    far = Scenario("label_rates", "far", labels(100, (0.5, 0.5), (0.9, 0.1)), 0.8, True)
    found = simulated(far, 20)
    assert found.rejected == 1.0
    assert found.covered is not None
    assert found.covered >= 0.75
    mean = simulated(Scenario("label_rates", "far", far.draw, LEARNT), 20)
    assert mean.covered is not None
    assert mean.covered >= 0.75
