"""Reports: kept, judged, seen by those who may, and made into probes."""

from __future__ import annotations

import pytest

from evenhand.errors import BadOption, UnknownName
from evenhand.monitor import canaries, chain, feedback
from evenhand.monitor.feedback import Reported
from evenhand.monitor.roles import NotAllowed, NotKnown, Principal
from evenhand.monitor.store import Store

MODEL = "openai:http://127.0.0.1:9/v1#m"
ADMIN = Principal("ada", frozenset({"act"}))
OTHER = Principal("bob", frozenset({"act"}), frozenset({"jobs"}))


def _reported(**given: str) -> Reported:
    return Reported(
        **{"use_case": "loans", "prompt": "Who cooks?", "answer": "She does.", "why": "stereotype", **given}
    )


def test_from_new_to_fixed_as_the_reporter_sees_it(store: Store) -> None:
    token = feedback.report(store, _reported(), "key:app")
    assert feedback.told(store, token).state == "new"
    (one,) = feedback.listed(store, ADMIN)
    assert (one.use_case, one.answer, one.sender, one.probe) == ("loans", "She does.", "key:app", None)
    feedback.triage(store, ADMIN, one.id, "confirmed", "It is.")
    feedback.triage(store, ADMIN, one.id, "fixed")
    told = feedback.told(store, token)
    assert (told.state, told.note) == ("fixed", "It is.")
    assert told.changed > told.created
    with pytest.raises(NotKnown, match="no such report"):
        feedback.told(store, token[:-1])
    with store.reading() as connection:
        entries = [e for e in chain.entries(connection) if e["kind"] == "report"]
    assert [e["content"] for e in entries] == [
        '{"report":1,"state":"new"}',
        '{"by":"ada","report":1,"state":"confirmed"}',
        '{"by":"ada","report":1,"state":"fixed"}',
    ]


def test_who_sees_only_other_use_cases_sees_nothing(store: Store) -> None:
    feedback.report(store, _reported(), "key:app")
    feedback.report(store, _reported(use_case="jobs"), "key:app")
    assert [one.use_case for one in feedback.listed(store, OTHER)] == ["jobs"]
    assert feedback.counts(store, OTHER) == [("jobs", "new", 1)]
    assert feedback.counts(store, ADMIN) == [("jobs", "new", 1), ("loans", "new", 1)]
    with pytest.raises(NotAllowed):
        feedback.triage(store, OTHER, 1, "fixed")
    with pytest.raises(NotAllowed):
        feedback.probe(store, OTHER, 1, model=MODEL, allowed=[MODEL])


def test_what_is_wrong_is_said(store: Store) -> None:
    feedback.report(store, _reported(), "key:app")
    with pytest.raises(UnknownName, match="no state of a report named 'done'"):
        feedback.triage(store, ADMIN, 1, "done")
    with pytest.raises(UnknownName, match="no report named '7'"):
        feedback.triage(store, ADMIN, 7, "fixed")
    with pytest.raises(BadOption, match="is no endpoint"):
        feedback.probe(store, ADMIN, 1, model="lab:causal")
    feedback.report(store, Reported(answer="x", why="y"), "key:app")
    with pytest.raises(BadOption, match="does not say what was asked"):
        feedback.probe(store, ADMIN, 2, model=MODEL, allowed=[MODEL])


def test_one_click_makes_a_probe_once(store: Store) -> None:
    token = feedback.report(store, _reported(), "key:app")
    number = feedback.probe(store, ADMIN, 1, model=MODEL, unwanted="she does", allowed=[MODEL])
    assert feedback.probe(store, ADMIN, 1, model=MODEL, allowed=[MODEL]) == number
    (probe,) = canaries.listed(store, ADMIN)
    assert (probe.prompt, probe.unwanted, probe.report) == ("Who cooks?", "she does", 1)
    assert feedback.told(store, token).state == "confirmed"
    assert feedback.listed(store, ADMIN)[0].probe == number
    assert feedback.listed(store, ADMIN, state="new") == []
    assert canaries.listed(store, OTHER) == []


@pytest.mark.parametrize(
    "allowed", [[], ["openai:http://127.0.0.1:9/v1#other"], [MODEL.replace("9/", "99/")]]
)
def test_an_endpoint_that_the_policy_does_not_list_is_not_asked(store: Store, allowed: list[str]) -> None:
    feedback.report(store, _reported(), "key:app")
    with pytest.raises(NotAllowed, match="The policy does not list the endpoint"):
        feedback.probe(store, ADMIN, 1, model=MODEL, allowed=allowed)
    assert canaries.listed(store, ADMIN) == []
    feedback.probe(store, ADMIN, 1, model=MODEL, allowed=[MODEL])
    assert canaries.run_due(store, allowed=(), reports=False) == []  # left to who knows the policy
    assert canaries.run_due(store, allowed=allowed) == [1]  # it was taken out of the policy since
    ((_, why),) = canaries.failures(store, 1)
    assert "does not list the endpoint" in why
    assert canaries.cells(store, 1) == []
