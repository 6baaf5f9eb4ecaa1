"""The page that puts two versions of a use case side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from evenhand.errors import BadData
from evenhand.monitor.comparing import Difference, compared
from evenhand.monitor.figures import Question, Version, attributes, figures, versions
from evenhand.monitor.indicators import INDICATORS
from evenhand.monitor.names import Name
from evenhand.monitor.roles import READ, NotThere, Principal
from evenhand.monitor.service.pages._page import Page, Table, View
from evenhand.monitor.service.pages.version import wrong

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

HEAD = (
    "indicator", "group", "detail", "a", "a low", "a high", "a n", "b", "b low", "b high", "b n",
    "difference b - a", "low", "high", "state of b",
)  # fmt: skip
Chosen = tuple[str, str]  # model and version


class Asked(BaseModel):
    """The query; a and b are versions of `model`, or each a model and a version as a JSON list."""

    use_case: Name | None = None
    model: Name | None = None
    a: Annotated[str, Field(max_length=900)] = ""
    b: Annotated[str, Field(max_length=900)] = ""
    attribute: Annotated[str, Field(max_length=401)] | None = None
    maturity: Annotated[int, Field(ge=0, le=3660)] = 0


def show(store: Store, who: Principal, query: Mapping[str, str]) -> View:
    """Every indicator of both versions; the two latest where none are chosen."""
    try:
        asked = Asked.model_validate({name: value for name, value in query.items() if value})
    except ValidationError as error:
        raise wrong(error) from None
    known = versions(store, who)
    seen = sorted({one.use_case for one in known})
    use_case = asked.use_case or (known[0].use_case if known else "")
    if use_case:
        who.need_use_case(use_case)
    own = [one for one in known if one.use_case == use_case]
    if use_case and not own:
        raise NotThere(f"Nothing has come in for the use case {use_case!r}.", mend="Choose another.")
    a, b = _chosen(own, asked)
    names = attributes(store, use_case) if use_case else []
    attribute = asked.attribute or (names[0] if names else "")
    rows: list[Sequence[object]] = []
    verdicts = 0
    if a is not None and b is not None and a != b:
        questions = [Question(use_case, *one, attribute, maturity=asked.maturity) for one in (a, b)]
        found, verdicts = compared(*(figures(store, one) for one in questions))
        rows = [_row(one) for one in found]
    facts = {
        "use_case": use_case,
        "use_cases": seen,
        "choices": [{"value": packed((one.model, one.version)), "text": _text(one)} for one in own],
        "a": None if a is None else packed(a),
        "b": None if b is None else packed(b),
        "names": [None if one is None else " ".join(one) for one in (a, b)],
        "attribute": attribute,
        "attributes": names,
        "maturity": asked.maturity,
        "verdicts": verdicts,
        "readings": {one.title: one.reading for one in INDICATORS.values()},
    }
    return View("Compare versions", [Table("differences", HEAD, rows)], facts)


def packed(one: Chosen) -> str:
    """A model and a version as the value of a choice."""
    return json.dumps(one, ensure_ascii=False)


def _text(one: Version) -> str:
    return f"{one.model} {one.version} ({one.first} to {one.last})"


def _chosen(own: Sequence[Version], asked: Asked) -> tuple[Chosen | None, Chosen | None]:
    """a, the earlier, and b; by default the two latest of the model of the latest."""
    model = asked.model or (own[0].model if own else "")
    latest = [(one.model, one.version) for one in own if one.model == model]
    b = _one(own, asked.b, asked.model) if asked.b else next(iter(latest), None)
    if asked.a:
        return _one(own, asked.a, asked.model), b
    return next((one for one in latest if one != b), None), b


def _one(own: Sequence[Version], text: str, model: str | None) -> Chosen:
    known = [(one.model, one.version) for one in own]
    given = _unpacked(text)
    found = [
        one for one in known if one == given or (given is None and one[1] == text and model in (None, one[0]))
    ]
    if len(found) != 1:
        what = "no version" if not found else "a version of several models"
        raise BadData(f"{text!r} is {what} of this use case.", mend="Choose one of the list.")
    return found[0]


def _unpacked(text: str) -> Chosen | None:
    try:
        given = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    if isinstance(given, list) and len(given) == 2 and all(isinstance(one, str) for one in given):
        return given[0], given[1]
    return None


def _row(one: Difference) -> Sequence[object]:
    cells: list[object] = [INDICATORS[one.indicator].title, one.group or "all", one.detail]
    for figure in (one.a, one.b):
        cells += [None] * 4 if figure is None else [figure.value, figure.low, figure.high, figure.n]
    return [*cells, one.value, one.low, one.high, one.state]


page = Page("/compare", "Compare", "compare.html", READ, show)
