"""``GET /v1/indicators``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from evenhand.monitor.figures import Question, figures
from evenhand.monitor.names import Name
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.access import DB, needs

router = APIRouter(prefix="/v1", tags=["figures"])


class Asked(BaseModel):
    """Which figures are wanted."""

    model_config = ConfigDict(extra="forbid")

    use_case: Name = "default"
    model: Name | None = None
    version: Name | None = None
    attribute: Annotated[Name | None, Field(description="Such as sex, or race*sex; by default none.")] = None
    indicator: Annotated[list[Name], Field(max_length=50, description="By default all.")] = []
    since: date | None = None
    until: date | None = None
    maturity: Annotated[int, Field(ge=0, le=3660, description="Days until labels are taken as known.")] = 0


class FigureOut(BaseModel):
    """A figure of an indicator; `group` is empty for everybody's, and for one that compares groups."""

    indicator: str
    unit: str
    group: str
    detail: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@router.get("/indicators")
def indicators(
    request: Request,
    store: DB,
    who: Annotated[Principal, needs(READ)],
    asked: Annotated[Asked, Query()],
) -> list[FigureOut]:
    """Figures by group with n and their 95 % intervals, of counts; null where one is undefined."""
    who.need_use_case(asked.use_case)
    question = Question(
        asked.use_case,
        asked.model or "",
        asked.version or "",
        asked.attribute or "",
        asked.since,
        asked.until,
        asked.maturity,
    )
    found = request.app.state.kept.get(
        (question, tuple(asked.indicator)), lambda: figures(store, question, asked.indicator)
    )
    return [FigureOut(**vars(one)) for one in found]
