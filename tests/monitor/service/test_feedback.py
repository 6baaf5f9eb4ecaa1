"""Reports by API and by form, and the pages about them."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from evenhand.monitor import keys, users
from evenhand.monitor.policy import parse_policy
from evenhand.monitor.service.settings import Settings
from tests.monitor import replicas
from tests.monitor.conftest import HERE
from tests.monitor.replicas import create_app

GIVEN = {"use_case": "loans", "prompt": "Who cooks?", "answer": "<b>She</b> does.", "why": "a stereotype"}
MODEL = "openai:http://127.0.0.1:9/v1#m"


POLICY = f"""
[probes]
endpoints = "{MODEL}"
[[rule]]
indicator = "selection_rate"
attribute = "sex"
tolerance = {{ratio = 0.8}}
"""


@pytest.fixture
def client(store) -> TestClient:
    settings = Settings(store, policy=parse_policy(POLICY))
    return TestClient(create_app(settings), base_url=HERE, follow_redirects=False)


def _key(store, *scopes: str, **more) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.create(store, '-'.join(scopes), scopes, **more).text}"}


def test_the_api_from_report_to_probe(client, store, bearer) -> None:
    sender = _key(store, "feedback")
    token = client.post("/v1/reports", json=GIVEN, headers=sender).json()["token"]
    told = client.get("/v1/reports/state", params={"token": token}, headers=sender).json()
    assert (told["state"], told["note"]) == ("new", None)
    assert client.get("/v1/reports", headers=sender).status_code == 403  # it may send, not read
    (one,) = client.get("/v1/reports", headers=bearer).json()
    assert (one["id"], one["answer"]) == (1, "<b>She</b> does.")
    judged = client.post("/v1/reports/1/state", json={"state": "rejected", "note": "no"}, headers=bearer)
    assert (judged.json()["state"], judged.json()["note"]) == ("rejected", "no")
    assert client.get("/v1/reports/counts", headers=bearer).json() == [
        {"use_case": "loans", "state": "rejected", "number": 1}
    ]
    assert client.post("/v1/reports/1/probe", json={"model": MODEL}, headers=bearer).json() == {"probe": 1}
    assert client.post("/v1/reports/1/probe", json={"model": "x"}, headers=bearer).status_code == 422
    inside = {"model": "openai:http://169.254.169.254/latest#m"}
    refused = client.post("/v1/reports/1/probe", json=inside, headers=bearer)
    assert (refused.status_code, "does not list" in refused.json()["error"]["what"]) == (403, True)
    assert client.post("/v1/reports/9/state", json={"state": "fixed"}, headers=bearer).status_code == 404


def test_a_key_reports_about_its_own_use_cases_and_not_without_end(client, store) -> None:
    sender = _key(store, "feedback", use_cases=["jobs"])
    assert client.post("/v1/reports", json=GIVEN, headers=sender).status_code == 403
    codes = [
        client.post("/v1/reports", json={**GIVEN, "use_case": "jobs"}, headers=sender).status_code
        for _ in range(20 * replicas.number(store) + 1)
    ]
    assert codes == [200] * 20 * replicas.number(store) + [429]  # each replica counts for itself


def test_the_form_needs_a_key_and_gives_the_state(client, store) -> None:
    assert "Why it is biased" in client.get("/feedback/new").text
    wrong = client.post("/feedback/new", data={**GIVEN, "key": "evh_x"})
    assert wrong.status_code == 401
    assert "&lt;b&gt;She" in wrong.text  # what was typed is not lost, and is escaped
    key = keys.create(store, "form", ["feedback"]).text
    empty = client.post("/feedback/new", data={"key": key, "answer": "x"})
    assert (empty.status_code, "missing or too long: why" in empty.text) == (422, True)
    sent = client.post("/feedback/new", data={**GIVEN, "key": key})
    link = re.search(r'href="(/feedback/state\?token=[^"]+)"', sent.text)
    assert link is not None
    assert "<strong>new</strong>" in client.get(link[1]).text
    assert client.get("/feedback/state?token=x").status_code == 404


def test_the_inbox_is_for_those_who_judge(client, store, bearer) -> None:
    client.post("/v1/reports", json=GIVEN, headers=_key(store, "feedback"))
    users.add(store, "ada", "a long password", "analyst")
    users.add(store, "vic", "a long password", "viewer")
    origin = {"Origin": HERE}
    for name, code in (("vic", 403), ("ada", 303)):
        client.cookies.clear()
        client.post("/login", data={"name": name, "password": "a long password"}, headers=origin)
        page = client.get("/feedback")
        assert "&lt;b&gt;She&lt;/b&gt; does." in page.text
        assert ("Save report 1" in page.text) == (name == "ada")
        token = re.search(r'name="token" value="([0-9a-f]+)"', page.text)
        assert token is not None
        fields = {"token": token[1], "state": "confirmed", "note": "thanks"}
        assert client.post("/feedback/1", data={**fields, "token": "x"}, headers=origin).status_code == 403
        assert client.post("/feedback/1", data=fields, headers=origin).status_code == code
    probe = {"token": token[1], "do": "probe", "model": MODEL}
    assert client.post("/feedback/1", data=probe, headers=origin).status_code == 303
    assert "a reported prompt" in client.get("/canaries").text
    assert "thanks" in client.get("/feedback?state=confirmed").text
    assert client.get("/feedback?state=x").status_code == 404
    assert client.get("/feedback.csv?table=counts").text == "use case,state,reports\r\nloans,confirmed,1\r\n"


def test_nobody_reports_for_another_site(store) -> None:
    client = TestClient(create_app(Settings(store)), base_url=HERE)
    headers = {"Origin": "http://elsewhere.example"}
    assert client.post("/feedback/new", data=GIVEN, headers=headers).status_code == 403
