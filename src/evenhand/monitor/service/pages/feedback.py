"""The inbox of reports, what is done about them, and the form where people report an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from evenhand.errors import BadData, EvenhandError, UnknownName
from evenhand.monitor import canaries, feedback, keys
from evenhand.monitor.feedback import STATES, Reported
from evenhand.monitor.roles import ACT, FEEDBACK, READ, Principal
from evenhand.monitor.service.access import fields_of, settings_of
from evenhand.monitor.service.pages._forms import acted
from evenhand.monitor.service.pages._page import Page, Table, View, page_of
from evenhand.monitor.service.problems import code_of, headers_of

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

router = APIRouter()
REPORTS = ("id", "use case", "state", "created", "model", "asked", "answer", "why", "note", "probe")
FIGURES = ("probe", "day", "figure", "n", "value", "from", "to")


def inbox(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The reports, of a state where one is chosen, and how many there are."""
    state = query.get("state", "")
    if state and state not in STATES:
        raise UnknownName("state of a report", state, STATES)
    rows = [
        (
            one.id,
            one.use_case,
            one.state,
            one.created,
            one.model,
            one.prompt,
            one.answer,
            one.why,
            one.note,
            one.probe,
        )
        for one in feedback.listed(store, who, "", state)
    ]
    tables = [
        Table("reports", REPORTS, rows),
        Table("counts", ("use case", "state", "reports"), feedback.counts(store, who)),
    ]
    return View("Feedback", tables, {"state": state, "states": STATES, "acts": ACT in who.scopes})


def probed(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The probes, their figures, and why runs failed."""
    held = canaries.listed(store, who)
    rows = [(one.id, one.use_case, one.model, one.benchmark or "a reported prompt", one.due) for one in held]
    cells = [
        (cell.probe, cell.day, cell.metric, cell.n, cell.value, cell.low, cell.high)
        for one in held
        for cell in canaries.cells(store, one.id)[-200:]
    ]
    failed = [(one.id, time, why) for one in held for time, why in canaries.failures(store, one.id)]
    tables = [
        Table("probes", ("id", "use case", "endpoint", "what", "due"), rows),
        Table("figures", FIGURES, cells),
        Table("failures", ("probe", "time", "why"), failed),
    ]
    return View("Canaries", tables)


@router.get("/feedback/new")
def form(request: Request) -> Response:
    """The form: whoever has a key for feedback may send it."""
    return _form(request, {})


def _form(request: Request, given: Mapping[str, str], error: EvenhandError | None = None) -> Response:
    names = ("use_case", "model", "version", "prompt", "answer", "why")
    facts = {
        "given": {name: given.get(name, "") for name in names},
        "problem": "" if error is None else f"{error.what} {error.mend}",
    }
    code = 200 if error is None else code_of(error)
    answer = page_of(request, "report_form.html", View("Report an answer", facts=facts), code=code)
    answer.headers.update({} if error is None else headers_of(error))
    return answer


@router.post("/feedback/new")
async def send(request: Request) -> Response:
    """Keep a report; the key stands in the form, so no other site can send it for somebody."""
    fields = await fields_of(request)
    try:
        token = await run_in_threadpool(_sent, request, fields)
    except EvenhandError as error:
        return _form(request, fields, error)
    view = View("Thank you", facts={"token": token, "told": None, "problem": ""})
    return page_of(request, "report_state.html", view)


def _sent(request: Request, fields: Mapping[str, str]) -> str:
    settings = settings_of(request)
    request.app.state.strangers.take(f"address:{request.client.host if request.client else ''}")
    who = keys.principal(settings.store, fields.get("key", "").strip())
    who.need(FEEDBACK)
    names = ("use_case", "model", "version", "prompt", "answer", "why")
    try:
        given = Reported.model_validate({n: fields[n] for n in names if fields.get(n, "").strip()})
    except ValidationError as error:
        places = ", ".join(sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]}))
        raise BadData(f"These fields are missing or too long: {places}.", mend="Fill them in.") from None
    who.need_use_case(given.use_case)
    request.app.state.reporters.take(who.name)
    return feedback.report(settings.store, given, who.name)


@router.get("/feedback/state")
def state(request: Request) -> Response:
    """What became of a report, to who has its token."""
    request.app.state.strangers.take(f"address:{request.client.host if request.client else ''}")
    token = request.query_params.get("token", "")
    facts: dict[str, Any] = {"token": "", "told": None, "problem": ""}
    code = 200
    if token:
        try:
            facts["told"] = feedback.told(settings_of(request).store, token)
        except EvenhandError as error:
            facts["problem"], code = f"{error.what} {error.mend}", 404
    return page_of(request, "report_state.html", View("Your report", facts=facts), code=code)


@router.post("/feedback/{number}")
async def act(request: Request, number: int) -> Response:
    """Give a report another state, or make a probe of it."""
    store = settings_of(request).store

    def do(who: Principal, fields: Mapping[str, str]) -> None:
        if fields.get("do") == "probe":
            feedback.probe(
                store,
                who,
                number,
                model=fields.get("model", ""),
                unwanted=fields.get("unwanted", ""),
                allowed=settings_of(request).endpoints,
            )
        else:
            feedback.triage(store, who, number, fields.get("state", ""), fields.get("note", "")[:5000])

    return await acted(request, ACT, do, "/feedback")


page = Page("/feedback", "Feedback", "feedback.html", READ, inbox)
probes = Page("/canaries", "Canaries", "canaries.html", READ, probed)
