"""What policies remember, for people: the tolerances that are asked for, and alerts that were answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from sqlalchemy import select

from evenhand.monitor.events import CROSS
from evenhand.monitor.policy import Bound, Rule
from evenhand.monitor.roles import Principal
from evenhand.monitor.states import Scope, State
from evenhand.monitor.store.tables import policies

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

_ASKED = re.compile(
    r"(?P<indicator>\w+) by (?P<attribute>.+): (?P<kind>gap <=|ratio >=) (?P<limit>[-+.\de]+)"
    r", groups: (?:pairs|rest)",
    re.DOTALL,
)
"""`Watch.asked` as `evenhand.monitor.policy.Rule.asks` begins it; rules with strata are none of it."""


@dataclass(frozen=True)
class Asked:
    """What the tests of a rule ask for in a version: `kind` and `limit` are the tolerance."""

    scope: Scope
    indicator: str
    attribute: tuple[str, ...]
    kind: Literal["gap", "ratio"]
    limit: float

    @property
    def crossed(self) -> str:
        """The attribute or intersection as rollups name it."""
        return CROSS.join(sorted(self.attribute))

    def rule(self) -> Rule:
        """The rule that asks so, for counting what it compares."""
        tolerance = Bound(gap=self.limit) if self.kind == "gap" else Bound(ratio=self.limit)
        return Rule(
            name=self.scope.rule, indicator=self.indicator, attribute=self.attribute, tolerance=tolerance
        )


@dataclass(frozen=True)
class Answered:
    """A test that ended with an alert: somebody answered for it, or its rule was changed."""

    policy: str
    scope: Scope
    groups: tuple[str, str]
    number: int
    started: datetime
    raised: datetime
    ended: datetime
    n: tuple[int, int]
    x: tuple[int, int]
    log_e: float
    by: str
    note: str


@dataclass(frozen=True)
class Standing:
    """What every policy remembers of the use cases that somebody sees."""

    asked: tuple[Asked, ...]
    answered: tuple[Answered, ...]


def standing(store: Store, who: Principal) -> Standing:
    """What the policies remember; the answered alerts have the latest first."""
    with store.reading() as connection:
        rows = connection.execute(select(policies.c.name, policies.c.state)).all()
    asked: list[Asked] = []
    answered: list[Answered] = []
    for name, state in rows:
        for watch in State.model_validate_json(state).watches:
            if not who.sees(watch.scope.use_case):
                continue
            if (found := asked_of(watch.scope, watch.asked)) is not None:
                asked.append(found)
            for one in watch.acknowledged:
                answered.append(Answered(policy=name, scope=watch.scope, **vars(one)))
    return Standing(tuple(asked), tuple(sorted(answered, key=lambda one: one.ended, reverse=True)))


def asked_of(scope: Scope, text: str) -> Asked | None:
    """What a watch's `asked` says; None for a rule with strata."""
    found = _ASKED.fullmatch(text)
    if found is None:
        return None
    kind: Literal["gap", "ratio"] = "gap" if found["kind"].startswith("gap") else "ratio"
    names = tuple(found["attribute"].split(" x "))
    return Asked(scope, found["indicator"], names, kind, float(found["limit"]))


@dataclass(frozen=True)
class Evidence:
    """The evidence of one comparison after a day: the log (base 10) of the capital."""

    day: date
    log_e: float


def evidence(
    rule: Rule, groups: tuple[str, str], cohorts: Sequence[tuple[date, dict[str, tuple[int, int]]]],
    restarts: Sequence[date] = (),
) -> list[Evidence]:  # fmt: skip
    """How the capital grew over the days of a version, by the counts (n, x) by group of each day.

    It is worked out anew from the counts as they are now, from the version's first day; after a day of
    `restarts` (an alert was answered) it begins at 1 again, with the level that was learnt.
    """
    from evenhand.monitor.alerting import sides
    from evenhand.stats import betting

    wealth, waiting, found = betting.start(), sorted(restarts), []
    tolerance = rule.tolerance.tolerance()
    for day, counts in cohorts:
        while waiting and waiting[0] < day:
            wealth = betting.start(seen=wealth.seen)
            waiting.pop(0)
        n, x = sides(groups, counts)
        if any(n):
            wealth = betting.bet(wealth, n, x, tolerance)
        found.append(Evidence(day, float(wealth.log_e()) / float(np.log(10))))
    return found
