"""The page of alerts: open ones first, their evidence over time, answers, and what was answered before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import func, select

from evenhand.decimals import fixed, significant
from evenhand.errors import BadData
from evenhand.monitor import watching
from evenhand.monitor.names import storable
from evenhand.monitor.roles import ACT, READ, NotThere, Principal
from evenhand.monitor.service.access import settings_of
from evenhand.monitor.service.pages._chart import Bound, Chart, Frame, Mark, Trace, draw
from evenhand.monitor.service.pages._forms import acted
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.standing import Asked, Evidence, Standing, evidence, standing
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import cells, streams, use_cases
from evenhand.monitor.watching import Alert

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

router = APIRouter()
WORDS = {"ok": "no alert"}  # "ok" says only that the tolerance has not been shown to be broken
ALERTS = ("id", "status", "rule", "use case", "model", "version", "groups", "why", "since", "acknowledged by")
HISTORY = (
    "rule", "use case", "model", "version", "groups", "test", "began", "raised", "ended", "by", "note",
    "n", "ones",
)  # fmt: skip
DRAWN = 6  # comparisons whose evidence is shown at once
LEAST, MOST = -2.0, 6.0  # powers of ten of the evidence that are drawn
NOTE = 5000  # characters


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """Every comparison; the evidence of the one that is asked for, or of those with an open alert."""
    found, remembered = watching.listed(store, who), standing(store, who)
    chosen = _chosen(found, query.get("id", ""))
    drawn = [one for one in chosen if one.groups is not None][:DRAWN]
    grown = _evidence(store, drawn, remembered)
    rows = [
        (one.id, spot.day, spot.log_e, 10.0 ** min(spot.log_e, 300.0))
        for one in drawn
        for spot in grown.get(one.id, ())
    ]
    tables = [
        alerts_of(found),
        _history(remembered),
        Table("evidence", ("alert", "day", "power of ten", "capital"), rows),
    ]
    facts = {
        "acts": ACT in who.scopes,
        "id": query.get("id", ""),
        "open": [{"id": one.id, "rule": one.rule, "why": one.why} for one in found if one.status == "alert"],
        "undrawn": max(len(chosen) - len(drawn), 0) if not query.get("id") else 0,
    }
    charts = [_chart(one, grown[one.id], remembered) for one in drawn if grown.get(one.id)]
    return View("Alerts", tables, facts, {"evidence": charts})


def _chosen(found: Sequence[Alert], text: str) -> list[Alert]:
    if not text:
        return [one for one in found if one.status == "alert"]
    own = [one for one in found if str(one.id) == text]
    if not own:
        raise NotThere(f"There is no alert {text[:20]!r}.", mend="Follow a link of the page of alerts.")
    return own


def alerts_of(found: Iterable[Alert]) -> Table:
    """The table of comparisons."""
    rows = [
        (
            one.id,
            WORDS.get(one.status, one.status),
            one.rule,
            one.use_case or "–",
            one.model or "–",
            one.version or "–",
            "–" if one.groups is None else " and ".join(one.groups),
            one.why,
            one.since,
            one.acknowledged_by or "–",
        )
        for one in found
    ]
    return Table("alerts", ALERTS, rows)


def _history(remembered: Standing) -> Table:
    rows = [
        (
            one.scope.rule, one.scope.use_case, one.scope.model, one.scope.version,
            " and ".join(one.groups), one.number, one.started, one.raised, one.ended, one.by, one.note,
            " and ".join(map(str, one.n)), " and ".join(map(str, one.x)),
        )
        for one in remembered.answered
    ]  # fmt: skip
    return Table("history", HISTORY, rows)


# ---- evidence -------------------------------------------------------------------------------------------


def _evidence(store: Store, found: Sequence[Alert], remembered: Standing) -> dict[int, list[Evidence]]:
    """By the number of an alert: how its evidence grew; nothing where its rule is not known any more."""
    asked = {one.scope: one for one in remembered.asked}
    own: dict[int, list[Evidence]] = {}
    with store.reading() as connection:
        counted: dict[Asked, list[tuple[date, dict[str, tuple[int, int]]]]] = {}
        for one in found:
            known = next((asked[scope] for scope in asked if _is_of(one, scope)), None)
            if known is None or one.groups is None:
                continue
            if known not in counted:
                counted[known] = _cohorts(connection, known)
            ends = [
                done.ended.date()
                for done in remembered.answered
                if done.scope == known.scope and done.groups == one.groups
            ]
            own[one.id] = evidence(known.rule(), one.groups, counted[known], ends)
    return own


def _is_of(one: Alert, scope: object) -> bool:
    names = ("rule", "use_case", "model", "version")
    return all(getattr(one, name) == getattr(scope, name) for name in names)


def _cohorts(connection: Connection, asked: Asked) -> list[tuple[date, dict[str, tuple[int, int]]]]:
    """The counts of each day of the rule's version, as the watcher takes them from the rollups."""
    scope = asked.scope
    query = (
        select(streams.c.id, func.max(cells.c.day).label("last"))
        .select_from(streams.join(use_cases).join(cells))
        .where(
            use_cases.c.name == scope.use_case,
            streams.c.model == scope.model,
            streams.c.version == scope.version,
        )
        .group_by(streams.c.id)
    )
    row = connection.execute(query).first()
    if row is None:
        return []
    stream = SimpleNamespace(
        id=row.id, name=scope.use_case, model=scope.model, version=scope.version, last=row.last
    )
    found = watching.cohorts_of(connection, asked.rule(), stream, None, (utc_now(), False))
    return [((one.end - timedelta(days=1)).date(), one.counts) for one in found]


def _chart(one: Alert, grown: Sequence[Evidence], remembered: Standing) -> dict[str, object]:
    spots = [(spot.day, spot.log_e) for spot in grown]
    first, last = spots[0][0], spots[-1][0]
    high = min(max(2.0, *(value for _, value in spots)), MOST)
    low = max(min(-0.5, *(value for _, value in spots)), LEAST)
    ticks = [(float(at), _power(at)) for at in range(int(low), int(high) + 1)]
    frame = Frame(first, last, low, high * 1.05, ticks, named=True)
    marks = [
        Mark(done.raised.date(), f"alert raised, answered {done.ended.date()} by {done.by}", "alert")
        for done in remembered.answered
        if done.groups == one.groups and _is_of(one, done.scope)
    ]
    if one.status == "alert" and one.since is not None:
        marks.append(Mark(one.since.date(), "alert raised", "alert"))
    level = Bound("20: reached by chance in at most 1 of 20 comparisons", [(first, _20), (last, _20)])
    groups = " and ".join(one.groups or ())
    trace = Trace(groups, spots, said=[significant(10.0 ** min(value, 300.0)) for _, value in spots])
    title = f"Evidence over time: {one.rule}, {groups}, {one.model} {one.version}"
    about = f"On {last} the capital is 10 to the power of {fixed(spots[-1][1], 2)}; it began at 1 on {first}."
    chart: Chart = draw(title, about, [trace, level], marks, frame)
    return {"id": one.id, "chart": chart}


_20 = 1.30103  # log10(20)
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(at: int) -> str:
    if at > 3:
        return f"10{str(at).translate(_RAISED)}"
    return fixed(10.0**at, 0) if at >= 0 else f"1/{10**-at}"


# ---- answers --------------------------------------------------------------------------------------------


@router.post("/alerts/{number}")
async def answer(request: Request, number: int) -> Response:
    """Acknowledge an open alert with a note."""
    settings = settings_of(request)

    def do(who: Principal, fields: Mapping[str, str]) -> None:
        note = _note(fields.get("note", ""))
        watching.answer(settings.store, who, number, note, policy=settings.policy)

    return await acted(request, ACT, do, "/alerts")


def _note(text: str) -> str:
    try:
        return storable(text.strip())[:NOTE]
    except ValueError:
        raise BadData("The note holds signs that cannot be stored.", mend="Type it anew.") from None


page = Page("/alerts", "Alerts", "alerts.html", READ, show)
