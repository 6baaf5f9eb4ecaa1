"""A simulated year, through the code that a service runs: a fair start, a biased release, an alert, a fix.

Every day's decisions are stored as one batch, with the policy looking behind it, and every week the labels
of the weeks before. Nothing is put into the tables in another way. Everything carries the simulated time, but
the entries of the chain: they say when they were written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from evenhand.monitor import watching
from evenhand.monitor.events import Event, Label
from evenhand.monitor.ingest import join, take
from evenhand.monitor.policy import Policy, parse_policy
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.store.opening import utc_now

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

USE_CASE, MODEL = "loans (demo)", "scorer"
DAYS, PEOPLE = 364, 40
BIASED, SHIFT = 150, 0.2  # the day of the biased release, and what it takes from the scores of one group
LATE = 7  # days until a label is known; labels come in once a week
ANSWER = 14  # days until somebody acts on the alert
EVENING = time(20)  # when a day's decisions are stored, UTC
POLICY = f"""
name = "demo"
minimum = 100

[[rule]]
indicator = "selection_rate"
attribute = "sex"
tolerance = {{ratio = 0.8}}
use_cases = "{USE_CASE}"
"""


@dataclass(frozen=True)
class Year:
    """What happened: numbers of events and labels, and the days (0 to 363) of the release, alert and fix."""

    events: int
    labels: int
    released: int
    alerted: int | None
    fixed: int | None


def policy() -> Policy:
    """The policy of the demo."""
    return parse_policy(POLICY, where="The policy of the demo")


def fill(
    store: Store, *, seed: int = 0, days: int = DAYS, people: int = PEOPLE, biased: int = BIASED
) -> Year:
    """Store the `days` that end yesterday, with the biased release on the day `biased`.

    The alert is found by the policy, and the fix is released 14 days after it, with a note.
    """
    rng = np.random.default_rng(seed)
    first = utc_now().astimezone(UTC).date() - timedelta(days=days)
    evening = datetime.combine(first, EVENING, UTC)
    watcher = watching.Watcher(policy(), clock=lambda: evening)
    alerted = fixed = None
    events = labels = 0
    waiting: list[Label] = []
    for day in range(days):
        if alerted is not None and fixed is None and day == alerted + ANSWER:
            fixed = day
        version = "1.0" if day < biased else "2.0" if fixed is None else "2.1"
        noon = datetime.combine(first + timedelta(days=day), time(12), UTC)
        evening = datetime.combine(first + timedelta(days=day), EVENING, UTC)
        batch, known = _day(rng, day, people, version, noon)
        events += take(store, batch, after=watcher.after, now=evening).accepted
        waiting += known
        if day % LATE == LATE - 1:
            labels += join(store, waiting[: -LATE * people], after=watcher.after, now=evening).labels
            waiting = waiting[-LATE * people :]
        if day > biased and alerted is None and _open(store):
            alerted = day
        if fixed == day:
            _answer(store, evening)
    return Year(events, labels, biased, alerted, fixed)


def _day(
    rng: np.random.Generator, day: int, people: int, version: str, noon: datetime
) -> tuple[list[Event], list[Label]]:
    batch, known = [], []
    for number, (woman, young, told) in enumerate(rng.random((people, 3)) < (0.5, 0.4, 0.95)):
        merit = float(rng.beta(4, 3))
        score = merit - SHIFT * woman if version == "2.0" else merit
        name = f"{day}-{number}"
        sex = ("f" if woman else "m") if told else None
        batch.append(
            Event(
                prediction_id=name,
                time=noon,
                use_case=USE_CASE,
                model=MODEL,
                version=version,
                score=min(max(score, 0.0), 1.0),
                decision=1 if score >= 0.5 else 0,
                attributes={"sex": sex, "age": "under 40" if young else "40 and over"},
            )
        )
        known.append(Label(prediction_id=name, use_case=USE_CASE, label=1 if rng.random() < merit else 0))
    return batch, known


def _alerts(store: Store) -> Iterator[watching.Alert]:
    return (one for one in watching.listed(store, EVERYBODY, "alert") if one.use_case == USE_CASE)


def _open(store: Store) -> bool:
    return any(_alerts(store))


def _answer(store: Store, now: datetime) -> None:
    for one in list(_alerts(store)):
        note = "Version 2.0 took points from one group; 2.1 is released."
        watching.answer(store, EVERYBODY, one.id, note, at=now)
