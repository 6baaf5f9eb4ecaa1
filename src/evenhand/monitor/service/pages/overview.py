"""The first page: what is watched, and what the alerts say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evenhand.monitor import watching
from evenhand.monitor.figures import versions
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.pages._page import Page, Table, View

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

VERSIONS = ("use case", "model", "version", "events", "first day", "last day")
ALERTS = ("id", "status", "rule", "use case", "model", "version", "groups", "why", "since", "acknowledged by")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """Versions, the latest first, and alerts, the open ones first."""
    own = [
        (one.use_case, one.model, one.version, one.events, one.first, one.last)
        for one in versions(store, who)
    ]
    return View("Overview", [alerts_of(store, who), Table("versions", VERSIONS, own)])


def alerts_of(store: Store, who: Principal) -> Table:
    """The table of alerts."""
    rows = [
        (
            one.id,
            one.status,
            one.rule,
            one.use_case or "–",
            one.model or "–",
            one.version or "–",
            "–" if one.groups is None else " and ".join(one.groups),
            one.why,
            one.since,
            one.acknowledged_by or "–",
        )
        for one in watching.listed(store, who)
    ]
    return Table("alerts", ALERTS, rows)


page = Page("/overview", "Overview", "overview.html", READ, show)
