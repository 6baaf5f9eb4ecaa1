"""Sending messages: webhooks signed by HMAC, mails by SMTP. Receivers come from the policy and nowhere else.

A webhook gets a POST of JSON with the headers ``Idempotency-Key`` (the same whenever the same message is sent
again) and ``Evenhand-Signature: sha256=HEX``, the HMAC-SHA256 of the body with the secret of the policy.
Redirects are not followed. Secrets and addresses of webhooks are in no log.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx

from evenhand import __version__
from evenhand.errors import BadData, EnvironmentProblem
from evenhand.monitor import outbox
from evenhand.monitor.policy import Policy, Smtp, shown
from evenhand.monitor.store.opening import utc_now

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

log = logging.getLogger("evenhand.monitor")
SECONDS = 15.0  # for a receiver to answer
PORTS = {"starttls": 587, "tls": 465, "none": 25}
SIGNATURE, KEY = "Evenhand-Signature", "Idempotency-Key"
_MEANS = """An alert is a rate that differs between groups beyond the tolerance of the policy; it is no
finding of discrimination. It stays open until somebody answers for it with a note.
"""
_TITLES = {"opened": "Alert", "reminder": "Still open", "acknowledged": "Answered", "test": "Test"}


class NotSent(Exception):
    """A receiver did not take a message; the text says why, and holds no address and no secret."""


@dataclass(frozen=True)
class Sender:
    """Sends to the receivers of a policy, with its secrets."""

    receivers: frozenset[str]
    smtp: Smtp | None
    secret: bytes = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def of(cls, policy: Policy) -> Sender:
        """The sender of a policy.

        Raises:
            BadData: somebody is to be told by mail, and no server is named.
            EnvironmentProblem: a variable that the policy names is not set.
        """
        receivers = policy.receivers()
        if policy.smtp is None and any(one.startswith("mailto:") for one in receivers):
            raise BadData(
                "The policy tells somebody by mail, and names no server that takes mails.",
                mend='Add a table such as: [smtp] host = "smtp.example.org" sender = "evenhand@example.org"',
            )
        password = policy.smtp.password_env if policy.smtp is not None else None
        secret = _variable(policy.webhook.secret_env).encode()
        return cls(frozenset(receivers), policy.smtp, secret, _variable(password))

    def send(self, receiver: str, key: str, content: Mapping[str, Any]) -> None:
        """Send `content` once.

        Raises:
            NotSent: the receiver did not take it, or is none of the policy's.
        """
        if receiver not in self.receivers:
            raise NotSent("the policy does not name this receiver any more")
        if receiver.startswith("mailto:"):
            self._mail(receiver.removeprefix("mailto:"), key, content)
        else:
            self._post(receiver, key, content)

    def _post(self, address: str, key: str, content: Mapping[str, Any]) -> None:
        body = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
        headers = {"Content-Type": "application/json", KEY: key, "User-Agent": f"evenhand/{__version__}"}
        if self.secret:
            headers[SIGNATURE] = f"sha256={hmac.new(self.secret, body, hashlib.sha256).hexdigest()}"
        try:
            with httpx.stream(
                "POST", address, content=body, headers=headers, timeout=SECONDS, follow_redirects=False
            ) as answer:
                if not answer.is_success:
                    raise NotSent(f"it answered {answer.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError) as error:
            raise NotSent(f"{type(error).__name__} while connecting to it or waiting for it") from None

    def _mail(self, address: str, key: str, content: Mapping[str, Any]) -> None:
        smtp = self.smtp
        assert smtp is not None  # see `of`
        made = _mail(smtp.sender, address, key, content)
        port = smtp.port or PORTS[smtp.security]
        safe = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(smtp.host, port, timeout=SECONDS, context=safe)
                if smtp.security == "tls"
                else smtplib.SMTP(smtp.host, port, timeout=SECONDS)
            ) as server:
                if smtp.security == "starttls":
                    server.starttls(context=safe)
                if smtp.user is not None:
                    server.login(smtp.user, self.password)
                server.send_message(made, smtp.sender, [address])
        except smtplib.SMTPResponseException as error:  # its text may repeat what was sent
            raise NotSent(f"the mail server answered {error.smtp_code}") from None
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise NotSent(f"{type(error).__name__} at the mail server") from None


def _variable(name: str | None) -> str:
    """The text of an environment variable; empty for none.

    Raises:
        EnvironmentProblem: it is not set.
    """
    found = "" if name is None else os.environ.get(name, "")
    if name is not None and not found:
        raise EnvironmentProblem(
            f"The policy takes a secret from the variable {name}, which is not set.",
            mend=f"Set {name} where the service is started, or leave its line out of the policy.",
        )
    return found


def _mail(sender: str, address: str, key: str, content: Mapping[str, Any]) -> EmailMessage:
    made = EmailMessage()
    about = " ".join(f"{content.get('rule', '')} in {content.get('use_case', '')}".split())
    made["Subject"] = f"[evenhand] {_TITLES[content['change']]}: {about}"
    made["From"], made["To"] = sender, address
    made["Date"] = format_datetime(utc_now())
    made["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"  # the same if it is sent again
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text_of(content))
    return made


def text_of(content: Mapping[str, Any]) -> str:
    """A message for people."""
    lines = [str(content["why"]), ""]
    groups = content.get("groups")
    rows = {
        "Policy": content.get("policy"), "Rule": content.get("rule"), "Use case": content.get("use_case"),
        "Model": f"{content['model']}, version {content['version']}" if "model" in content else None,
        "Groups": " and ".join(groups) if groups else None, "Lower rate": content.get("lower"),
        "Open since": content.get("since"), "Answered by": content.get("by"), "Note": content.get("note"),
    }  # fmt: skip
    lines += [f"{name}: {value}" for name, value in rows.items() if value]
    return "\n".join([*lines, "", _MEANS])


def work_off(store: Store, sender: Sender, clock: Callable[[], datetime] = utc_now) -> int:
    """Send every message that is due, keep what became of each, and return how many were taken."""
    taken = 0
    for one in outbox.due(store, clock()):
        if not outbox.claim(store, one, clock()):
            continue
        problem: str | None = None
        try:
            sender.send(one.receiver, one.key, one.content)
            taken += 1
        except NotSent as error:
            problem = str(error)
        except Exception as error:  # the others are sent; the kind is kept, for a message may hold an address
            problem = type(error).__name__
        if problem is not None:
            log.warning("message %d to %s is not sent: %s", one.id, shown(one.receiver), problem)
        outbox.note(store, one, problem, clock())
    return taken


def tried(sender: Sender, policy: str) -> dict[str, str | None]:
    """A test sent to every receiver, and what each said: None, or why it was not taken."""
    found: dict[str, str | None] = {}
    for receiver in sorted(sender.receivers):
        content = {
            "id": secrets.token_hex(20),
            "change": "test",
            "policy": policy,
            "why": "This is a test of the messages of evenhand's monitor; no alert is open because of it.",
            "rule": "messages",
            "use_case": "test",
            "time": utc_now().isoformat(),
        }
        try:
            sender.send(receiver, content["id"], content)
            found[receiver] = None
        except NotSent as error:
            found[receiver] = str(error)
    return found
