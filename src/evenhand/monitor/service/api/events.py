"""``POST /v1/events`` and ``POST /v1/labels``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from evenhand.monitor import ingest
from evenhand.monitor.events import Events, Labels
from evenhand.monitor.roles import INGEST, Principal
from evenhand.monitor.service.access import DB, needs, settings_of

router = APIRouter(prefix="/v1", tags=["ingest"])
Sender = Annotated[Principal, needs(INGEST)]


class Taken(BaseModel):
    """What became of a batch; when this arrives, it is on the disk."""

    accepted: int = Field(description="Events that are new.")
    duplicates: int = Field(description="Events whose prediction id was there; they are not counted again.")
    labels: int = Field(description="Labels that were joined to their decisions.")
    waiting: int = Field(description="Labels whose decisions have not come yet.")
    conflicting: int = Field(description="Labels that contradict an earlier one, which stays.")


@router.post("/events")
def events(request: Request, store: DB, who: Sender, batch: Events) -> Taken:
    """Store and count a list of decisions or generations: all of them, or none if one is wrong.

    It may be sent again under the same prediction ids: nothing is counted twice.
    """
    _seen(who, (event.use_case for event in batch))
    settings = settings_of(request)
    return _told(
        request, ingest.take(store, batch, keep_texts=settings.keep_texts, after=request.app.state.after)
    )


@router.post("/labels")
def labels(request: Request, store: DB, who: Sender, batch: Labels) -> Taken:
    """Join labels to their decisions, by prediction id; those that come first wait."""
    _seen(who, (label.use_case for label in batch))
    return _told(request, ingest.join(store, batch, after=request.app.state.after))


def _seen(who: Principal, use_cases: Iterable[str]) -> None:
    for name in dict.fromkeys(use_cases):
        who.need_use_case(name)


def _told(request: Request, outcome: ingest.Outcome) -> Taken:
    found = vars(outcome)
    request.app.state.counters.events(**found)
    return Taken(**found)
