"""The first page: what is watched, and what the alerts say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evenhand.monitor import watching
from evenhand.monitor.figures import versions
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.service.pages.alerts import alerts_of

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

VERSIONS = ("use case", "model", "version", "events", "first day", "last day")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """Versions, the latest first, and alerts, the open ones first."""
    own = [
        (one.use_case, one.model, one.version, one.events, one.first, one.last)
        for one in versions(store, who)
    ]
    return View("Overview", [alerts_of(watching.listed(store, who)), Table("versions", VERSIONS, own)])


page = Page("/overview", "Overview", "overview.html", READ, show)
