"""The database: one schema (`tables`) on SQLite and PostgreSQL, its migrations, copies and backups."""

from __future__ import annotations

from evenhand.monitor.store import record_tables  # noqa: F401 - they belong to the schema
from evenhand.monitor.store.engine import Store
from evenhand.monitor.store.opening import create, open_store

__all__ = ["Store", "create", "open_store"]
