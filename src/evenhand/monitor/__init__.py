"""The monitor: a service that takes decisions and answers in production and watches figures of bias by group.

Decisions and generations come in once each (`ingest`), are counted on arrival (`rollups`), and every figure
that is shown is made of those counts by `evenhand.stats` and `evenhand.metrics` (`indicators`). The service
(`service`) has an API and pages; `store` keeps everything in SQLite or PostgreSQL.

Nothing outside this package imports it but the command line, which does so when a verb runs: its libraries
are the extra ``monitor``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.monitor.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from evenhand.monitor import client

        return getattr(client, name)
    raise AttributeError(name)
