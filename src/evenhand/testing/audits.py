"""Contracts of audits: findings that repeat, that are found where they are planted, and that show no row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evenhand.records import Audited, State, to_json
from evenhand.studies.auditing import audit
from evenhand.testing.cases import AuditCase
from evenhand.testing.contracts import Contract, NotTried, Subject, expect

SECRET = "Wilhelmine-4711"  # stands in one row of what is audited, and in no output


def _case(subject: Subject) -> AuditCase:
    found: AuditCase = subject.needed("a data set in which something is planted")
    return found


def _audited(subject: Subject, source: Any, options: Mapping[str, Any]) -> Audited:
    return audit(source, **{**options, "audits": [subject.spec]})


def what_is_planted_is_found(subject: Subject) -> None:
    """On the case's planted data set a finding is beyond its tolerance, or one that has none is made."""
    source, options = _case(subject).planted()
    found = _audited(subject, source, options).findings
    expect(found, "nothing was found in the planted data set")
    states = {one.state for one in found}
    expect(State.BEYOND in states or states == {State.NOTE}, f"the findings are {', '.join(sorted(states))}")


def nothing_is_found_where_nothing_is(subject: Subject) -> None:
    """On the case's data set without anything planted no finding is beyond its tolerance."""
    case = _case(subject)
    if case.quiet is None:
        raise NotTried("the case gives no data set in which nothing is planted")
    source, options = case.quiet()
    beyond = [one.finding for one in _audited(subject, source, options).findings if one.state is State.BEYOND]
    expect(not beyond, f"beyond the tolerance: {beyond[:1]}")


def a_seed_gives_the_same_findings(subject: Subject) -> None:
    """Asked twice, the findings are equal, field by field."""
    source, options = _case(subject).planted()
    first, again = (_audited(subject, source, options).findings for _ in range(2))
    expect(first == again, "the same seed gave other findings")


def findings_are_whole(subject: Subject) -> None:
    """Every finding says what it is about; one with a state has an effect, an interval, a command."""
    source, options = _case(subject).planted()
    for one in _audited(subject, source, options).findings:
        json.dumps(to_json(one), allow_nan=False)
        expect(one.columns and one.finding and one.n >= 0, f"{one.name} says not what it is about")
        if one.state is not State.NOTE:
            expect(one.effect is not None, f"{one.finding} has no effect")
            expect(one.low is not None and one.high is not None, f"{one.finding} has no interval")
            inside = (one.low or 0) - 1e-9 <= (one.effect or 0) <= (one.high or 0) + 1e-9
            expect(inside, f"{one.finding}: {one.effect} is not in {one.low} to {one.high}")
            expect(one.command.startswith("evenhand audit "), f"{one.finding} has no command")
            expect(one.measure and one.mend, f"{one.finding} does not say what it measures and what to do")


def no_row_is_shown(subject: Subject) -> None:
    """A name that stands in a single row of another column is in no output."""
    source, options = _case(subject).planted()
    text = json.dumps(to_json(_audited(subject, source, options)))
    expect(SECRET not in text, "a row's value stands in the output")


CONTRACTS: tuple[Contract, ...] = (
    what_is_planted_is_found,
    nothing_is_found_where_nothing_is,
    a_seed_gives_the_same_findings,
    findings_are_whole,
    no_row_is_shown,
)
