"""``POST /v1/reports``, their state, and what is done about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from evenhand.monitor import feedback
from evenhand.monitor.feedback import Reported, State
from evenhand.monitor.names import Name, Prose
from evenhand.monitor.roles import ACT, FEEDBACK, READ, Principal
from evenhand.monitor.service.access import DB, needs, settings_of

router = APIRouter(prefix="/v1", tags=["feedback"])
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class Received(BaseModel):
    """A report was kept; `token` shows its state, and is not shown again."""

    token: str


class StateOut(BaseModel):
    """What the reporter sees."""

    state: State
    created: datetime
    changed: datetime
    note: str | None


class ReportOut(StateOut):
    """A report."""

    id: int
    use_case: str
    sender: str
    model: str | None
    version: str | None
    prompt: str | None
    answer: str | None
    why: str
    probe: int | None


class Count(BaseModel):
    """How many reports of a use case are in a state. It is no rate: nobody counts those who said nothing."""

    use_case: str
    state: State
    number: int


class Judged(BaseModel):
    """What was found about a report; the reporter sees the note."""

    model_config = ConfigDict(extra="forbid")

    state: State
    note: Annotated[Prose, StringConstraints(max_length=5000)] = ""


class ProbeWanted(BaseModel):
    """Where the prompt of a report is sent from now on, and which text must not be in the answers."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[Name, Field(description="One of [probes] endpoints of the policy file.")]
    unwanted: Annotated[Prose, StringConstraints(max_length=5000)] = ""


class ProbeMade(BaseModel):
    """The probe of a report."""

    probe: int


@router.post("/reports")
def report(
    request: Request, store: DB, who: Annotated[Principal, needs(FEEDBACK)], given: Reported
) -> Received:
    """Report an answer as biased."""
    who.need_use_case(given.use_case)
    request.app.state.reporters.take(who.name)
    return Received(token=feedback.report(store, given, who.name))


@router.get("/reports/state")
def state(
    store: DB,
    who: Annotated[Principal, needs(FEEDBACK)],
    token: Annotated[str, Query(min_length=1, max_length=200)],
) -> StateOut:
    """The state of the report that `token` was given for."""
    return StateOut.model_validate(vars(feedback.told(store, token)))


@router.get("/reports")
def reports(
    store: DB,
    who: Annotated[Principal, needs(READ)],
    use_case: Name | None = None,
    state: State | None = None,
) -> list[ReportOut]:
    """The newest 200 reports."""
    found = feedback.listed(store, who, use_case or "", state or "")
    return [ReportOut.model_validate(vars(one)) for one in found]


@router.get("/reports/counts")
def counts(store: DB, who: Annotated[Principal, needs(READ)]) -> list[Count]:
    """Numbers of reports by use case and state."""
    return [
        Count.model_validate({"use_case": name, "state": state, "number": number})
        for name, state, number in feedback.counts(store, who)
    ]


@router.post("/reports/{number}/state")
def triage(store: DB, who: Annotated[Principal, needs(ACT)], number: Number, judged: Judged) -> StateOut:
    """Give a report another state."""
    feedback.triage(store, who, number, judged.state, judged.note)
    return StateOut.model_validate(vars(feedback.one(store, who, number)))


@router.post("/reports/{number}/probe")
def probe(
    request: Request, store: DB, who: Annotated[Principal, needs(ACT)], number: Number, wanted: ProbeWanted
) -> ProbeMade:
    """Make a probe of a report, which runs every day from now on, on an endpoint that the policy lists."""
    allowed = settings_of(request).endpoints
    made = feedback.probe(store, who, number, model=wanted.model, unwanted=wanted.unwanted, allowed=allowed)
    return ProbeMade(probe=made)
