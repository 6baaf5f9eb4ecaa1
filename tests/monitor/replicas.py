"""The service as the tests make it: one, or with ``EVENHAND_REPLICAS=2`` two that take turns on a PostgreSQL.

``make engines`` runs the monitor's tests the second way. A test that passes there needs nothing that one
service remembers of the request before.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from typing import Any

from evenhand.monitor.service import app as service
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.store import Store
from evenhand.monitor.store.engine import engines

REPLICAS = int(os.environ.get("EVENHAND_REPLICAS", "1"))
_opened: list[Store] = []


class Turns:
    """Services of which each answers in its turn; what is asked of the object itself is of the first."""

    def __init__(self, apps: list[Any]) -> None:
        self._first, self._turns = apps[0], itertools.cycle(apps)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let the next one answer."""
        await next(self._turns)(scope, receive, send)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._first, name)


def number(store: Store) -> int:
    """How many services there are over `store`."""
    return 1 if store.sqlite else REPLICAS


def stores(store: Store) -> list[Store]:
    """What they have open: `store`, and one for each further service."""
    return [store, *_opened]


def create_app(settings: Settings) -> Any:
    """The service with `settings`."""
    first = service.create_app(settings)
    store = settings.store
    if number(store) == 1:
        return first
    apps = [first]
    for _ in range(number(store) - 1):
        _opened.append(Store(store.url, *engines(store.url), store.secret))
        apps.append(service.create_app(replace(settings, store=_opened[-1])))
    return Turns(apps)


def close() -> None:
    """Close what was opened for further services."""
    while _opened:
        _opened.pop().close()
