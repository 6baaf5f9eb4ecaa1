"""The page of one version of a model, or of all its versions: every indicator by an attribute, over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from evenhand.errors import BadData
from evenhand.monitor import watching
from evenhand.monitor.figures import GROUPS, Question, attributes, figures, versions
from evenhand.monitor.history import MOST, history
from evenhand.monitor.indicators import INDICATORS, Figure
from evenhand.monitor.names import Name
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.pages._curves import alert_marks, asked_at, curves, releases, table_of
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.standing import standing

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

FIGURES = ("indicator", "group", "detail", "value", "low", "high", "n", "unit")


class Asked(BaseModel):
    """The query of the page; without a version, all versions of the model together."""

    use_case: Name
    model: Name
    version: Name | None = None
    attribute: Annotated[str, Field(max_length=401)] | None = None
    maturity: Annotated[int, Field(ge=0, le=3660)] = 0
    days: Annotated[int, Field(ge=0, le=MOST)] = 0

    @property
    def place(self) -> tuple[str, str, str]:
        """Use case, model and version; the version is empty for all."""
        return self.use_case, self.model, self.version or ""


def asked_of(query: Mapping[str, str]) -> Asked:
    """The query, checked.

    Raises:
        BadData: something is missing or wrong.
    """
    try:
        return Asked.model_validate({name: value for name, value in query.items() if value})
    except ValidationError as error:
        raise wrong(error) from None


def wrong(error: ValidationError) -> BadData:
    """What to say of a query that is not one."""
    names = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
    return BadData(f"The address lacks, or has wrongly: {names}.", mend="Follow a link of the overview.")


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The figures of a version, in all and over time; by the first attribute where none is chosen."""
    asked = asked_of(query)
    who.need_use_case(asked.use_case)
    names = attributes(store, asked.use_case)
    attribute = asked.attribute or (names[0] if names else "")
    question = Question(*asked.place, attribute, maturity=asked.maturity)
    found = figures(store, question)
    points = history(store, question, asked.days)
    remembered = standing(store, who)
    known = versions(store, who, asked.use_case)
    marks = releases(known, asked.model)
    marks += alert_marks(watching.listed(store, who), remembered, asked.place, attribute)
    facts = {
        "use_case": asked.use_case,
        "model": asked.model,
        "version": asked.version or "",
        "attribute": attribute,
        "attributes": names,
        "maturity": asked.maturity,
        "days": asked.days,
        "readings": {one.title: one.reading for one in INDICATORS.values()},
        "versions": [one.version for one in known if one.model == asked.model],
        "undrawn": max(len({one.group for one in found if one.group}) - GROUPS, 0),
    }
    which = f"version {asked.version}" if asked.version else "all versions"
    title = f"{asked.model}, {which}, in {asked.use_case}"
    drawn = curves(points, asked_at(remembered, asked.place, attribute), marks)
    tables = [Table("figures", FIGURES, [row_of(one) for one in found if one.n]), table_of(points)]
    return View(title, tables, facts, drawn)


def row_of(one: Figure) -> tuple[object, ...]:
    """A figure as a row of `FIGURES`."""
    title = INDICATORS[one.indicator].title
    return title, one.group or "all", one.detail, one.value, one.low, one.high, one.n, one.unit


page = Page("/version", "", "version.html", READ, show)
