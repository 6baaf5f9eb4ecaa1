"""Pages on which something is done: alerts that are answered, keys that end; and what others see of it."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from evenhand.monitor import chain, holding, keys, users, watching
from evenhand.monitor.ingest import take
from evenhand.monitor.policy import parse_policy
from evenhand.monitor.roles import EVERYBODY, NotKnown
from evenhand.monitor.service import app as service
from evenhand.monitor.service.pages import _page
from evenhand.monitor.service.settings import Settings
from tests.monitor import replicas
from tests.monitor.conftest import HERE
from tests.monitor.made import DAY, decision
from tests.monitor.replicas import create_app
from tests.monitor.service.test_pages import OWN, _quick_passwords, log_in  # noqa: F401 - a fixture

POLICY = parse_policy(
    'minimum = 50\n[[rule]]\nindicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}'
)


def watched(store, use_case: str = "loans", women: int = 4) -> None:
    """Ten days of 20 women and 20 men, of whom `women` and 12 are selected."""
    watcher = watching.Watcher(POLICY)
    for day in range(10):
        batch = [
            decision(
                f"{day}-{sex}-{number}",
                use_case=use_case,
                time=DAY + timedelta(days=day),
                decision=int(number < selected),
                attributes={"sex": sex},
            )
            for sex, selected in (("f", women), ("m", 12))
            for number in range(20)
        ]
        take(store, batch, after=watcher.after)


def token_in(page: str) -> str:
    return re.search(r'name="token" value="(\w+)"', page)[1]


def test_an_open_alert_is_answered_on_its_page(store) -> None:
    client = TestClient(create_app(Settings(store, keep_seconds=60)), base_url=HERE, follow_redirects=False)
    watched(store)
    log_in(client, store, "analyst")
    page = client.get("/alerts").text
    assert "Open alert:" in page
    assert "Evidence over time: selection_rate by sex, f and m, scorer 1" in page
    number = re.search(r'action="/alerts/(\d+)"', page)[1]
    rows = list(csv.DictReader(io.StringIO(client.get("/alerts.csv?table=evidence").text)))
    assert [one["day"] for one in rows] == [str((DAY + timedelta(days=day)).date()) for day in range(9)]
    assert float(rows[0]["capital"]) == 1  # the first day only teaches the level
    assert float(rows[-1]["capital"]) > 20
    said = {"token": token_in(page), "note": " a release was withdrawn "}
    assert client.post(f"/alerts/{number}", data={**said, "token": "x"}, headers=OWN).status_code == 403
    assert client.post(f"/alerts/{number}", data={**said, "note": " "}, headers=OWN).status_code == 422
    assert client.post(f"/alerts/{number}", data=said, headers=OWN).headers["location"] == "/alerts"
    page = client.get("/alerts").text  # at once, though figures may be a minute old
    assert "No alert is open" in page
    assert "a release was withdrawn" in page
    history = client.get("/alerts.json").json()["history"]
    assert [(one["by"], one["note"], one["test"]) for one in history] == [
        ("analyst", "a release was withdrawn", 1)
    ]
    assert client.post(f"/alerts/{number}", data=said, headers=OWN).status_code == 422  # it is not open
    assert "Evidence over time" in client.get(f"/alerts?id={number}").text
    assert client.get("/alerts?id=999").status_code == 404


def test_a_viewer_sees_alerts_and_answers_none(client, store) -> None:
    watched(store)
    log_in(client, store, "viewer")
    page = client.get("/alerts").text
    assert "Open alert:" in page
    assert "<textarea" not in page
    number = watching.listed(store, EVERYBODY, "alert")[0].id
    data = {"token": token_in(page), "note": "x"}
    assert client.post(f"/alerts/{number}", data=data, headers=OWN).status_code == 403
    assert watching.listed(store, EVERYBODY, "alert")


def test_alerts_of_others_are_neither_listed_nor_answered(client, store) -> None:
    watched(store)
    number = watching.listed(store, EVERYBODY, "alert")[0].id
    take(store, [decision("a", use_case="jobs")])
    log_in(client, store, "analyst", use_cases=["jobs"])
    page = client.get("/alerts").text
    assert "loans" not in page
    assert client.get(f"/alerts?id={number}").status_code == 404
    data = {"token": token_in(page), "note": "x"}
    assert client.post(f"/alerts/{number}", data=data, headers=OWN).status_code == 404


def test_what_was_not_shown_to_be_broken_is_no_alert_and_not_green(client, store) -> None:
    watched(store, women=12)
    log_in(client, store)
    for path in ("/overview", "/alerts"):
        page = client.get(path).text
        assert 'class="state-plain">no alert<' in page, path
        assert "state-good" not in page, path
        assert [one["status"] for one in client.get(f"{path}.json").json()["alerts"]] == ["no alert"]
    assert client.get("/v1/alerts").json()[0]["status"] == "ok"  # the API keeps its word


def test_the_tolerance_of_the_policy_and_the_alert_stand_on_the_chart(client, store) -> None:
    watched(store)
    log_in(client, store)
    page = client.get("/version?use_case=loans&model=scorer&version=1&attribute=sex").text
    assert "tolerated ratio of 0.8 (selection_rate by sex)" in page
    assert "alert: selection_rate by sex, f and m" in page
    assert page.count('class="bound"') == 4  # of the rate and of the ratio: the line, and its name's sign


def test_only_an_admin_sees_keys_and_ends_them(client, store) -> None:
    made = keys.create(store, "sender", ["ingest"], use_cases=["loans"])
    log_in(client, store, "analyst")
    assert client.get("/keys").status_code == 403
    assert 'href="/keys"' not in client.get("/overview").text
    client.cookies.clear()
    log_in(client, store, "admin")
    page = client.get("/keys").text
    assert made.text not in page
    assert made.key.start in page
    data = {"token": token_in(page)}
    assert client.post(f"/keys/{made.key.id}/revoke", data={"token": "x"}, headers=OWN).status_code == 403
    assert client.post("/keys/999/revoke", data=data, headers=OWN).status_code == 404
    assert client.post(f"/keys/{made.key.id}/revoke", data=data, headers=OWN).status_code == 303
    assert [one["state"] for one in client.get("/keys.json").json()["keys"]] == ["revoked"]
    with pytest.raises(NotKnown):
        keys.principal(store, made.text)


WANTED = {"name": "sender", "scope_ingest": "on", "scope_read": "on", "use_cases": " loans \r\njobs\r\n\r\n"}


def test_a_key_is_made_on_the_page_and_shown_once(client, store) -> None:
    log_in(client, store, "admin")
    data = {**WANTED, "token": token_in(client.get("/keys").text), "days": "30"}
    assert client.post("/keys", data={**data, "token": "x"}, headers=OWN).status_code == 403
    assert client.post("/keys", data=data).status_code == 403  # no page of ours sent it
    assert client.post("/keys", data=data, headers={"Origin": "http://evil.example"}).status_code == 403
    assert keys.listed(store) == []
    answer = client.post("/keys", data=data, headers=OWN)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    (text,) = re.findall(r"evh_[\w-]{43}", answer.text)
    who = keys.principal(store, text)
    assert (who.scopes, who.use_cases) == ({"ingest", "read"}, {"loans", "jobs"})
    again = client.post("/keys", data=data, headers=OWN)  # the page is loaded again
    assert (again.status_code, "that works" in again.text, text in again.text) == (422, True, False)
    (made,) = keys.listed(store)
    assert (made.name, made.expires - made.created) == ("sender", timedelta(days=30))
    assert text not in client.get("/keys").text + client.get("/keys.json").text
    with store.reading() as connection:
        last = list(chain.entries(connection))[-1]
    assert json.loads(last["content"]) == {
        "key": made.id, "made": ["ingest", "read"], "days": 30, "by": "admin"
    }  # fmt: skip
    end = client.post(f"/keys/{made.id}/revoke", data={"token": data["token"]}, headers=OWN)
    assert end.status_code == 303
    with pytest.raises(NotKnown):
        keys.principal(store, text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "cannot be the name of a key"),
        ({"name": "a\0b"}, "cannot be the name of a key"),
        ({"scope_ingest": "", "scope_read": ""}, "without a scope"),
        ({"scope_ingest": "", "scope_read": "", "scope_admin": "on"}, "without a scope"),
        ({"use_cases": " "}, "some use cases or for all"),  # and not silently for all
        ({"all": "on"}, "some use cases or for all"),
        ({"days": "0"}, "cannot last 0 days"),
        ({"days": "3661"}, "cannot last 3661 days"),
        ({"days": ""}, "no number of days"),
        ({"days": "-1"}, "no number of days"),
        ({"days": "²"}, "no number of days"),
    ],
)
def test_a_key_is_not_made_of_what_is_unclear(wrong: dict[str, str], said: str, sqlite_client) -> None:
    client, store = sqlite_client
    log_in(client, store, "admin")
    data = {**WANTED, "days": "30", "token": token_in(client.get("/keys").text), **wrong}
    answer = client.post("/keys", data=data, headers=OWN)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert keys.listed(store) == []


def test_an_admin_makes_no_key_for_what_they_do_not_see(sqlite_client) -> None:
    client, store = sqlite_client
    log_in(client, store, "admin", use_cases=["jobs"])
    page = client.get("/keys").text
    assert 'name="all"' not in page
    data = {**WANTED, "days": "30", "token": token_in(page)}
    assert client.post("/keys", data=data, headers=OWN).status_code == 403
    assert client.post("/keys", data={**data, "use_cases": "", "all": "on"}, headers=OWN).status_code == 422
    assert keys.listed(store) == []
    assert client.post("/keys", data={**data, "use_cases": "jobs"}, headers=OWN).status_code == 200
    client.cookies.clear()
    log_in(client, store, "analyst")
    data = {**data, "token": token_in(client.get("/overview").text)}
    assert client.post("/keys", data=data, headers=OWN).status_code == 403


def test_holds_stand_beside_the_keys(sqlite_client) -> None:
    client, store = sqlite_client
    take(store, [decision("a"), decision("b", use_case="jobs")])
    for use_case in ("loans", "jobs"):
        holding.add(store, use_case, why=f"case of {use_case}", by="ada")
    log_in(client, store, "admin", use_cases=["jobs"])
    assert [one["why"] for one in client.get("/keys.json").json()["holds"]] == ["case of jobs"]


def test_how_long_records_are_kept_stands_beside_the_keys(sqlite_client) -> None:
    client, store = sqlite_client
    log_in(client, store, "admin")
    assert client.get("/keys.json").json()["retention"] == []  # no policy so far: nobody knows
    rule = '[[rule]]\nindicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}'
    policy = parse_policy(f"{rule}\n[retention]\ntexts_days = 90")
    store.write(lambda connection: chain.configure(connection, "policy", policy.published()))
    shown = {row["what"]: row["days"] for row in client.get("/keys.json").json()["retention"]}
    assert shown["prompts, answers and reports"] == 90
    assert shown["decisions and generations"] == "always"


def test_an_admin_of_a_use_case_sees_the_keys_of_that_alone(client, store) -> None:
    everything = keys.create(store, "everything", ["read"])
    keys.create(store, "mine", ["read"], use_cases=["jobs"])
    keys.create(store, "theirs", ["read"], use_cases=["jobs", "loans"])
    log_in(client, store, "admin", use_cases=["jobs"])
    assert [one["name"] for one in client.get("/keys.json").json()["keys"]] == ["mine"]
    data = {"token": token_in(client.get("/keys").text)}
    assert client.post(f"/keys/{everything.key.id}/revoke", data=data, headers=OWN).status_code == 404
    assert keys.principal(store, everything.text).scopes == {"read"}


def test_the_menu_holds_what_the_role_may_see(client, store) -> None:
    pages = {"viewer": set(), "analyst": set(), "auditor": {"/audits"}, "admin": {"/audits", "/keys"}}
    for role, own in pages.items():
        client.cookies.clear()
        users.add(store, role, "correct horse battery", role)
        given = {"name": role, "password": "correct horse battery"}
        assert client.post("/login", data=given, headers=OWN).status_code == 303
        menu = set(re.findall(r'<a href="(/\w+)"', client.get("/overview").text))
        assert menu & {"/audits", "/keys"} == own, role
        for path in ("/audits", "/keys"):
            assert client.get(path).status_code == (200 if path in own else 403), (role, path)


def test_audits_show_the_head_that_an_export_is_checked_against(client, store, bearer) -> None:
    take(store, [decision("a")])
    log_in(client, store, "auditor")
    head = client.get("/v1/chain/head", headers=bearer).json()
    page = client.get("/audits").text
    assert f"--head {head['head']} --key {head['key']}" in page
    found = client.get("/audits.json").json()
    what = [(one["number"], one["what"]) for one in found["entries"]]
    assert what == [(3, "access"), (2, "events"), (1, "access")]  # the user, the event, the key
    assert {"ll144", "ugesp", "ai_act", "nist"} == {one["profile"] for one in found["profiles"]}
    assert "compliant" not in page


def test_who_changes_something_sees_it_at_another_replica(store) -> None:
    first, second = (service.create_app(Settings(store, keep_seconds=60)) for _ in range(2))
    watched(store)
    client = TestClient(first, base_url=HERE, follow_redirects=False)
    log_in(client, store, "analyst")
    other = TestClient(second, base_url=HERE, follow_redirects=False, cookies=dict(client.cookies))
    page = other.get("/alerts").text
    said = {"token": token_in(page), "note": "seen"}
    answer = client.post(re.search(r'action="(/alerts/\d+)"', page)[1], data=said, headers=OWN)
    assert "Max-Age=30" in answer.headers["set-cookie"]
    assert "No alert is open" not in other.get("/alerts").text  # it was kept, for who knows nothing of it
    other.cookies.set("evenhand_changed", client.cookies["evenhand_changed"])
    assert "No alert is open" in other.get("/alerts").text


def test_a_page_that_is_kept_is_that_of_who_asks(store, monkeypatch) -> None:
    """Each session has a form of its own, also while pages are kept; the rest is written once."""
    app = create_app(Settings(store, keep_seconds=60))
    watched(store)
    written = []
    template = _page._text
    monkeypatch.setattr(_page, "_text", lambda *given: written.append(1) or template(*given))
    tokens = []
    for name in ("ann", "bob"):
        client = TestClient(app, base_url=HERE, follow_redirects=False)
        users.add(store, name, "correct horse battery", "analyst")
        given = {"name": name, "password": "correct horse battery"}
        assert client.post("/login", data=given, headers=OWN).status_code == 303
        shown = (client.get("/alerts").text for _ in range(2))
        pages = {re.sub('data-as-of="[^"]+"', "", one) for one in shown}  # each replica's own
        assert len(pages) == 1
        page = pages.pop()
        assert f"<span>{name}</span>" in page
        tokens.append(token_in(page))
        assert not re.search(rf"{_page._NAME}|{_page._TOKEN}", page + client.get("/alerts?id=x").text)
    assert tokens[0] != tokens[1]
    # The page, by each replica, and for each person the error that says what is wrong with id=x.
    assert len(written) == replicas.number(store) + 2
