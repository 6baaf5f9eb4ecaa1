"""Who asks by a header of a proxy: noted before anything else, and never read again.

`Peer` is the outermost layer, for what a connection's own address is must be known before X-Forwarded-For
replaces it. `read` takes the headers of single sign-on out of every request, whoever sent them, and leaves
what is believed of them in the scope, where no client can put anything.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from evenhand.monitor.sso import Identity, SingleSignOn, Unusable, identity

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("evenhand.monitor")
PEER, IDENTITY = "evenhand.peer", "evenhand.identity"
OUTCOMES = ("believed", "nobody", "untrusted", "unusable")


class Peer:
    """Note the address of the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        client = scope.get("client")
        await self.app({**scope, PEER: client[0] if client else ""}, receive, send)


def read(sso: SingleSignOn | None, scope: Scope) -> str:
    """What became of the headers of single sign-on: one of `OUTCOMES`; empty where there were none.

    Without `Peer` nobody is believed.
    """
    scope[IDENTITY] = None
    if sso is None:
        return ""
    own = {one.lower() for one in (sso.header, sso.groups_header) if one}
    given: dict[str, list[bytes]] = {}
    kept, alike = [], False
    for name, value in scope["headers"]:
        text = name.decode("latin-1").lower()
        if text in own:
            given.setdefault(text, []).append(value)
        elif text.replace("_", "-") in own:  # some servers take them for the same: it goes, and says nothing
            alike = True
        else:
            kept.append((name, value))
    scope["headers"] = kept
    if not given and not alike:
        return ""
    if not sso.believes(scope.get(PEER, "")):
        log.warning("single sign-on: a header came from %s, which is no proxy of it", scope.get(PEER) or "-")
        return "untrusted"
    try:
        scope[IDENTITY] = identity(sso, given)
    except Unusable as error:
        log.warning("single sign-on: what a proxy sent cannot be used: %s", error)
        return "unusable"
    return "nobody" if scope[IDENTITY] is None else "believed"


def said(scope: Any) -> Identity | None:
    """Who asks, as a proxy that is believed says; None where none does."""
    found: Identity | None = scope.get(IDENTITY)
    return found
