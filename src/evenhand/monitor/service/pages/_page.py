"""What a page is: a function that gives what it shows, and three forms of that: HTML, JSON and CSV."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evenhand import __version__
from evenhand.decimals import fixed
from evenhand.errors import EvenhandError
from evenhand.monitor.roles import NotKnown, Principal
from evenhand.monitor.service.access import CHANGED, settings_of, token_of, who_asks
from evenhand.monitor.service.pages._plot import plot
from evenhand.monitor.service.problems import answer, code_of, dumps, headers_of
from evenhand.monitor.store.opening import utc_now
from evenhand.vendored import HTMX, PLOTLY

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

TEMPLATES = Path(__file__).parents[1] / "templates"
# Where a name and a form's token go in a page that is kept for many. Nobody can know these, and write them
# into what a page shows.
_NAME, _TOKEN = secrets.token_hex(32), secrets.token_hex(32)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


@dataclass(frozen=True)
class Table:
    """A table of a page: it is a part of its JSON, and ``.csv?table=NAME`` alone."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class View:
    """What a page shows: `tables`, and `facts` beside them for the template and the JSON; `curves` are drawn
    by the template alone, for the tables say the same."""

    title: str
    tables: Sequence[Table] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """The table of this name."""
        return next(one for one in self.tables if one.name == name)


Show = Callable[["Store", Principal, Mapping[str, str]], View]


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        path: its address, without a parameter in it; parameters stand in the query.
        label: its name in the menu; empty for a page that is reached from another.
        template: the file in ``templates``.
        scope: what who asks must be allowed.
        show: what it shows, of the store, who asks and the query; wrong queries raise errors of evenhand's.
    """

    path: str
    label: str
    template: str
    scope: str
    show: Show


def add(app: FastAPI, page: Page, menu: Sequence[Page]) -> None:
    """Add `page` to `app` as HTML, and with ``.json`` and ``.csv`` behind its address."""
    for ending, form in (("", _html), (".json", _json), (".csv", _csv)):
        app.get(page.path + ending, include_in_schema=False, name=f"page {page.path}{ending}")(
            _route(page, form, menu)
        )


def _route(page: Page, form: Any, menu: Sequence[Page]) -> Callable[[Request], Response]:
    def route(request: Request) -> Response:
        html = form is _html
        try:
            who = who_asks(request)
            who.need(page.scope)
            return _written(request, page, form, who, menu)
        except NotKnown as error:
            if html:
                wanted = f"{page.path}?{request.url.query}" if request.url.query else page.path
                return RedirectResponse(f"/login?{urlencode({'next': wanted})}", 303)
            return answer(401, error.what, error.mend, headers_of(error))
        except EvenhandError as error:
            if not html:
                raise
            facts = {"what": error.what, "mend": error.mend}
            return page_of(request, "problem.html", View("Not done", facts=facts), code=code_of(error))

    return route


def _written(request: Request, page: Page, form: Any, who: Principal, menu: Sequence[Page]) -> Response:
    """The page, written once for all who see the same of it; what is of one person alone is put in after.

    Who has just changed something has it written anew.
    """
    store = settings_of(request).store
    anybody = replace(who, name=_NAME, session=_NAME if who.session else "")

    def write() -> bytes:
        view = page.show(store, who, dict(request.query_params))
        text: str = form(request, page, view, anybody, menu)
        return text.encode()

    kept, key = request.app.state.kept, (form, page.path, request.url.query, anybody)
    text: bytes = write() if CHANGED in request.cookies else kept.get(key, write)
    if form is _html:
        text = text.replace(_NAME.encode(), escape(who.name).encode())
        text = text.replace(_TOKEN.encode(), token_of(store, who).encode())
    return Response(text, media_type=_MEDIA[form])


def _html(request: Request, page: Page, view: View, who: Principal, menu: Sequence[Page]) -> str:
    given = {
        "who": who,
        "menu": [one for one in menu if one.label and one.scope in who.scopes],
        "path": page.path,
        "query": f"?{request.url.query}" if request.url.query else "",
        "token": _TOKEN,
    }
    return _text(request, page.template, view, given)


def _json(request: Request, page: Page, view: View, who: Principal, menu: Sequence[Page]) -> str:
    tables = {
        one.name: [dict(zip(one.head, map(_plain, row), strict=True)) for row in one.rows]
        for one in view.tables
    }
    return dumps({"title": view.title, **view.facts, **tables})


def _csv(request: Request, page: Page, view: View, who: Principal, menu: Sequence[Page]) -> str:
    from evenhand.errors import UnknownName

    wanted = request.query_params.get("table") or (view.tables[0].name if view.tables else "")
    names = [one.name for one in view.tables]
    if wanted not in names:
        raise UnknownName("table of this page", wanted, names)
    table, out = view.table(wanted), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.head)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return out.getvalue()


_MEDIA = {_html: "text/html; charset=utf-8", _json: "application/json", _csv: "text/csv; charset=utf-8"}


def _cell(value: Any) -> Any:
    text = _plain(value)
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def page_of(request: Request, template: str, view: View, *, code: int = 200, **more: Any) -> Response:
    """The HTML of a template."""
    given = {"who": None, "menu": [], "path": "", "query": "", "token": "", **more}
    return HTMLResponse(_text(request, template, view, given), code)


def _text(request: Request, template: str, view: View, given: Mapping[str, Any]) -> str:
    about = {
        "version": __version__,
        "authenticate": settings_of(request).authenticate,
        "now": utc_now().isoformat(timespec="seconds"),
    }
    return environment().get_template(template).render(view=view, **about, **given)


_environments: list[Environment] = []


def environment() -> Environment:
    """The templates: everything is escaped, and a name that is not given is an error."""
    if not _environments:
        made = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters.update(figure=figure, moment=moment, shown=shown, query=urlencode, plot=plot)
        made.globals.update(scripts={"htmx": HTMX.file, "plotly": PLOTLY.file})
        _environments.append(made)
    return _environments[0]


def figure(value: Any, places: int = 3) -> str:
    """A figure for people: "–" where it is undefined."""
    if value is None:
        return "–"
    return fixed(value, places if isinstance(value, float) else 0)


def shown(value: Any) -> Any:
    """A cell of a table for people."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return figure(value)
    return moment(value) if isinstance(value, datetime) else value


def moment(value: datetime | None) -> str:
    """A time for people, in UTC."""
    return "–" if value is None else value.strftime("%Y-%m-%d %H:%M UTC")
