"""The public report: what a profile asks about, from the counts of a use case, for those who publish it.

It is shown to who may read, and to everybody for the use cases that the service was started to publish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evenhand.errors import EvenhandError
from evenhand.monitor import chain
from evenhand.monitor.evidence import Evidence, evidence
from evenhand.monitor.export import public_key
from evenhand.monitor.figures import Question, versions
from evenhand.monitor.profiles import profile, profiles
from evenhand.monitor.roles import READ, NotAllowed, Principal
from evenhand.monitor.service.access import settings_of
from evenhand.monitor.service.pages._page import Page, Table, View, page_of
from evenhand.monitor.service.problems import code_of

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

router = APIRouter()
RATES = ("attribute", "group", "people", "share", "from", "to", "ratio to the highest")
RATIOS = ("attribute", "lowest ratio", "from", "to", "left out", "unknown", "reading")
FIGURES = ("attribute", "indicator", "group", "detail", "value", "from", "to", "n")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The report of a profile about a use case; without them, the choice."""
    seen = sorted({one.use_case for one in versions(store, who)})
    use_case = query.get("use_case") or (seen[0] if seen else "default")
    who.need_use_case(use_case)
    own = profile(query.get("profile") or "ll144")
    found = evidence(store, own, Question(use_case))
    with store.reading() as connection:
        head = chain.head(connection)
    facts = {
        "use_case": use_case,
        "use_cases": seen,
        "profile": own.name,
        "profiles": {name: one.title for name, one in profiles().items()},
        "dated": own.dated.isoformat(),
        "sources": list(own.sources),
        "words": found.words,
        "not_known": [*_unknown(found), *own.not_known],
        "people": found.people,
        "head": head,
        "key": public_key(store.secret),
    }
    rates = [(one.attribute, *row) for one in found.compared for row in one.rows]
    ratios = [
        (one.attribute, one.ratio, one.low, one.high, ", ".join(one.left_out), one.unknown, one.reading)
        for one in found.compared
    ]
    figures = [
        (name, one.indicator, one.group, one.detail, one.value, one.low, one.high, one.n)
        for name, one in found.figures
    ]
    tables = [
        Table("rates", RATES, rates),
        Table("ratios", RATIOS, ratios),
        Table("figures", FIGURES, figures),
    ]
    return View(own.title, tables, facts)


def _unknown(found: Evidence) -> list[str]:
    return [
        f"The {one.attribute} of {one.unknown} people was not sent; they are in no group."
        for one in found.compared
        if one.unknown and "*" not in one.attribute
    ]


@router.get("/public/report")
def public(request: Request) -> Response:
    """The report of a use case that is published, for everybody."""
    settings = settings_of(request)
    request.app.state.buckets.take(f"address:{request.client.host if request.client else ''}")
    try:
        use_case = request.query_params.get("use_case", "")
        if use_case not in settings.public:
            raise NotAllowed(
                "No report of this use case is published.", mend="Ask those who run this service for it."
            )
        who = Principal("everybody", frozenset({READ}), frozenset({use_case}))
        view = show(settings.store, who, dict(request.query_params))
    except EvenhandError as error:
        facts = {"what": error.what, "mend": error.mend}
        return page_of(request, "problem.html", View("Not done", facts=facts), code=code_of(error))
    return page_of(request, "report.html", view)


page = Page("/report", "Reports", "report.html", READ, show)
