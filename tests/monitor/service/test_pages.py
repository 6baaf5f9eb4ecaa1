"""Pages: who gets them, in three forms, and what a hostile name does in them."""

from __future__ import annotations

import csv
import io
import re

import pytest
from fastapi.testclient import TestClient

from evenhand.monitor import keys, users
from evenhand.monitor.ingest import take
from evenhand.monitor.service.guard import HEADERS
from evenhand.monitor.service.pages import FORMS
from evenhand.monitor.service.settings import Settings
from tests.monitor import replicas
from tests.monitor.conftest import HERE
from tests.monitor.made import decision
from tests.monitor.replicas import create_app

PASSWORD = "correct horse battery"
OWN = {"Origin": HERE}


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch) -> None:
    """Argon2 with little memory: these tests are not about how slow it is."""
    from argon2 import PasswordHasher

    monkeypatch.setattr(users, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(users, "_nobody", [])


def log_in(client, store, role: str = "viewer", **about) -> None:
    users.add(store, role, PASSWORD, role, **about)
    answer = client.post("/login", data={"name": role, "password": PASSWORD}, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_pages_need_a_log_in(client, store) -> None:
    assert client.get("/").headers["location"] == "/overview"
    assert client.get("/version?model=a").headers["location"] == "/login?next=%2Fversion%3Fmodel%3Da"
    assert client.get("/overview.json").status_code == 401
    log_in(client, store)
    answer = client.get("/overview")
    assert (answer.status_code, "No event has come yet" in answer.text) == (200, True)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"


def test_hostile_names_are_text(client, store) -> None:
    hostile = "<script>alert(1)</script>"
    take(store, [decision("a", model=hostile, use_case=hostile, attributes={hostile: hostile})])
    take(store, [decision("a", model="=1+1", use_case=hostile)])
    log_in(client, store)
    pages = [client.get("/overview").text]
    links = re.findall(r'href="(/version\?[^"]+)"', pages[0])
    pages += [client.get(link.replace("&amp;", "&")).text for link in links]
    assert len(pages) == 3  # the version, and all versions
    assert all("&lt;script&gt;" in page for page in pages)
    assert not any(re.search('<script(?! src="/static/)', page) for page in pages)
    rows = list(csv.reader(io.StringIO(client.get("/overview.csv?table=versions").text)))
    assert [row[1] for row in rows] == ["model", hostile] or rows[1][1] in (hostile, "'=1+1")


def test_each_page_is_json_and_csv_as_well(client, store) -> None:
    take(store, [decision("a"), decision("b", decision=0), decision("c", attributes={"sex": "m"})])
    log_in(client, store)
    query = "use_case=loans&model=scorer&version=1"
    found = client.get(f"/version.json?{query}").json()
    assert {"indicator": "Impact ratio", "group": "all", "value": 0.5, "n": 3}.items() <= next(
        one for one in found["figures"] if one["indicator"] == "Impact ratio"
    ).items()
    rows = list(csv.DictReader(io.StringIO(client.get(f"/version.csv?{query}").text)))
    assert [one["value"] for one in rows if one["indicator"] == "Impact ratio"] == ["0.5"]
    assert client.get("/overview.csv?table=x").status_code == 404
    assert client.get("/version?use_case=loans").status_code == 422
    assert client.get(f"/version?{query}x").status_code == 200
    assert client.get("/version.json?use_case=no&model=a&version=b").status_code == 404


def test_a_user_sees_only_the_own_use_cases(client, store) -> None:
    take(store, [decision("a"), decision("b", use_case="jobs")])
    log_in(client, store, use_cases=["jobs"])
    assert [one["use case"] for one in client.get("/overview.json").json()["versions"]] == ["jobs"]
    assert client.get("/version?use_case=loans&model=scorer&version=1").status_code == 403


def test_no_secret_is_in_the_log(client, store, caplog) -> None:
    """Passwords, sessions, the tokens of forms and of reports, keys; right and wrong ones."""
    caplog.set_level("DEBUG")
    log_in(client, store, "admin")  # with a password
    wrong = {"name": "canary-name", "password": "canary-password"}
    assert client.post("/login", data=wrong, headers=OWN).status_code == 401
    form = re.search(r'name="token" value="(\w+)"', client.get("/keys").text)[1]
    key = keys.create(store, "k", ["feedback", "read"]).text
    body = {"use_case": "loans", "prompt": "canary-prompt", "answer": "canary-answer", "why": "canary-why"}
    told = client.post("/v1/reports", json=body, headers={"Authorization": f"Bearer {key}"}).json()
    assert client.get("/feedback/state", params={"token": told["token"]}).status_code == 200
    session = client.cookies["evenhand_session"]
    other = TestClient(client.app, base_url=HERE, follow_redirects=False)
    other.cookies.set("evenhand_session", "canary-session")
    assert other.get("/overview").status_code == 303
    # What the service says, and its libraries; the client of the test writes addresses down.
    said = "\n".join(one.getMessage() for one in caplog.records if not one.name.startswith("httpx"))
    assert "GET /feedback/state 200" in said
    for secret in ("canary", PASSWORD, form, key, told["token"], session):
        assert secret not in said


def test_changes_need_the_own_origin_and_the_session_s_form(client, store) -> None:
    log_in(client, store, "admin")
    token = re.search(r'name="token" value="(\w+)"', client.get("/overview").text)[1]
    described = client.get("/openapi.json").json()["paths"]
    changing = [path for path, about in described.items() if set(about) - {"get"}]
    assert {"/v1/events", "/v1/labels", "/v1/alerts/{number}/acknowledge"} <= set(changing)
    forms = {one.path for router in FORMS for one in router.routes if "POST" in one.methods}
    assert {"/login", "/logout", "/alerts/{number}", "/keys", "/feedback/{number}", "/feedback/new"} <= forms
    for path in sorted(one.replace("{number}", "1") for one in {*changing, *forms}):
        for foreign in (
            "http://evil.example",
            "null",
            "http://127.0.0.1:9",
            "https://127.0.0.1.evil.example",
        ):
            answer = client.post(path, headers={"Origin": foreign})
            assert (answer.status_code, "another site" in answer.text) == (403, True), path
        assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/logout", data={"token": token}).status_code == 403
    assert client.post("/logout", data={"token": "x"}, headers=OWN).status_code == 403
    assert client.post("/logout", data={"token": token}, headers=OWN).status_code == 303
    assert client.get("/overview").status_code == 303


def test_wrong_passwords_are_throttled(client, store) -> None:
    users.add(store, "ann", PASSWORD, "viewer")
    wrong = {"name": "ann", "password": "wrong password"}
    tries = 5 * replicas.number(store)  # each replica counts for itself
    codes = [client.post("/login", data=wrong, headers=OWN).status_code for _ in range(tries + 1)]
    assert codes == [401] * tries + [429]
    right = client.post("/login", data={**wrong, "password": PASSWORD}, headers=OWN)
    assert (right.status_code, int(right.headers["Retry-After"]) > 0) == (429, True)


def test_a_log_in_leads_to_pages_of_this_service_only(client, store) -> None:
    users.add(store, "ann", PASSWORD, "viewer")
    for wanted in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"):
        given = {"name": "ann", "password": PASSWORD, "next": wanted}
        assert client.post("/login", data=given, headers=OWN).headers["location"] == "/"


def test_other_hosts_are_refused(client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost:80:80"):
        assert client.get("/health", headers={"Host": host}).status_code == 400
    for host in ("localhost", "LOCALHOST:8000", "[::1]:8000"):
        assert client.get("/health", headers={"Host": host}).status_code == 200


def test_without_authentication_everything_is_open_and_says_so(store) -> None:
    client = TestClient(create_app(Settings(store, authenticate=False)), base_url=HERE)
    assert "asks for no key and no password" in client.get("/overview").text
    assert client.post("/v1/events", json=[]).status_code == 200
    assert client.post("/v1/events", json=[], headers={"Origin": "http://evil.example"}).status_code == 403


def test_no_user_exists_until_one_is_added(store) -> None:
    assert users.listed(store) == []
    users.add(store, "ann", PASSWORD, "viewer")
    with store.reading() as connection:
        stored = connection.exec_driver_sql("select password from users").scalar()
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
