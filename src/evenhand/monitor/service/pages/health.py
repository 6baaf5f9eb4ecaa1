"""The page on the state of the service, and what could not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from evenhand import __version__
from evenhand.monitor import outbox
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.store import tables
from evenhand.monitor.store.migrating import current

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

PROBLEMS = ("id", "state", "about", "use case", "to", "since", "tries", "problem")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The versions, how much there is of everything, and messages that could not be sent."""
    counted = (tables.use_cases, tables.streams, tables.groups, tables.cells, tables.waiting_labels)
    with store.reading() as connection:
        schema = current(connection)
        rows = [
            (table.name.replace("_", " "), connection.scalar(select(func.count()).select_from(table)))
            for table in counted
        ]
        sent = list(outbox.counts(connection).items())
    problems = [
        (one.id, one.standing, one.change, one.use_case, one.receiver, one.created, one.tries, one.problem)
        for one in outbox.listed(store, who, problems=True)
        if one.standing != "sent"
    ]
    shown = [
        Table("counts", ("what", "number"), rows),
        Table("messages", ("messages", "number"), sent),
        Table("problems", PROBLEMS, problems),
    ]
    facts = {"version": __version__, "database": store.url.get_backend_name(), "schema": schema}
    return View("Health", shown, facts)


page = Page("/service", "Health", "health.html", READ, show)
