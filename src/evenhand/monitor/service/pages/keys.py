"""The page of keys, for admins: making one, which is shown once; what each is for and until when; its end.

Beside them how long records are kept, and what is kept for now whatever that says: the legal holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select

from evenhand.errors import BadOption
from evenhand.files import lines
from evenhand.monitor import chain, holding, keys
from evenhand.monitor.keys import LONGEST_DAYS, Key
from evenhand.monitor.roles import ADMIN, KEY_SCOPES, NotThere, Principal
from evenhand.monitor.service.access import settings_of
from evenhand.monitor.service.pages._forms import acted
from evenhand.monitor.service.pages._page import Page, Table, View, page_of
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

router = APIRouter()
DAYS = 365  # that a key lasts, unless the form says otherwise
SCOPES = {
    "ingest": "send events and labels",
    "read": "read figures, alerts and reports",
    "feedback": "report answers",
    "audit": "read the audits page",
    "act": "acknowledge alerts and judge reports",
}
HOLDS = ("id", "use case", "of a person", "why", "by", "created")
RETENTION = ("what", "days")
RECORDS = {
    "texts_days": "prompts, answers and reports",
    "pseudonyms_days": "what ties a decision to a person's attributes",
    "events_days": "decisions and generations",
}
KEYS = ("id", "name", "begins with", "state", "scopes", "use cases", "created", "expires", "revoked")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """Every key of use cases that `who` sees, those that work first; and what a new one can be for."""
    now = utc_now()
    rows = [
        (
            one.id,
            one.name,
            f"{one.start}…",
            one.state(now),
            ", ".join(one.scopes),
            "all" if one.use_cases is None else ", ".join(one.use_cases),
            one.created,
            one.expires,
            one.revoked,
        )
        for one in _seen(store, who)
    ]
    rows.sort(key=lambda row: row[3] != "active")
    kept = [
        (one.id, one.use_case, "yes" if one.person else "no", one.why, one.by, one.created)
        for one in holding.listed(store, who)
    ]
    with store.reading() as connection:
        names = connection.scalars(select(use_cases.c.name).order_by(use_cases.c.name))
        seen = [name for name in names if who.sees(name)]
        kept_for = _kept_for(connection)
    facts = {
        "scopes": {scope: SCOPES[scope] for scope in KEY_SCOPES},
        "use_cases": seen,
        "all": who.use_cases is None,
        "days": DAYS,
        "longest": LONGEST_DAYS,
    }
    tables = [
        Table("keys", KEYS, rows),
        Table("retention", RETENTION, kept_for),
        Table("holds", HOLDS, kept),
    ]
    return View("Keys", tables, facts)


def _kept_for(connection: Connection) -> list[tuple[str, object]]:
    """How many days records are kept by the newest policy in the chain; nothing where none is there yet."""
    policy = chain.configuration(connection, "policy")
    if policy is None:
        return []
    days = policy["retention"]
    return [(about, "always" if days.get(name) is None else days[name]) for name, about in RECORDS.items()]


def _seen(store: Store, who: Principal) -> list[Key]:
    """The keys of which `who` sees all that they are for."""
    if who.use_cases is None:
        return keys.listed(store)
    return [
        one
        for one in keys.listed(store)
        if one.use_cases is not None and all(who.sees(name) for name in one.use_cases)
    ]


@router.post("/keys")
async def create(request: Request) -> Response:
    """Make a key, and show it: the only time that anybody can."""
    store = settings_of(request).store

    def do(who: Principal, fields: Mapping[str, str]) -> Response:
        scopes = [scope for scope in KEY_SCOPES if fields.get(f"scope_{scope}")]
        name = fields.get("name", "").strip()
        if any(one.name == name and one.state(utc_now()) == "active" for one in _seen(store, who)):
            # A page that is loaded again sends its form again.
            raise BadOption(f"There is a key {name!r} that works.", mend="Take another name, or revoke it.")
        made = keys.create(
            store, name, scopes, use_cases=_wanted(who, fields), days=_days(fields), by=who.name
        )
        facts = {"key": made.text, "name": made.key.name, "expires": made.key.expires}
        return page_of(request, "key_made.html", View(f"Key {made.key.id} is made", facts=facts))

    return await acted(request, ADMIN, do, "/keys")


def _wanted(who: Principal, fields: Mapping[str, str]) -> list[str] | None:
    """The use cases of a form, None for all; nothing chosen is never all.

    Raises:
        BadOption: nothing is chosen, or all and some.
        NotAllowed: `who` does not see one of them.
    """
    named = [line.strip() for line in lines(fields.get("use_cases", "")) if line.strip()]
    everything = bool(fields.get("all"))
    if everything == bool(named):
        raise BadOption(
            "A key is for some use cases or for all.", mend="Write their names, one a line, or choose all."
        )
    if everything and who.use_cases is not None:
        raise BadOption("You do not see all use cases.", mend="Write the names of those of the key.")
    for name in named:
        who.need_use_case(name)
    return None if everything else named


def _days(fields: Mapping[str, str]) -> int:
    text = fields.get("days", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise BadOption(f"{text[:20]!r} is no number of days.", mend=f"Write 1 to {LONGEST_DAYS}.")
    return int(text)


@router.post("/keys/{number}/revoke")
async def revoke(request: Request, number: int) -> Response:
    """End a key now."""
    store = settings_of(request).store

    def do(who: Principal, fields: Mapping[str, str]) -> None:
        if not any(one.id == number for one in _seen(store, who)):
            raise NotThere(f"There is no key {number}.", mend="Look at the page of keys.")
        keys.revoke(store, number, by=who.name)

    return await acted(request, ADMIN, do, "/keys")


page = Page("/keys", "Keys", "keys.html", ADMIN, show)
