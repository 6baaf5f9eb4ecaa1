"""``GET /health``: whether the service and its database work. ``GET /metrics``: counters for Prometheus."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from evenhand import __version__
from evenhand.monitor import outbox
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.access import DB, needs
from evenhand.monitor.service.counters import gauge
from evenhand.monitor.store.migrating import current

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The state of a service that works."""

    status: Literal["ok"]
    version: str
    database: str
    schema_version: str


@router.get("/health")
def health(store: DB) -> Health:
    """Whether the database answers; 503 if it does not. Needs no key."""
    with store.reading() as connection:
        version = current(connection)
    return Health(
        status="ok",
        version=__version__,
        database=store.url.get_backend_name(),
        schema_version=version or "none",
    )


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request, store: DB, who: Annotated[Principal, needs(READ)]) -> PlainTextResponse:
    """Counters of requests, events and messages, in the text format of Prometheus; they name no use case."""
    with store.reading() as connection:
        told = gauge("evenhand_messages", "Messages about alerts.", "state", outbox.counts(connection))
    return PlainTextResponse(
        request.app.state.counters.text() + told, media_type="text/plain; version=0.0.4; charset=utf-8"
    )
