"""One HTTP exchange with a limit for its total time and for the bytes of the answer.

A socket's own timeout restarts at every byte, so a server that sends one byte now and then would never time
out. Here a timer closes the connection when the time of the whole exchange is over.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

MOST = 32_000_000  # bytes of an answer: about a thousand times the size of a text of ten thousand tokens
_MOST_OF_AN_ERROR = 10_000
_CHUNK = 65_536


class Late(Exception):
    """The answer was not complete in time."""


class TooLong(Exception):
    """The answer has more bytes than the bound."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, also if its status is an error."""

    status: int
    reason: str
    headers: Message
    body: bytes


class Wire:
    """Sends requests, several at once from several threads; nothing is redirected."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._opener = build_opener(_NoRedirect(), _Plain(self._own), _Secure(self._own))

    def exchange(self, request: Request, seconds: float, most: int = MOST) -> Reply:
        """The answer to one request, within `seconds` in all.

        Raises:
            Late, TooLong: see these classes.
            URLError, OSError, HTTPException: the server cannot be reached, or the answer is incomplete.
        """
        with _watched(self._own, seconds) as watch:
            try:
                reply = self._read(request, seconds, most)
            except (OSError, HTTPException, ValueError, AttributeError) as error:
                reason = error.reason if isinstance(error, URLError) else error
                # A connection that is closed under a reader fails in any of these ways.
                if watch.late or isinstance(reason, TimeoutError):
                    raise Late from None
                raise
            if watch.late:  # an answer without a length looks complete when it is cut
                raise Late
            return reply

    def _read(self, request: Request, seconds: float, most: int) -> Reply:
        try:
            with self._opener.open(request, timeout=seconds) as response:
                return Reply(response.status, response.reason, response.headers, _bounded(response, most))
        except HTTPError as error:
            with error:
                return Reply(error.code, str(error.reason), error.headers, _start(error))


def _bounded(response: HTTPResponse, most: int) -> bytes:
    if (response.length or 0) > most:
        raise TooLong
    parts: list[bytes] = []
    size = 0
    while part := response.read(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > most:
            raise TooLong
    if response.length:
        raise HTTPException("fewer bytes than announced")
    return b"".join(parts)


def _start(error: HTTPError) -> bytes:
    try:
        return error.read(_MOST_OF_AN_ERROR)
    except (OSError, HTTPException):
        return b""


class _Watch:
    """Knows the connections of one exchange and closes them when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._close)
        self._timer.daemon = True
        self._timer.start()

    def connect(self, address: tuple[str, int], timeout: Any, source: Any = None) -> socket.socket:
        left = max(0.001, self._end - time.monotonic())
        made = socket.create_connection(address, left, source)
        with self._lock:
            # TLS takes over the socket; a second handle to the same connection can still close it.
            self._twins.append(made.dup())
            if self.late:
                made.close()
                raise TimeoutError
        return made

    def _close(self) -> None:
        with self._lock:
            self.late = True
            for twin in self._twins:
                try:
                    twin.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the server was faster

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            for twin in self._twins:
                twin.close()
            self._twins.clear()


@contextmanager
def _watched(own: threading.local, seconds: float) -> Iterator[_Watch]:
    own.watch = watch = _Watch(seconds)
    try:
        yield watch
    finally:
        watch.end()


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirects: they would send the prompts and the key to an address the user did not name."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class _Plain(HTTPHandler):
    def __init__(self, own: threading.local) -> None:
        super().__init__()
        self._own = own

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_connecting(HTTPConnection, self._own.watch), request)


class _Secure(HTTPSHandler):
    def __init__(self, own: threading.local) -> None:
        super().__init__()
        self._own = own

    def https_open(self, request: Request) -> HTTPResponse:
        secure: Any = self
        return self.do_open(_connecting(HTTPSConnection, self._own.watch), request, context=secure._context)


def _connecting(kind: type[HTTPConnection], watch: _Watch) -> Any:
    """A factory of connections of this kind that the watch can close."""

    def make(host: str, **options: Any) -> HTTPConnection:
        connection: Any = kind(host, **options)
        connection._create_connection = watch.connect
        made: HTTPConnection = connection
        return made

    return make
