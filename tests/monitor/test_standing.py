"""What policies remember: tolerances as rules write them, and evidence as the watcher finds it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from evenhand.monitor.alerting import look
from evenhand.monitor.policy import parse_policy
from evenhand.monitor.standing import asked_of, evidence
from evenhand.monitor.states import Cohort, Scope, State
from tests.monitor.made import DAY

SCOPE = Scope(rule="r", use_case="loans", model="scorer", version="1")


def policy(attribute: str, tolerance: str, more: str = ""):
    return parse_policy(
        f'[[rule]]\nname = "r"\nindicator = "selection_rate"\nattribute = {attribute}\n'
        f"tolerance = {tolerance}\n{more}"
    )


@pytest.mark.parametrize(
    ("attribute", "tolerance", "names", "kind", "limit"),
    [
        ('"sex"', "{ratio = 0.8}", ("sex",), "ratio", 0.8),
        ('["sex", "age"]', "{gap = 0.05}", ("sex", "age"), "gap", 0.05),
        ('"a: ratio >= 0.1"', "{gap = 1e-7}", ("a: ratio >= 0.1",), "gap", 1e-7),
    ],
)
def test_what_a_rule_asks_is_read_back(attribute, tolerance, names, kind, limit) -> None:
    own = policy(attribute, tolerance)
    found = asked_of(SCOPE, f"{own.rules[0].asks}, groups: {own.groups}")
    assert (found.indicator, found.attribute, found.kind, found.limit) == (
        "selection_rate",
        names,
        kind,
        limit,
    )
    assert found.rule().asks == own.rules[0].asks


def test_a_rule_with_strata_is_none_of_it() -> None:
    own = policy('"sex"', "{ratio = 0.8}", 'strata = ["north", "south"]')
    assert asked_of(SCOPE, f"{own.rules[0].asks}, groups: pairs") is None


def test_evidence_is_that_of_the_looks() -> None:
    own = policy('"sex"', "{ratio = 0.8}")
    days = [DAY.date() + timedelta(days=number) for number in range(8)]
    counts = [{"f": (20, 4), "m": (20, 12)}] * 8
    state, said = State(), []
    for day, given in zip(days, counts, strict=True):
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
        cohort = Cohort(
            indicator="selection_rate", attribute=("sex",), use_case="loans", model="scorer", version="1",
            end=end, counts=given,
        )  # fmt: skip
        found = look(own, state, [cohort], end)
        state = found.state
        said.append(found.decisions[0].log_e)
    grown = evidence(own.rules[0], ("f", "m"), list(zip(days, counts, strict=True)))
    assert [one.log_e * 2.302585092994046 for one in grown] == pytest.approx(said)  # ln 10
    assert said[-1] > 3
    again = evidence(own.rules[0], ("f", "m"), list(zip(days, counts, strict=True)), [days[5]])
    assert again[5] == grown[5]
    assert again[6].log_e < grown[1].log_e + 1 < grown[6].log_e  # from 1 again, with the level known
