"""``/v1/holds`` and ``POST /v1/erasures``, for users of the role admin."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from evenhand.monitor import erasing, holding
from evenhand.monitor.names import Name, Prose
from evenhand.monitor.roles import ADMIN, Principal
from evenhand.monitor.service.access import DB, needs

router = APIRouter(prefix="/v1", tags=["keeping"])
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Admin = Annotated[Principal, needs(ADMIN)]
Reason = Annotated[
    Prose,
    StringConstraints(min_length=1, max_length=5000),
    Field(description="It is kept in the chain for good: no name of a person belongs in it."),
]


class HoldOut(BaseModel):
    """A legal hold; of a person it is only said that it is one."""

    id: int
    use_case: str
    person: bool
    why: str
    by: str
    created: datetime
    removed: datetime | None
    removed_by: str | None


class HoldWanted(BaseModel):
    """What is to be kept: a use case, or the person of one prediction of it."""

    model_config = ConfigDict(extra="forbid")

    use_case: Name
    prediction_id: Name | None = None
    why: Reason


class Because(BaseModel):
    """Why something is done."""

    model_config = ConfigDict(extra="forbid")

    why: Reason


class HoldMade(BaseModel):
    """The number of a hold."""

    hold: int


class ErasureWanted(BaseModel):
    """Whose records are to be erased."""

    model_config = ConfigDict(extra="forbid")

    use_case: Name
    prediction_ids: Annotated[list[Name], Field(min_length=1, max_length=erasing.MOST)]
    why: Reason


class GoneOut(BaseModel):
    """How many rows were erased."""

    predictions: int
    attributes: int
    texts: int
    waiting_labels: int


@router.get("/holds")
def holds(store: DB, who: Admin, removed: bool = False) -> list[HoldOut]:
    """The legal holds; with `removed` those that have ended as well."""
    return [HoldOut.model_validate(vars(one)) for one in holding.listed(store, who, removed=removed)]


@router.post("/holds")
def hold(store: DB, who: Admin, wanted: HoldWanted) -> HoldMade:
    """Keep a use case or a person: retention and erasure leave it alone from now on."""
    who.need_use_case(wanted.use_case)
    person = wanted.prediction_id or ""
    made = holding.add(store, wanted.use_case, prediction_id=person, why=wanted.why, by=who.name)
    return HoldMade(hold=made)


@router.post("/holds/{number}/remove")
def remove(store: DB, who: Admin, number: Number, said: Because) -> HoldMade:
    """End a hold."""
    holding.remove(store, who, number, why=said.why)
    return HoldMade(hold=number)


@router.post("/erasures")
def erase(store: DB, who: Admin, wanted: ErasureWanted) -> GoneOut:
    """Erase what is stored under some prediction ids, all or none; counts stay."""
    who.need_use_case(wanted.use_case)
    gone = erasing.erase(store, wanted.use_case, wanted.prediction_ids, why=wanted.why, by=who.name)
    return GoneOut.model_validate(vars(gone))
