"""Before and after every route: Host, Origin, size of the body; headers, counters and one line of log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from evenhand.monitor.service.problems import answer
from evenhand.monitor.service.signing_on import read

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from evenhand.monitor.service.counters import Counters
    from evenhand.monitor.service.settings import Settings

log = logging.getLogger("evenhand.monitor")
MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


LINGER_TIMES = 4  # the limit: so much of a body that is too large is read, and thrown away
LINGER_SECONDS = 10.0


class TooLarge(Exception):
    """The body is larger than it may be."""


class Guard:
    """The outermost layer of the service."""

    def __init__(self, app: ASGIApp, settings: Settings, counters: Counters) -> None:
        self.app, self.settings, self.counters = app, settings, counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, started = time.monotonic(), [500], [False]

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0], started[0] = message["status"], True
                headers = MutableHeaders(scope=message)
                _protect(headers, scope["path"], message["status"])
                if cookie := scope.get("state", {}).get("cookie"):
                    headers.append("Set-Cookie", cookie)
            await send(message)

        try:
            refused = self._refused(scope) or self._signed_on(scope)
            if refused is not None:
                await refused(scope, receive, sent)
            elif (length := _length(scope)) > self.settings.body_limit:
                await self._too_large(scope, receive, sent, length=length)
            else:
                await self._bounded(scope, receive, sent, started)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            seconds = time.monotonic() - began
            self.counters.request(_method(scope), route, status[0], seconds)
            who = scope.get("state", {}).get("who", "-")
            log.info("%s %s %d %.0f ms %s", _method(scope), route, status[0], 1000 * seconds, who)

    def _refused(self, scope: Scope) -> Any:
        """The refusal of a request that no route should see, or None."""
        headers = Headers(scope=scope)
        if (name := host_of(headers.get("host", ""))) not in self.settings.hosts:
            return answer(
                400,
                f"This service does not answer under the name {name[:100]!r}.",
                "Use its own name, or start it with --allow-host NAME.",
            )
        if scope["method"] in MUTATING and foreign(headers):
            return answer(
                403,
                "This request comes from a page of another site.",
                "Use the pages of this service, or send it from a program.",
            )
        return None

    def _signed_on(self, scope: Scope) -> Any:
        """The refusal of a request that a proxy made ambiguous, or None; who asks is noted."""
        outcome = read(self.settings.sso, scope)
        if outcome:
            self.counters.signed_on(outcome)
        if outcome != "unusable":
            return None
        return answer(
            400,
            "The proxy does not say clearly who asks.",
            "Let it replace what a client sends under the headers of single sign-on; the log says more.",
        )

    async def _too_large(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        length: int,
        more: bool = True,
        first: bool = True,
    ) -> None:
        """Refuse a body of `length` bytes, of which `more` will come; `first`, before any was read.

        The rest of it is read first, for a client or a proxy that still sends when the connection is closed
        finds the connection broken, and no answer: it would send the same batch again. A body that would take
        too long is not waited for.
        """
        most = LINGER_TIMES * self.settings.body_limit
        # Who asks first is not sending yet, unless a part of the body was read, which said that it may.
        waits = first and Headers(scope=scope).get("expect", "").lower() == "100-continue"
        heard = not waits and length <= most and (not more or await _thrown_away(receive, most))
        refused = answer(
            413,
            f"The body is larger than {self.settings.body_limit} bytes.",
            "Send smaller batches.",
            None if heard else {"Connection": "close"},
        )
        await refused(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, started: list[bool]) -> None:
        """Run the service on a body that is counted while it comes in."""
        read = 0
        over = more = False

        async def counted() -> Message:
            nonlocal read, over, more
            message = await receive()
            if message["type"] == "http.request":
                read, more = read + len(message.get("body", b"")), message.get("more_body", False)
                if read > self.settings.body_limit:
                    over = True
                    raise TooLarge
            return message

        async def unless_over(message: Message) -> None:
            if not over:  # whatever the framework made of the broken body
                await send(message)

        try:
            await self.app(scope, counted, unless_over)
        except Exception:
            if not over:
                raise
        if over and not started[0]:
            await self._too_large(scope, receive, send, length=read, more=more, first=False)


async def _thrown_away(receive: Receive, most: int) -> bool:
    """Whether the rest of a body came in, with at most `most` bytes and in time."""
    read = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while read <= most:
                message = await receive()
                if message["type"] != "http.request":
                    return False
                if not message.get("more_body"):
                    return True
                read += len(message.get("body", b""))
    except TimeoutError:
        pass
    return False


def _length(scope: Scope) -> int:
    """The size of the body that the request names, 0 where it names none."""
    text = Headers(scope=scope).get("content-length", "")
    return int(text[:20]) if text.isascii() and text.isdigit() else 0


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in MUTATING or method in ("GET", "HEAD", "OPTIONS") else "other"


def _protect(headers: MutableHeaders, path: str, status: int) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    kept = "no-store"
    if status < 400 and path.startswith("/static/vendored/"):
        kept = "public, max-age=31536000, immutable"  # their names hold their versions
    elif status < 400 and path.startswith("/static/"):
        kept = "no-cache"  # asked for again with each page: a new version may bring others
    headers.setdefault("Cache-Control", kept)


def host_of(text: str) -> str:
    """The name in a Host header, in small letters and without its port."""
    text = text.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def foreign(headers: Headers) -> bool:
    """Whether a browser says that the request comes from a page of another site."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc.lower() != headers.get("host", "").strip().lower()
        except ValueError:
            return True
    return headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
