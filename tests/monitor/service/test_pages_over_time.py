"""Pages of figures over time: what they say, how often they read, and who sees them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event

from evenhand.monitor.ingest import take
from tests.monitor import replicas
from tests.monitor.made import DAY, decision
from tests.monitor.service.test_pages import _quick_passwords, log_in  # noqa: F401 - a fixture

PLACE = {"use_case": "loans", "model": "scorer"}


def fill(store, version: str, days: range, rates: dict[str, int], people: int = 10) -> None:
    """`people` of each group a day, of whom `rates` are selected."""
    take(
        store,
        [
            decision(
                f"{version}-{day}-{sex}-{number}",
                version=version,
                time=DAY + timedelta(days=day),
                decision=int(number < selected),
                attributes={"sex": sex, "age": "old"},
            )
            for day in days
            for sex, selected in rates.items()
            for number in range(people)
        ],
    )


def test_a_version_shows_every_day_with_the_mean_since_the_first(client, store) -> None:
    fill(store, "1", range(2), {"f": 5, "m": 5})
    fill(store, "1", range(2, 3), {"f": 8, "m": 8})
    log_in(client, store)
    found = client.get("/version.json", params={**PLACE, "version": "1", "attribute": "sex"}).json()
    rows = [one for one in found["history"] if (one["indicator"], one["group"]) == ("Selection rate", "f")]
    assert [(one["from day"], one["n"], one["value"]) for one in rows] == [
        ("2026-03-01", 10, 0.5),
        ("2026-03-02", 10, 0.5),
        ("2026-03-03", 10, 0.8),
    ]
    assert [one["mean since the first day"] for one in rows] == [0.5, 0.5, 0.6]  # (5 + 5 + 8) / 30
    assert all(one["low"] < one["mean since the first day"] < one["high"] for one in rows)
    assert rows[2]["high"] - rows[2]["low"] < rows[0]["high"] - rows[0]["low"]
    page = client.get("/version", params={**PLACE, "version": "1", "attribute": "sex"}).text
    assert page.count("<details>") == page.count('<svg viewBox="0 0 460') >= 4
    assert "f on 2026-03-03: 0.600, limits" in page  # what a screen reader hears
    assert "style=" not in page  # the content policy would refuse it


def test_periods_are_of_the_days_that_are_asked_for(client, store) -> None:
    fill(store, "1", range(5), {"f": 5})
    log_in(client, store)
    found = client.get("/version.json", params={**PLACE, "version": "1", "days": 2}).json()["history"]
    rows = [one for one in found if (one["indicator"], one["group"]) == ("Selection rate", "all")]
    assert [(one["from day"], one["to day"], one["n"]) for one in rows] == [
        ("2026-03-01", "2026-03-02", 20),
        ("2026-03-03", "2026-03-04", 20),
        ("2026-03-05", "2026-03-05", 10),
    ]


def test_all_versions_together_mark_the_releases(client, store) -> None:
    fill(store, "1", range(3), {"f": 5, "m": 5})
    fill(store, "2", range(3, 6), {"f": 1, "m": 9})
    log_in(client, store)
    page = client.get("/version", params={**PLACE, "attribute": "sex"}).text
    assert "version 1: first event, 2026-03-01" in page
    assert "version 2: first event, 2026-03-04" in page
    found = client.get("/version.json", params={**PLACE, "attribute": "sex"}).json()["figures"]
    rates = {one["group"]: one["value"] for one in found if one["indicator"] == "Selection rate"}
    assert rates == {"all": 0.5, "f": 0.3, "m": 0.7}  # (15 + 3) / 60 and (15 + 27) / 60


def test_a_group_is_shown_beside_everybody_with_what_is_unknown(client, store) -> None:
    fill(store, "1", range(3), {"f": 2, "m": 6})
    take(store, [decision(f"u{number}", attributes={}) for number in range(20)])
    log_in(client, store)
    query = {**PLACE, "attribute": "sex", "group": "f"}
    found = client.get("/group.json", params=query).json()
    # 60 people with a group and 20 without; no label has come.
    assert found["counts"] == {"decisions": 30, "of": 80, "coverage": 0.0, "unknown": 0.25}
    assert found["within"] == [["age*sex", "old*f"]]
    rates = {one["group"]: one["value"] for one in found["figures"] if one["indicator"] == "Selection rate"}
    assert rates == {"all": (6 + 18 + 20) / 80, "f": 6 / 30}
    assert "Impact ratio" not in {one["indicator"] for one in found["figures"]}  # one group compares nothing
    page = client.get("/group", params=query).text
    links = [one.replace("&amp;", "&") for one in re.findall(r'href="(/group\?[^"]+)"', page)]
    assert len(links) == 1
    assert "old × f" in client.get(links[0]).text
    assert client.get("/group", params={**query, "group": "x"}).status_code == 404
    assert client.get("/group", params={"use_case": "loans"}).status_code == 422


def test_versions_are_compared_by_intervals_that_hold_together(client, store) -> None:
    fill(store, "1", range(2), {"f": 50, "m": 50}, people=100)
    fill(store, "2", range(2, 4), {"f": 10, "m": 60}, people=100)
    log_in(client, store)
    found = client.get(
        "/compare.json", params={"use_case": "loans", "a": "1", "b": "2", "attribute": "sex"}
    ).json()
    said = {(one["indicator"], one["group"]): one for one in found["differences"]}
    ratio = said["Impact ratio", "all"]
    assert (ratio["a"], ratio["b"], ratio["state of b"]) == (1.0, pytest.approx(1 / 6), "worse")
    women = said["Selection rate", "f"]
    assert (women["difference b - a"], women["state of b"]) == (pytest.approx(-0.4), "lower")
    assert said["Selection rate", "m"]["state of b"] == "unresolved"  # .5 and .6 of 200
    assert found["verdicts"] == len([one for one in said.values() if one["low"] is not None])
    page = client.get("/compare", params={"use_case": "loans", "a": "2", "b": "1", "attribute": "sex"}).text
    assert 'class="state-good">better' in page
    assert f"all\n{found['verdicts']} of this page" in page
    default = client.get("/compare.json").json()
    assert default["names"] == ["scorer 1", "scorer 2"]
    assert client.get("/compare", params={"use_case": "loans", "a": "9"}).status_code == 422


def test_a_page_reads_as_often_whatever_there_is(client, store) -> None:
    log_in(client, store)
    asked: list[str] = []
    for one in replicas.stores(store):
        event.listen(one.reader, "before_cursor_execute", lambda *given: asked.append(given[2]))

    def count(path: str, query: dict[str, str]) -> int:
        before = len(asked)
        assert client.get(path, params=query).status_code == 200
        return len(asked) - before

    pages = (
        ("/overview", {}),
        ("/version", {**PLACE, "attribute": "sex", "maturity": "3"}),
        ("/group", {**PLACE, "attribute": "sex", "group": "f"}),
        ("/compare", {"use_case": "loans"}),
        ("/alerts", {}),
    )
    for version in ("1", "2"):
        fill(store, version, range(2), {"f": 1, "m": 2})
    few = [count(*one) for one in pages]
    for version in ("3", "4", "5"):
        fill(store, version, range(40), {"f": 1, "m": 2, "x": 3})
    assert [count(*one) for one in pages] == few
    assert max(few) <= 25
    assert not any("FROM predictions" in one or "JOIN predictions" in one for one in asked)


def test_no_page_names_a_use_case_that_is_not_the_own(client, store) -> None:
    fill(store, "1", range(2), {"f": 1, "m": 2})
    take(store, [decision("a", use_case="jobs", model="own"), decision("b", use_case="jobs", model="own")])
    log_in(client, store, "auditor", use_cases=["jobs"])
    for path in ("/overview", "/alerts", "/compare", "/report", "/feedback", "/canaries", "/audits"):
        answer = client.get(path)
        assert (answer.status_code, "loans" in answer.text) == (200, False), path
    for path in ("/version", "/group", "/compare"):
        query = {**PLACE, "version": "1", "attribute": "sex", "group": "f"}
        assert client.get(path, params=query).status_code == 403, path
