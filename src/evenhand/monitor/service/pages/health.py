"""The page on the state of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from evenhand import __version__
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.store import tables
from evenhand.monitor.store.migrating import current

if TYPE_CHECKING:
    from evenhand.monitor.store import Store


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The versions, and how much there is of everything."""
    counted = (tables.use_cases, tables.streams, tables.groups, tables.cells, tables.waiting_labels)
    with store.reading() as connection:
        schema = current(connection)
        rows = [
            (table.name.replace("_", " "), connection.scalar(select(func.count()).select_from(table)))
            for table in counted
        ]
    facts = {"version": __version__, "database": store.url.get_backend_name(), "schema": schema}
    return View("Health", [Table("counts", ("what", "number"), rows)], facts)


page = Page("/service", "Health", "health.html", READ, show)
