"""The demo's year is found by the code that a service runs."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from evenhand.monitor import chain, demo, watching
from evenhand.monitor.figures import Question, figures
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.standing import standing
from evenhand.monitor.store import tables
from evenhand.monitor.store.opening import utc_now


def test_a_fair_start_a_biased_release_an_alert_and_a_fix(store) -> None:
    year = demo.fill(store, days=49, people=120, biased=14)
    # 49 days of 120 people; the labels of the last 7 days are not known yet.
    assert (year.events, year.labels) == (49 * 120, 42 * 120)
    assert year.alerted is not None
    assert year.fixed is not None
    assert year.released < year.alerted < year.released + 20
    assert year.fixed == year.alerted + 14
    ratios = {
        version: figures(store, Question(demo.USE_CASE, version=version, attribute="sex"), ["impact_ratio"])[
            0
        ]
        for version in ("1.0", "2.0", "2.1")
    }
    assert ratios["2.0"].high is not None
    assert ratios["2.0"].high < 0.8
    for version in ("1.0", "2.1"):
        assert ratios[version].value is not None
        assert ratios[version].value > 0.8
    said = {one.version: one for one in watching.listed(store, EVERYBODY)}
    assert (said["1.0"].status, said["2.1"].status) == ("ok", "ok")
    assert said["2.0"].acknowledged is not None
    with store.reading() as connection:
        kinds = {entry["kind"] for entry in chain.entries(connection)}
    assert kinds == {"events", "labels", "configuration policy", "alerts"}
    assert chain.check(store) == []
    _carries_the_simulated_time(store, year)


def _carries_the_simulated_time(store, year: demo.Year) -> None:
    first = utc_now().date() - timedelta(days=49)
    (alert,) = (one for one in watching.listed(store, EVERYBODY) if one.version == "2.0")
    (history,) = (one for one in standing(store, EVERYBODY).answered if one.scope.version == "2.0")
    assert history.raised is not None
    assert history.raised.date() == first + timedelta(days=year.alerted)
    assert alert.acknowledged is not None
    assert alert.acknowledged.date() == history.ended.date() == first + timedelta(days=year.fixed)
    today = utc_now().date()
    times = [
        *(column for table in (tables.predictions, tables.streams, tables.alerts, tables.policies)
          for column in table.c if isinstance(column.type, tables.Utc)),
        tables.use_cases.c.created,
    ]  # fmt: skip
    assert len(times) > 8
    with store.reading() as connection:
        latest = {str(one): connection.scalar(select(func.max(one))) for one in times}
    assert {name: at for name, at in latest.items() if at is not None and at.date() >= today} == {}
