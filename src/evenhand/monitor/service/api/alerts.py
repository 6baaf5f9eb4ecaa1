"""``GET /v1/alerts`` and ``POST /v1/alerts/{number}/acknowledge``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from evenhand.monitor import watching
from evenhand.monitor.names import storable
from evenhand.monitor.roles import ACT, READ, Principal
from evenhand.monitor.service.access import DB, needs, settings_of

router = APIRouter(prefix="/v1", tags=["alerts"])
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=5000), AfterValidator(storable)]


class AlertOut(BaseModel):
    """What the last look says of a comparison of two groups."""

    id: int
    policy: str
    rule: str
    use_case: str
    model: str
    version: str
    groups: tuple[str, str] | None
    status: Literal["alert", "ok", "insufficient data"]
    why: str
    number: int
    since: datetime | None
    n: tuple[int, int]
    x: tuple[int, int]
    lower: str | None
    updated: datetime
    acknowledged: datetime | None
    acknowledged_by: str | None
    note: str | None


class Answered(BaseModel):
    """What was found about an alert, or is done about it."""

    model_config = ConfigDict(extra="forbid")

    note: Note


@router.get("/alerts")
def alerts(
    store: DB,
    who: Annotated[Principal, needs(READ)],
    status: Literal["alert", "ok", "insufficient data"] | None = None,
) -> list[AlertOut]:
    """Every comparison of the policy and what is said of it; open alerts first."""
    return [_out(one) for one in watching.listed(store, who, status or "")]


@router.post("/alerts/{number}/acknowledge")
def acknowledge(
    request: Request, store: DB, who: Annotated[Principal, needs(ACT)], number: Number, said: Answered
) -> AlertOut:
    """Answer for an open alert with a note: its test ends, and a new one begins from nothing."""
    policy = settings_of(request).policy
    return _out(watching.answer(store, who, number, said.note, policy=policy))


def _out(one: watching.Alert) -> AlertOut:
    return AlertOut.model_validate(vars(one))
