"""Events for the tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from evenhand.monitor.events import Event

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def decision(name: str, **given: Any) -> Event:
    """A favourable decision on a woman, at noon of the first of March."""
    return Event(
        **{
            "prediction_id": name,
            "time": DAY,
            "use_case": "loans",
            "model": "scorer",
            "version": "1",
            "decision": 1,
            "attributes": {"sex": "f"},
            **given,
        }
    )


def raw(name: str, **given: Any) -> dict[str, Any]:
    """The same as a caller sends it."""
    return decision(name, **given).model_dump(mode="json", exclude_none=True)
