"""The page for those who check from outside: the head of the chain, exports, how to verify, profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import select

from evenhand.monitor import chain
from evenhand.monitor.export import public_key
from evenhand.monitor.profiles import profiles
from evenhand.monitor.roles import AUDIT, Principal
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.store.record_tables import chain as entries

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

LAST = 30  # entries that are listed
PROFILES = ("profile", "title", "evidence for", "read on", "sources")
ENTRIES = ("number", "time", "what", "use case", "head")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The newest head and entries of the chain, without their contents, and the profiles."""
    columns = entries.c.number, entries.c.time, entries.c.kind, entries.c.use_case, entries.c.head
    with store.reading() as connection:
        head = chain.head(connection)
        rows = connection.execute(select(*columns).order_by(entries.c.number.desc()).limit(LAST)).all()
    seen = [
        (number, time, kind, use_case or "–", own)
        for number, time, kind, use_case, own in rows
        if use_case is None or who.sees(use_case)
    ]
    known = [
        (name, one.title, one.evidence_for, one.dated, " ".join(one.sources))
        for name, one in profiles().items()
    ]
    tables = [Table("entries", ENTRIES, seen), Table("profiles", PROFILES, known)]
    facts = {"head": head, "key": public_key(store.secret), "entries": int(head.partition(":")[0])}
    return View("Audits", tables, facts)


page = Page("/audits", "Audits", "audits.html", AUDIT, show)
