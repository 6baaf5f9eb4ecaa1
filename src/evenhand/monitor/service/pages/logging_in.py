"""The form to log in, and to log out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from evenhand.errors import EvenhandError
from evenhand.monitor import users
from evenhand.monitor.names import plain
from evenhand.monitor.roles import Principal
from evenhand.monitor.service.access import COOKIE, FORM, check_form, fields_of, settings_of, who_asks
from evenhand.monitor.service.pages._page import View, page_of
from evenhand.monitor.service.problems import code_of, headers_of
from evenhand.monitor.service.signing_on import said

router = APIRouter()


@router.get("/login")
def form(request: Request) -> Response:
    """The form; who is logged in by a proxy has no use for it."""
    if said(request.scope) is not None:
        return RedirectResponse(_local(request.query_params.get("next", "/")), 303)
    return _form(request, request.query_params.get("next", "/"))


def _form(request: Request, wanted: str, error: EvenhandError | None = None) -> Response:
    facts = {
        "next": _local(wanted),
        "problem": "" if error is None else f"{error.what} {error.mend}",
        "sso": settings_of(request).sso is not None,
    }
    code = 200 if error is None else code_of(error)
    answer = page_of(request, "login.html", View("Log in", facts=facts), code=code)
    answer.headers.update({} if error is None else headers_of(error))
    return answer


def _local(path: str) -> str:
    """`path` if it is one of this service, else the first page."""
    return path if path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable() else "/"


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Start a session."""
    fields = await fields_of(request)
    settings, wanted = settings_of(request), fields.get("next", "/")
    address = request.client.host if request.client else ""
    try:
        name, password = fields.get("name", ""), fields.get("password", "")
        token = await run_in_threadpool(
            users.log_in, settings.store, _name(name), password, request.app.state.throttle, address
        )
    except EvenhandError as error:
        return _form(request, wanted, error)
    answer = RedirectResponse(_local(wanted), 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=users.HOURS * 3600,
        httponly=True,
        samesite="strict",
        secure=settings.https,
    )
    return answer


def _name(text: str) -> str:
    try:
        return plain(text)
    except ValueError:
        return ""


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """End the session; that of a proxy it does not end, and says so."""
    who = await run_in_threadpool(who_asks, request)
    store = settings_of(request).store
    check_form(store, who, await fields_of(request))
    await run_in_threadpool(users.log_out, store, request.cookies.get(COOKIE, ""))
    answer = _kept(request, who) if who.by_proxy else RedirectResponse("/login", 303)
    for cookie in (COOKIE, FORM):
        answer.delete_cookie(cookie)
    return answer


def _kept(request: Request, who: Principal) -> Response:
    sso = settings_of(request).sso
    facts = {"name": who.name, "logout": None if sso is None else sso.logout}
    return page_of(request, "logout.html", View("Not logged out yet", facts=facts))
