"""Which changes of alerts somebody has to hear of: pure, from the states before and after; no database.

An alert never ends by itself: it is opened, told again where it is still open after the cooldown, and ended
by somebody's note (or by a rule that was changed). Who was never told of an alert is not told of its end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evenhand.monitor.policy import Policy, Rule
from evenhand.monitor.states import Acknowledged, Change, Decision, Scope, State, Watch


@dataclass(frozen=True)
class Message:
    """What one receiver is told about one change.

    Attributes:
        key: the same for the same change and receiver, whoever finds it: a message is sent once by it.
        change: what it is about.
        receiver: as the policy names it.
        content: what is sent, as JSON.
    """

    key: str
    change: Change
    receiver: str
    content: dict[str, Any]


def messages(
    policy: Policy, before: State, after: State, decisions: Sequence[Decision], now: datetime
) -> list[Message]:
    """What has to be sent after a look or an answer, each change to each receiver of its rule once."""
    rules = {rule.title: rule for rule in policy.rules}
    found: list[Message] = []
    for one in decisions:
        if one.change is not None and one.change in policy.tell:
            found += _of(policy, one.notify, one.change, _opened(policy, one, now))
    if "acknowledged" in policy.tell:
        for watch, ended in _ended(before, after):
            rule = rules.get(watch.scope.rule)
            if rule is not None:
                found += _of(policy, rule.notify or (), "acknowledged", _answered(policy, rule, watch, ended))
    return found


def _of(
    policy: Policy, receivers: Sequence[str], change: Change, content: dict[str, Any]
) -> Iterator[Message]:
    for receiver in receivers:
        own = {name: content[name] for name in (*Scope.model_fields, "groups", "number", "time")}
        marks = json.dumps([policy.name, change, receiver, own], sort_keys=True)
        key = hashlib.sha256(marks.encode()).hexdigest()[:40]
        yield Message(key, change, receiver, {"id": key, "change": change, **content})


def _opened(policy: Policy, one: Decision, now: datetime) -> dict[str, Any]:
    kept = one.model_dump(mode="json", include={"groups", "why", "number", "since", "n", "x", "lower"})
    return {"policy": policy.name, **one.scope.model_dump(), **kept, "time": now.isoformat()}


def _ended(before: State, after: State) -> Iterator[tuple[Watch, Acknowledged]]:
    """The alerts that ended between two states, if their opening was told."""
    earlier = {watch.scope: watch for watch in before.watches}
    for watch in after.watches:
        old = earlier.get(watch.scope)
        known = len(old.acknowledged) if old is not None else 0
        for ended in watch.acknowledged[known:]:
            if any(
                (test.groups, test.number) == (ended.groups, ended.number)
                and test.told is not None
                and test.told >= ended.raised
                for test in (old.tests if old is not None else ())
            ):
                yield watch, ended


def _answered(policy: Policy, rule: Rule, watch: Watch, ended: Acknowledged) -> dict[str, Any]:
    return {
        "policy": policy.name,
        **watch.scope.model_dump(),
        "groups": list(ended.groups),
        "why": f"The alert about {rule.indicator} was answered for; a new test has begun.",
        "number": ended.number,
        "since": ended.raised.isoformat(),
        "n": list(ended.n),
        "x": list(ended.x),
        "by": ended.by,
        "note": ended.note,
        "time": ended.ended.isoformat(),
    }
