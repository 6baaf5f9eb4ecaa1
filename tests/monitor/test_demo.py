"""The demo's year is found by the code that a service runs."""

from __future__ import annotations

from evenhand.monitor import chain, demo, watching
from evenhand.monitor.figures import Question, figures
from evenhand.monitor.roles import EVERYBODY


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
