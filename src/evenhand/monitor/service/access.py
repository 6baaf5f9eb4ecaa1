"""Who asks: by a key, by a session's cookie, or everybody where the service asks for neither."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from evenhand.errors import BadData
from evenhand.monitor import keys, sso, users
from evenhand.monitor.roles import EVERYBODY, NotAllowed, NotKnown, Principal
from evenhand.monitor.service.guard import MUTATING
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.service.signing_on import said
from evenhand.monitor.store import Store

COOKIE = "evenhand_session"
FORM = "evenhand_form"  # of single sign-on: what forms are bound to, where a proxy keeps the session
CHANGED = "evenhand_changed"  # who has it has just changed something, here or at another replica
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")
_FIELDS = 100


def settings_of(request: Request) -> Settings:
    """The settings of the service."""
    found: Settings = request.app.state.settings
    return found


def store_of(request: Request) -> Store:
    """The database of the service."""
    return settings_of(request).store


def who_asks(request: Request) -> Principal:
    """Who sends `request`, within the limit of requests.

    Raises:
        NotKnown: nobody that is known.
        NotAllowed: a session's cookie came with no sign that a page of this service sent it.
        TooMany: too many requests.
    """
    address = request.client.host if request.client else ""
    found = _found(request, address)
    request.app.state.buckets.take(found.name if found is not EVERYBODY else f"address:{address}")
    request.state.who = found.name
    return found


def _found(request: Request, address: str) -> Principal:
    settings = settings_of(request)
    if not settings.authenticate:
        return EVERYBODY
    given = request.headers.get("authorization")
    identity = said(request.scope)
    # A proxy may pass on by what it knows the person; a key that comes through it is one all the same.
    if given is not None and (identity is None or f" {keys.PREFIX}" in given):
        request.app.state.strangers.take(f"address:{address}")
        scheme, _, text = given.partition(" ")
        if scheme.lower() != "bearer":
            raise NotKnown("The service takes keys only.", mend="Send: Authorization: Bearer KEY")
        return keys.principal(settings.store, text.strip())
    if identity is not None and settings.sso is not None:
        found = sso.principal(settings.store, settings.sso, identity)
        found = replace(found, session=_form_session(request, identity.name))
    else:
        found = _by_session(request)
    if request.method in MUTATING and not _own_page(request):
        raise NotAllowed("The browser does not say which page sent this.", mend="Use a newer browser.")
    return found


def _by_session(request: Request) -> Principal:
    token = request.cookies.get(COOKIE)
    if not token:
        raise NotKnown(
            "There is no key.",
            mend="Send: Authorization: Bearer KEY, made by `evenhand monitor keys create`.",
        )
    return users.principal(settings_of(request).store, token)


def _form_session(request: Request, name: str) -> str:
    """What the forms of a person of single sign-on are bound to: the name, and a cookie of this browser that
    no page of another site can send along."""
    settings, known = settings_of(request), request.cookies.get(FORM, "")
    if not _FORM.fullmatch(known):
        known = secrets.token_urlsafe(32)
        secure = "; Secure" if settings.https else ""
        request.state.cookie = f"{FORM}={known}; HttpOnly; Path=/; SameSite=strict{secure}"
    return keys.digest(settings.store.secret, f"{sso.PREFIX}{name}\0{known}").hex()


def _own_page(request: Request) -> bool:
    # Foreign ones the guard has refused; a program that holds a stolen cookie is no matter of pages.
    return "origin" in request.headers or request.headers.get("sec-fetch-site") == "same-origin"


_bearer = HTTPBearer(auto_error=False, description="A key made by `evenhand monitor keys create`.")


def needs(scope: str) -> Any:
    """The dependency of a route that needs `scope`; it gives the principal."""

    def check(request: Request, _: Annotated[Any, Depends(_bearer)] = None) -> Principal:
        found = who_asks(request)
        found.need(scope)
        return found

    return Depends(check)


DB = Annotated[Store, Depends(store_of)]


def token_of(store: Store, who: Principal) -> str:
    """What a form of this principal carries, which no other site can know."""
    return hmac.new(store.secret, b"form\0" + who.session.encode(), hashlib.sha256).hexdigest()


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form's body.

    Raises:
        BadData: it is no form.
    """
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise BadData("The body is no form.", mend="Use the form on the page.") from None
    return dict(pairs)


def check_form(store: Store, who: Principal, fields: dict[str, str]) -> None:
    """Check that the form was made for `who`.

    Raises:
        NotAllowed: it was not.
    """
    if not hmac.compare_digest(
        token_of(store, who), fields.get("token", "").encode("ascii", "replace").decode()
    ):
        raise NotAllowed("The form is not of this session.", mend="Load the page again and send it anew.")


Work = Callable[..., Any]
