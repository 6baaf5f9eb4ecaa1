"""The public report says what figures are evidence for, with intervals and what is not known."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from evenhand.monitor import keys
from evenhand.monitor.evidence import evidence
from evenhand.monitor.figures import Question
from evenhand.monitor.ingest import take
from evenhand.monitor.profiles import profile, profiles
from evenhand.monitor.service.settings import Settings
from tests.monitor.conftest import HERE
from tests.monitor.made import decision
from tests.monitor.replicas import create_app


@pytest.fixture
def counted(store):
    """Of 100 women 30 selected, of 100 men 60, of 2 others both; of 10 the sex is unknown."""
    events = []
    for sex, people, selected in (("f", 100, 30), ("m", 100, 60), ("x", 2, 2), (None, 10, 5)):
        events += [
            decision(f"{sex}{n}", decision=int(n < selected), attributes={"sex": sex}) for n in range(people)
        ]
    take(store, events)
    return store


def test_ratios_as_the_profile_asks(counted) -> None:
    found = evidence(counted, profile("ugesp"), Question("loans"))
    (sex,) = found.compared
    assert found.people == 212
    assert [(row[0], row[1], row[2], row[5]) for row in sex.rows] == [
        ("f", 100, 0.3, 0.5),  # .3 over .6
        ("m", 100, 0.6, 1.0),
        ("x", 2, 1.0, None),  # 2 of 202 is below 2 %: shown, and not compared
    ]
    assert (sex.ratio, sex.left_out, sex.unknown) == (0.5, ("x",), 10)
    assert sex.low is not None
    assert sex.high is not None
    assert sex.low < 0.5 < sex.high < 0.8
    assert sex.reading == "The ratio lies below 0.8, which the source names, with its whole interval."
    (every,) = evidence(counted, profile("nist"), Question("loans")).compared
    assert (every.ratio, every.left_out) == (0.3, ())  # .3 over 1, for nobody is left out


def test_nothing_is_called_compliant() -> None:
    assert set(profiles()) == {"ll144", "ugesp", "ai_act", "nist"}
    for one in profiles().values():
        text = " ".join((one.title, one.evidence_for, *one.not_known, *one.sources)).lower()
        assert "complian" not in text
        assert one.sources
        assert one.not_known


def test_the_page_and_who_sees_it(counted) -> None:
    client = TestClient(
        create_app(Settings(counted, public=frozenset({"loans"}))), base_url=HERE, follow_redirects=False
    )
    page = client.get("/public/report?use_case=loans&profile=ugesp")
    assert page.status_code == 200
    for text in ("Evidence for whether", "What is not known", "The sex of 10 people was not sent", "0.500"):
        assert text in page.text
    assert client.get("/public/report?use_case=hiring").status_code == 403
    assert client.get("/public/report?use_case=loans&profile=x").status_code == 404
    assert client.get("/report?use_case=loans").status_code == 303  # to the log-in
    bearer = {"Authorization": f"Bearer {keys.create(counted, 'k', ['read']).text}"}
    data = client.get("/report.json?use_case=loans&profile=ugesp", headers=bearer).json()
    assert data["ratios"][0]["lowest ratio"] == 0.5
    head = client.get("/v1/chain/head", headers=bearer).json()
    assert (data["head"], data["key"]) == (head["head"], head["key"])
