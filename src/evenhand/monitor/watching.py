"""Alerts on the database: which days are ready for the policy, what it says of them, and who answered.

A day of a version is ready when it is mature and whole: it enters the tests once. It is whole when a later
day of that version has begun to come in, which is looked for in the transaction that stores a batch; or, by
the clock, when it has been over for two hours, and nothing came in of that version for as long, which the
service looks for now and then. Whatever the policy remembers is stored in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, select, update

from evenhand.errors import BadData, UsageError
from evenhand.monitor import chain, outbox
from evenhand.monitor.alerting import acknowledge, look
from evenhand.monitor.changes import messages
from evenhand.monitor.events import CROSS
from evenhand.monitor.indicators import INDICATORS, Group
from evenhand.monitor.known import uncrossed
from evenhand.monitor.policy import Policy, Rule, read_policy
from evenhand.monitor.roles import NotThere, Principal
from evenhand.monitor.rollups import COUNTS
from evenhand.monitor.states import Cohort, Decision, Place, State
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.rows import insertion
from evenhand.monitor.store.tables import alerts, cells, groups, policies, streams, use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store


QUIET = timedelta(hours=2)  # a day is whole so long after it and after what came in last


def check(policy: Policy) -> None:
    """Check that the service can count what the policy watches.

    Raises:
        BadData: a rule names an indicator that is no share of people.
    """
    shares = [name for name, one in INDICATORS.items() if one.part is not None]
    for rule in policy.rules:
        if rule.indicator not in shares:
            raise BadData(
                f"The rule {rule.title!r} watches {rule.indicator!r}, which is no share by group.",
                mend=f"Watch one of {', '.join(shares)}: the tolerance says ratio or gap.",
            )


def policy_of(path: Path) -> Policy:
    """The policy in a file, if the service can count what it watches.

    Raises:
        BadData: it cannot be used.
    """
    found = read_policy(path)
    check(found)
    return found


@dataclass
class Watcher:
    """The alerts of a policy: `after` belongs behind every batch, `by_clock` is called now and then.

    `clock` tells the time that alerts carry.
    """

    policy: Policy
    clock: Callable[[], datetime] = utc_now

    def after(self, connection: Connection, grown: frozenset[int]) -> None:
        """Look, if the batch has made a day of these versions ready."""
        self._look(connection, grown, None)

    def by_clock(self, store: Store, now: datetime | None = None) -> bool:
        """Look, if time alone has made a day ready; whether it has. Most of the time this only reads."""
        time = now or self.clock()
        with store.reading() as connection:
            row = connection.scalar(select(policies.c.state).where(policies.c.name == self.policy.name))
            state = State() if row is None else State.model_validate_json(row)
            if not _cohorts(connection, self.policy, state, None, (time, True)):
                return False
        return store.write(lambda connection: self._look(connection, None, time))

    def _look(self, connection: Connection, grown: frozenset[int] | None, clock: datetime | None) -> bool:
        state, number = _state(connection, self.policy)
        time = clock or self.clock()
        cohorts = _cohorts(connection, self.policy, state, grown, (time, clock is not None))
        if not cohorts:
            return False
        found = look(self.policy, state, cohorts, time)
        _keep(connection, number, self.policy, found.state, time)
        for decision in found.decisions:
            _note(connection, number, decision, time)
        now = found.state.now or time
        outbox.put(connection, messages(self.policy, state, found.state, found.decisions, now), time)
        _record(connection, self.policy, found.decisions)
        return True


def _state(connection: Connection, policy: Policy) -> tuple[State, int | None]:
    row = connection.execute(
        select(policies.c.id, policies.c.state).where(policies.c.name == policy.name).with_for_update()
    ).first()
    return (State(), None) if row is None else (State.model_validate_json(row.state), row.id)


def _keep(connection: Connection, number: int | None, policy: Policy, state: State, time: datetime) -> None:
    own = {"state": state.model_dump_json(), "looked": time}
    if number is None:
        connection.execute(insert(policies).values(name=policy.name, **own))
    else:
        connection.execute(update(policies).where(policies.c.id == number).values(**own))


# ---- which days are ready ------------------------------------------------------------------------------


def _cohorts(
    connection: Connection,
    policy: Policy,
    state: State,
    grown: frozenset[int] | None,
    clock: tuple[datetime, bool],
) -> list[Cohort]:
    """What is ready of these versions, or of all (None); of the `clock` see `cohorts_of`."""
    query = (
        select(
            streams.c.id,
            use_cases.c.name,
            streams.c.model,
            streams.c.version,
            streams.c.grown,
            func.max(cells.c.day).label("last"),
        )
        .select_from(streams.join(use_cases).join(cells))
        .group_by(streams.c.id, use_cases.c.name, streams.c.model, streams.c.version, streams.c.grown)
    )
    if grown is not None:
        query = query.where(streams.c.id.in_(sorted(grown)))
    through = {
        (w.scope.rule, w.scope.use_case, w.scope.model, w.scope.version): w.through for w in state.watches
    }
    found: list[Cohort] = []
    for row in connection.execute(query).all():
        for rule in policy.rules:
            if rule.concerns(row.name, row.model):
                entered = through.get((rule.title, row.name, row.model, row.version))
                found += cohorts_of(connection, rule, row, entered, clock)
    return found


def cohorts_of(
    connection: Connection,
    rule: Rule,
    stream: Any,
    entered: datetime | None,
    clock: tuple[datetime, bool],
) -> list[Cohort]:
    """The cohorts of one rule and version that are ready and have not entered: `entered` is the end of the
    last one that has. `clock` is the time, and whether what it alone makes whole is ready."""
    time_now, alone = clock
    ripe = (time_now - timedelta(days=rule.maturity_days or 0.0)).astimezone(UTC).date()
    until = min(ripe, stream.last)  # days before it
    if alone and (stream.grown is None or time_now - stream.grown >= QUIET):
        until = min(ripe, (time_now - QUIET).astimezone(UTC).date())
    order = sorted(range(len(rule.attribute)), key=lambda place: rule.attribute[place])
    attribute = CROSS.join(rule.attribute[place] for place in order)
    c = cells.c
    query = (
        select(c.day, groups.c.value, *(c[name] for name in COUNTS))
        .join(groups)
        .where(c.stream_id == stream.id, groups.c.attribute == attribute, c.day < until)
    )
    if entered is not None:
        query = query.where(c.day >= entered.date())  # `entered` is the midnight that ended the last one
    part, days = INDICATORS[rule.indicator].part, dict[date, dict[str, tuple[int, int]]]()
    assert part is not None
    for day, value, *counts in connection.execute(query):
        hits, n = part(Group(value, dict(zip(COUNTS, counts, strict=True))))
        days.setdefault(day, {})[_in_order(value, order)] = (int(n), int(hits))
    return [
        Cohort(
            indicator=rule.indicator,
            attribute=rule.attribute,
            use_case=stream.name,
            model=stream.model,
            version=stream.version,
            end=datetime.combine(day + timedelta(days=1), time(), UTC),
            counts=counts,
        )
        for day, counts in sorted(days.items())
    ]


def _in_order(value: str, order: Sequence[int]) -> str:
    """The value of an intersection in the order of the rule's attributes."""
    if len(order) == 1:
        return value
    parts = uncrossed(value)
    return (
        " x ".join(parts[order.index(place)] for place in range(len(order)))
        if len(parts) == len(order)
        else value
    )


# ---- what is said ----------------------------------------------------------------------------------------


def _note(connection: Connection, number: int | None, decision: Decision, time: datetime) -> None:
    """Store what a look says of one comparison, under a number that stays."""
    policy = number or connection.scalar(select(func.max(policies.c.id)))
    own = {
        "status": decision.status,
        "why": decision.why,
        "number": decision.number,
        "since": decision.since,
        "counts": json.dumps({"n": decision.n, "x": decision.x}),
        "log_e": decision.log_e,
        "lower": decision.lower,
        "updated": time,
    }
    place = {"policy_id": policy, **decision.scope.model_dump(), "groups": _packed(decision.groups)}
    made = insertion(connection, alerts).values(**place, **own)
    connection.execute(made.on_conflict_do_update(index_elements=list(place), set_=own))


def _record(connection: Connection, policy: Policy, decisions: Sequence[Decision]) -> None:
    """Enter the policy, where it is another one, and what it says into the chain."""
    chain.configure(connection, "policy", policy.published())
    said: dict[str, list[Any]] = {}
    for one in decisions:
        told = one.model_dump(mode="json", exclude={"notify", "change"})
        said.setdefault(one.scope.use_case, []).append(told)
    for use_case, own in said.items():
        chain.append(connection, "alerts", {"policy": policy.name, "decisions": own}, use_case=use_case)


def _packed(pair: tuple[str, str] | None) -> str:
    return "" if pair is None else json.dumps(pair, ensure_ascii=False)


@dataclass(frozen=True)
class Alert:
    """What the last look says of a comparison, and who answered for its last alert."""

    id: int
    policy: str
    rule: str
    use_case: str
    model: str
    version: str
    groups: tuple[str, str] | None
    status: str
    why: str
    number: int
    since: datetime | None
    n: tuple[int, int]
    x: tuple[int, int]
    lower: str | None
    updated: datetime
    acknowledged: datetime | None
    acknowledged_by: str | None
    note: str | None


_ORDER = {"alert": 0, "insufficient data": 1, "ok": 2}


def listed(store: Store, who: Principal, status: str = "") -> list[Alert]:
    """What `who` sees, alerts first, then the latest."""
    with store.reading() as connection:
        rows = (
            connection.execute(select(alerts, policies.c.name.label("policy")).join(policies))
            .mappings()
            .all()
        )
    found = [_alert(row) for row in rows]
    seen = [
        one
        for one in found
        if (not status or one.status == status)
        and (who.sees(one.use_case) if one.use_case else who.use_cases is None)
    ]
    return sorted(seen, key=lambda one: (_ORDER.get(one.status, 3), -one.updated.timestamp(), one.id))


def _alert(row: Any) -> Alert:
    counts, pair = json.loads(row["counts"]), json.loads(row["groups"] or "null")
    own = {name: row[name] for name in Alert.__annotations__ if name not in ("groups", "n", "x")}
    return Alert(
        groups=None if pair is None else (pair[0], pair[1]), n=tuple(counts["n"]), x=tuple(counts["x"]), **own
    )


def answer(
    store: Store,
    who: Principal,
    number: int,
    note: str,
    *,
    policy: Policy | None = None,
    at: datetime | None = None,
) -> Alert:
    """Acknowledge the open alert of this number: its test ends, and a new one begins.

    Those whom `policy` tells of it, and who were told that it opened, are told. `at` is the time, by default
    now.

    Raises:
        NotThere: there is no such alert that `who` sees.
        UsageError: it is not open, or the note is empty.
    """

    def work(connection: Connection) -> Alert:
        query = select(alerts, policies.c.name.label("policy"), policies.c.state)
        row = connection.execute(
            query.join(policies).where(alerts.c.id == number).with_for_update()
        ).mappings().first()  # fmt: skip
        if row is None or not who.sees(row["use_case"]):
            raise NotThere(f"There is no alert {number}.", mend="GET /v1/alerts lists them.")
        one, now = _alert(row), at or utc_now()
        if one.groups is None or one.status != "alert":
            raise UsageError(
                f"Alert {number} is not open.", mend="GET /v1/alerts?status=alert lists those that are."
            )
        place = Place(
            rule=one.rule, use_case=one.use_case, model=one.model, version=one.version, groups=one.groups
        )
        before = State.model_validate_json(row["state"])
        state = acknowledge(before, place, by=who.name, note=note, now=now)
        if policy is not None and policy.name == one.policy:
            outbox.put(connection, messages(policy, before, state, (), now), now)
        connection.execute(
            update(policies).where(policies.c.id == row["policy_id"]).values(state=state.model_dump_json())
        )
        said = {"acknowledged": now, "acknowledged_by": who.name, "note": note}
        fresh = {**_BEGUN, "number": one.number + 1, "since": now}
        connection.execute(
            update(alerts).where(and_(alerts.c.id == number)).values(**said, **fresh, updated=now)
        )
        told = {"alert": number, "acknowledged": one.number, "by": who.name, "note": note}
        chain.append(connection, "alerts", told, use_case=one.use_case)
        return _alert({**row, **said, **fresh, "updated": now})

    return store.write(work)


_BEGUN = {
    "status": "insufficient data",
    "log_e": 0.0,
    "lower": None,
    "why": "An alert was acknowledged; a new test has begun.",
    "counts": json.dumps({"n": (0, 0), "x": (0, 0)}),
}
