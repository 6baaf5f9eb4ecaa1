"""The page of one version of a model: every indicator by an attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from evenhand.errors import BadData
from evenhand.monitor.figures import Question, attributes, figures
from evenhand.monitor.indicators import INDICATORS
from evenhand.monitor.names import Name
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.pages._page import Page, Table, View

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

FIGURES = ("indicator", "group", "detail", "value", "low", "high", "n", "unit")


class Asked(BaseModel):
    """The query of the page."""

    use_case: Name
    model: Name
    version: Name
    attribute: Name | None = None
    maturity: Annotated[int, Field(ge=0, le=3660)] = 0


def asked_of(query: Mapping[str, str]) -> Asked:
    """The query, checked.

    Raises:
        BadData: something is missing or wrong.
    """
    try:
        return Asked.model_validate({name: value for name, value in query.items() if value})
    except ValidationError as error:
        names = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        raise BadData(
            f"The address lacks, or has wrongly: {names}.", mend="Follow a link of the overview."
        ) from None


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """The figures of a version; by the first attribute where none is chosen."""
    asked = asked_of(query)
    who.need_use_case(asked.use_case)
    names = attributes(store, asked.use_case)
    attribute = asked.attribute or (names[0] if names else "")
    found = figures(
        store,
        Question(asked.use_case, asked.model, asked.version, attribute, maturity=asked.maturity),
    )
    rows = [
        (
            INDICATORS[one.indicator].title,
            one.group or "all",
            one.detail,
            one.value,
            one.low,
            one.high,
            one.n,
            one.unit,
        )
        for one in found
        if one.n
    ]
    facts = {
        "use_case": asked.use_case,
        "model": asked.model,
        "version": asked.version,
        "attribute": attribute,
        "attributes": names,
        "maturity": asked.maturity,
        "readings": {one.title: one.reading for one in INDICATORS.values()},
    }
    title = f"{asked.model}, version {asked.version}, in {asked.use_case}"
    return View(title, [Table("figures", FIGURES, rows)], facts)


page = Page("/version", "", "version.html", READ, show)
