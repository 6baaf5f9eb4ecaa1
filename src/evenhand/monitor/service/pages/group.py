"""The page of one group: all its indicators over time beside everybody's, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from evenhand.monitor import watching
from evenhand.monitor.figures import Question, figures, intersections, versions
from evenhand.monitor.history import MOST, history
from evenhand.monitor.indicators import INDICATORS, Figure
from evenhand.monitor.names import Name
from evenhand.monitor.roles import READ, NotThere, Principal
from evenhand.monitor.service.pages._curves import alert_marks, curves, name_of, releases, table_of
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.service.pages.version import FIGURES, row_of, wrong
from evenhand.monitor.standing import standing

if TYPE_CHECKING:
    from evenhand.monitor.store import Store


class Asked(BaseModel):
    """The query: a group of an attribute or of an intersection; without model and version all of them."""

    use_case: Name
    attribute: Annotated[str, Field(min_length=1, max_length=401)]
    group: Annotated[str, Field(min_length=1, max_length=801)]
    model: Name | None = None
    version: Name | None = None
    maturity: Annotated[int, Field(ge=0, le=3660)] = 0
    days: Annotated[int, Field(ge=0, le=MOST)] = 0


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The group's figures in all and over time."""
    try:
        asked = Asked.model_validate({name: value for name, value in query.items() if value})
    except ValidationError as error:
        raise wrong(error) from None
    who.need_use_case(asked.use_case)
    model, version = asked.model or "", asked.version or ""
    whole = Question(asked.use_case, model, version, asked.attribute, maturity=asked.maturity)
    question = replace(whole, group=asked.group)
    names = [name for name, one in INDICATORS.items() if name != "unknown"]
    found = [one for one in figures(store, question, names) if one.value is not None]
    if not any(one.group == asked.group for one in found):
        raise NotThere(
            f"Nothing has come in for the group {asked.group!r} of {asked.attribute!r}.",
            mend="Follow a link of a version's page.",
        )
    known = versions(store, who, asked.use_case)
    remembered = standing(store, who)
    place = (asked.use_case, model, version)
    marks = releases(known, model) if model else []
    if model:
        marks += alert_marks(watching.listed(store, who), remembered, place, asked.attribute)
    points = [one for one in history(store, question, asked.days) if one.indicator != "unknown"]
    facts = {
        **asked.model_dump(),
        "model": model,
        "version": version,
        "within": intersections(store, asked.use_case, asked.attribute, asked.group),
        "counts": _counts(figures(store, whole, ["unknown"]), found, asked.group),
        "readings": {one.title: one.reading for one in INDICATORS.values()},
    }
    tables = [Table("figures", FIGURES, [row_of(one) for one in found]), table_of(points)]
    title = f"{name_of(asked.group)} ({name_of(asked.attribute)}) in {asked.use_case}"
    drawn = curves(points, (), marks)  # a tolerance is about groups beside each other
    return View(title, tables, facts, drawn)


def _counts(unknown: list[Figure], found: list[Figure], group: str) -> dict[str, float | int | None]:
    """How many decisions of the group there are, its label coverage, and how much is unknown."""
    own = {one.indicator: one for one in found if one.group == group and not one.detail}
    all_ = {one.indicator: one for one in found if not one.group and not one.detail}
    rate, coverage = own.get("selection_rate"), own.get("coverage")
    return {
        "decisions": None if rate is None else rate.n,
        "of": all_["selection_rate"].n if "selection_rate" in all_ else None,
        "coverage": None if coverage is None else coverage.value,
        "unknown": unknown[0].value if unknown else None,
    }


page = Page("/group", "", "group.html", READ, show)
