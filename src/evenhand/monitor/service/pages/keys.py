"""The page of keys, for admins: what each is for and until when, and its end. No key is shown again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evenhand.monitor import keys
from evenhand.monitor.keys import Key
from evenhand.monitor.roles import ADMIN, NotThere, Principal
from evenhand.monitor.service.access import settings_of
from evenhand.monitor.service.pages._forms import acted
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.store.opening import utc_now

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

router = APIRouter()
KEYS = ("id", "name", "begins with", "state", "scopes", "use cases", "created", "expires", "revoked")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """Every key of use cases that `who` sees, those that work first."""
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
        for one in keys.listed(store)
        if _is_seen(who, one)
    ]
    rows.sort(key=lambda row: row[3] != "active")
    return View("Keys", [Table("keys", KEYS, rows)])


def _is_seen(who: Principal, key: Key) -> bool:
    """Whether `who` sees all that the key is for."""
    if who.use_cases is None:
        return True
    return key.use_cases is not None and all(who.sees(one) for one in key.use_cases)


@router.post("/keys/{number}/revoke")
async def revoke(request: Request, number: int) -> Response:
    """End a key now."""
    store = settings_of(request).store

    def do(who: Principal, fields: Mapping[str, str]) -> None:
        if not any(one.id == number and _is_seen(who, one) for one in keys.listed(store)):
            raise NotThere(f"There is no key {number}.", mend="Look at the page of keys.")
        keys.revoke(store, number, by=who.name)

    return await acted(request, ADMIN, do, "/keys")


page = Page("/keys", "Keys", "keys.html", ADMIN, show)
