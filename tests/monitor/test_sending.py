"""Messages reach a real web server and a real mail server: each change once, signed, again after failures."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
import logging
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from evenhand.errors import BadData, EnvironmentProblem, UnknownName
from evenhand.monitor import chain, outbox, sending, watching
from evenhand.monitor.ingest import take
from evenhand.monitor.policy import Policy, parse_policy
from evenhand.monitor.roles import EVERYBODY, Principal
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.store import Store
from evenhand.monitor.store.opening import utc_now
from tests.monitor.conftest import HERE
from tests.monitor.receiving import Hook, Post, hook, post
from tests.monitor.replicas import create_app
from tests.monitor.test_watching import day

RULE = '[[rule]]\nindicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}\n'
SECRET = "canary-of-the-secret"
UNFAIR = {"f": 10, "m": 40}


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with hook() as server:
        yield server


@pytest.fixture
def mail():
    with post() as server:
        yield server


def policy(web: Hook | None = None, mail: Post | None = None, head: str = "") -> Policy:
    receivers = ([web.address] if web else []) + (["mailto:me@example.org"] if mail else [])
    text = f"minimum = 20\nnotify = {json.dumps(receivers)}\n{head}\n"
    if web:
        text += '[webhook]\nsecret_env = "HOOK_SECRET"\n'
    if mail:
        text += (
            f'[smtp]\nhost = "127.0.0.1"\nport = {mail.port}\nsecurity = "none"\nsender = "x@example.org"\n'
        )
    return parse_policy(text + RULE)


def broken(store: Store, own: Policy, days: int = 12) -> int:
    """An open alert after 12 unfair days; its number."""
    for number in range(days):
        take(store, day(number, selected=UNFAIR), after=watching.Watcher(own).after)
    return watching.listed(store, EVERYBODY, "alert")[0].id


def test_each_change_is_sent_to_each_receiver_once(store: Store, web: Hook, mail: Post) -> None:
    own = policy(web, mail)
    number = broken(store, own)
    sender = sending.Sender.of(own)
    assert [sending.work_off(store, sender) for _ in range(3)] == [2, 0, 0]
    take(store, day(12, selected=UNFAIR), after=watching.Watcher(own).after)
    assert sending.work_off(store, sender) == 0  # still open, within the cooldown
    watching.answer(store, EVERYBODY, number, "Version 2\nmends it.", policy=own)
    assert [sending.work_off(store, sender) for _ in range(2)] == [2, 0]

    (first, body), (second, _) = web.got
    told = json.loads(body)
    assert (told["change"], told["use_case"], told["groups"], told["lower"]) == (
        "opened",
        "loans",
        ["f", "m"],
        "f",
    )
    assert told["id"] == first["idempotency-key"] != second["idempotency-key"]
    assert (
        first["evenhand-signature"] == f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
    )
    answered = json.loads(web.got[1][1])
    assert (answered["change"], answered["note"]) == ("acknowledged", "Version 2\nmends it.")

    (envelope, text), (_, last) = mail.got
    assert [line.split(" ")[0:2] for line in envelope] == [
        ["mail", "FROM:<x@example.org>"],
        ["rcpt", "TO:<me@example.org>"],
    ]
    read = email.message_from_string(text, policy=email.policy.default)
    assert read["Subject"] == "[evenhand] Alert: selection_rate by sex in loans"
    assert "The tolerance ratio >= 0.8 is broken" in read.get_content()
    assert "Note: Version 2" in email.message_from_string(last, policy=email.policy.default).get_content()
    with store.reading() as connection:
        assert outbox.counts(connection) == {"waiting": 0, "sent": 4, "failed": 0, "tried again": 0}


def test_what_was_not_taken_is_sent_again_later_under_the_same_key(store: Store, web: Hook) -> None:
    """It answers 500, 302 (not followed), 429, then 200; the waits are 30, 60 and 120 seconds."""
    own, web.codes = policy(web), [500, 302, 429]
    broken(store, own)
    sender, began = sending.Sender.of(own), utc_now()
    seconds = [0, 29, 30, 89, 90, 209, 210, 9999]
    sent = [
        sending.work_off(store, sender, clock=lambda at=at: began + timedelta(seconds=at)) for at in seconds
    ]
    assert sent == [0, 0, 0, 0, 0, 0, 1, 0]
    assert len(web.got) == 4
    assert len({headers["idempotency-key"] for headers, _ in web.got}) == 1
    assert len({body for _, body in web.got}) == 1


def test_after_a_day_it_is_given_up_shown_and_can_be_sent_again(store: Store, web: Hook, caplog) -> None:
    own = policy(web)
    broken(store, own)
    sender, now = sending.Sender.of(own), utc_now()
    web.codes = [503] * 40
    with caplog.at_level(logging.DEBUG):
        for hours in range(26):
            sending.work_off(store, sender, clock=lambda hours=hours: now + timedelta(hours=hours))
    tries = len(web.got)
    assert sending.work_off(store, sender, clock=lambda: now + timedelta(hours=99)) == 0
    assert len(web.got) == tries
    (row,) = outbox.listed(store, EVERYBODY, problems=True)
    assert (row.standing, row.problem, row.tries) == ("failed", "it answered 503", tries)
    assert "canary" not in repr(row)
    assert "is not sent: it answered 503" in caplog.text
    ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("evenhand"))
    assert "canary" not in ours
    assert "canary" not in repr(sender).replace(web.address, "")
    with pytest.raises(UnknownName, match="no failed message named '7'"):
        outbox.retry(store, 7, now)
    web.codes = []
    outbox.retry(store, row.id, now)
    assert sending.work_off(store, sender) == 1


def test_of_two_services_one_sends_it(store: Store, web: Hook) -> None:
    broken(store, policy(web))
    now = utc_now()
    (one,), (same,) = outbox.due(store, now), outbox.due(store, now)
    assert [outbox.claim(store, one, now), outbox.claim(store, same, now)] == [True, False]
    assert outbox.due(store, now) == []
    assert len(outbox.due(store, now + timedelta(minutes=6))) == 1  # who claimed it died


def test_a_receiver_that_the_policy_no_longer_names_gets_nothing(store: Store, web: Hook) -> None:
    broken(store, policy(web))
    assert sending.work_off(store, sending.Sender.of(policy())) == 0
    assert web.got == []
    (row,) = outbox.listed(store, EVERYBODY, problems=True)
    assert row.problem == "the policy does not name this receiver any more"


def test_what_the_policy_does_not_tell_is_not_sent(store: Store, web: Hook) -> None:
    own = policy(web, head='tell = "acknowledged"')
    number = broken(store, own)
    sender = sending.Sender.of(own)
    assert sending.work_off(store, sender) == 0
    watching.answer(store, EVERYBODY, number, "seen", policy=own)
    assert sending.work_off(store, sender) == 1
    assert json.loads(web.got[0][1])["change"] == "acknowledged"


def test_an_alert_that_is_still_open_is_told_again(store: Store, web: Hook) -> None:
    """Twelve days, no cooldown that lasts: told at the alert, and at each look that is later by the clock."""
    own = policy(web, head="cooldown_days = 1e-9")
    broken(store, own)
    sending.work_off(store, sending.Sender.of(own))
    told = [json.loads(body)["change"] for _, body in web.got]
    assert told[0] == "opened"
    assert set(told[1:]) == {"reminder"}


def test_a_mail_that_is_refused_is_sent_again(store: Store, mail: Post) -> None:
    own, mail.refuse = policy(None, mail), ["450 later"]
    broken(store, own)
    sender, now = sending.Sender.of(own), utc_now()
    assert sending.work_off(store, sender) == 0
    (row,) = outbox.listed(store, EVERYBODY, problems=True)
    assert row.problem == "SMTPRecipientsRefused at the mail server"
    assert sending.work_off(store, sender, clock=lambda: now + timedelta(minutes=1)) == 1
    assert len(mail.got) == 1


def test_a_rule_that_is_changed_ends_the_alert_and_that_is_told(store: Store, web: Hook) -> None:
    own = policy(web)
    broken(store, own)
    changed = parse_policy(
        f'minimum = 20\nnotify = "{web.address}"\n' + RULE.replace("0.8", "0.1")
    )  # now everything is tolerated
    for number in (12, 13):
        take(store, day(number, selected=UNFAIR), after=watching.Watcher(changed).after)
    sending.work_off(store, sending.Sender.of(changed))
    opened, ended = (json.loads(body) for _, body in web.got)
    assert (opened["change"], ended["change"], ended["by"]) == ("opened", "acknowledged", "the policy file")


def test_nothing_is_kept_of_a_change_that_was_not_stored(store: Store, web: Hook) -> None:
    """Each day is stored twice: at first the transaction fails after the look."""
    own, inside = policy(web), [0]

    def failing(connection, grown):
        watching.Watcher(own).after(connection, grown)
        inside.append(sum(outbox.counts(connection).values()))
        raise ZeroDivisionError

    for number in range(30):
        with pytest.raises(ZeroDivisionError):
            take(store, day(number, selected=UNFAIR), after=failing)
        if inside[-1]:
            break
        take(store, day(number, selected=UNFAIR), after=watching.Watcher(own).after)
    assert inside[-1] == 1
    with store.reading() as connection:
        assert sum(outbox.counts(connection).values()) == 0


def test_the_chain_holds_no_address_of_a_webhook(store: Store, web: Hook) -> None:
    broken(store, policy(web))
    with store.reading() as connection:
        contents = [entry["content"] for entry in chain.entries(connection)]
    assert any("127.0.0.1" in text for text in contents)
    assert not any("canary" in text for text in contents)


def test_what_cannot_be_sent_is_said_at_the_start(monkeypatch) -> None:
    with pytest.raises(BadData, match="names no server that takes mails"):
        sending.Sender.of(parse_policy(f'notify = "mailto:a@b"\n{RULE}'))
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(EnvironmentProblem, match="NOT_SET, which is not set"):
        sending.Sender.of(
            parse_policy(f'notify = "https://x.example"\n[webhook]\nsecret_env = "NOT_SET"\n{RULE}')
        )


def test_a_test_goes_to_everybody(web: Hook, mail: Post) -> None:
    own, mail.refuse = policy(web, mail), ["550 no"]
    found = sending.tried(sending.Sender.of(own), own.name)
    assert found == {
        web.address: None,
        "mailto:me@example.org": "SMTPRecipientsRefused at the mail server",
    }
    assert json.loads(web.got[0][1])["change"] == "test"
    assert "no alert is open" in sending.text_of(json.loads(web.got[0][1]))


def test_what_is_not_sent_is_on_the_page_and_in_the_metrics(store: Store, web: Hook) -> None:
    own, web.codes = policy(web), [410]
    broken(store, own)
    sending.work_off(store, sending.Sender.of(own))
    client = TestClient(create_app(Settings(store, authenticate=False, policy=own)), base_url=HERE)
    found = client.get("/service.json").json()
    assert {one["messages"]: one["number"] for one in found["messages"]} == {
        "waiting": 1, "sent": 0, "failed": 0, "tried again": 1
    }  # fmt: skip
    (row,) = found["problems"]
    assert (row["problem"], row["state"], row["use case"]) == ("it answered 410", "waiting", "loans")
    assert "canary" not in client.get("/service").text
    assert "it answered 410" in client.get("/service").text
    assert 'evenhand_messages{state="waiting"} 1' in client.get("/metrics").text
    other = Principal("bob", frozenset({"read"}), frozenset({"jobs"}))
    assert outbox.listed(store, other) == []
