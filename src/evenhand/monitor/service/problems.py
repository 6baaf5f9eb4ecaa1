"""Errors of the service: each says what was wrong and how to mend it, as JSON or as a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from evenhand.errors import EnvironmentProblem, EvenhandError, UnknownName, listed
from evenhand.monitor.roles import NotAllowed, NotKnown, NotThere
from evenhand.monitor.store.engine import named_failures
from evenhand.monitor.users import TooMany

log = logging.getLogger("evenhand.monitor")
SHOWN = 5  # problems of one request


class Told(BaseModel):
    """An error: what was wrong, and what to do instead."""

    what: str
    mend: str


class Problem(BaseModel):
    """The body of every answer that is an error."""

    error: Told


RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in (
        (400, "The request is malformed, or its Host is not one of this service."),
        (401, "There is no key and no session, or it has ended."),
        (403, "The key or the user may not do this, or the request comes from another site."),
        (404, "There is nothing here."),
        (413, "The body is too large."),
        (422, "A value is not what belongs there."),
        (429, "Too many requests; Retry-After says when to try again."),
        (503, "The database does not answer, or its disk is full; nothing was stored."),
    )
}
"""What routes of the API declare."""

_CODES: Sequence[tuple[type[EvenhandError], int]] = (
    (NotKnown, 401),
    (NotAllowed, 403),
    (TooMany, 429),
    (UnknownName, 404),
    (NotThere, 404),
    (EnvironmentProblem, 503),
)
_HTTP = {
    400: ("The request is malformed.", "Send JSON as /openapi.json describes it."),
    404: ("There is nothing at this address.", "/openapi.json lists the API."),
    405: ("This address does not take this method.", "/openapi.json lists the API."),
}


def code_of(error: EvenhandError) -> int:
    """The status of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), 422)


def headers_of(error: EvenhandError) -> dict[str, str]:
    """The headers that belong to the status of an error."""
    if isinstance(error, NotKnown):
        return {"WWW-Authenticate": 'Bearer realm="evenhand monitor"'}
    if isinstance(error, TooMany):
        return {"Retry-After": str(error.seconds)}
    return {"Retry-After": "5"} if isinstance(error, EnvironmentProblem) else {}


def answer(code: int, what: str, mend: str, headers: Mapping[str, str] | None = None) -> Response:
    """The JSON of an error."""
    return JSONResponse(
        {"error": {"what": _ascii_safe(what), "mend": _ascii_safe(mend)}}, code, dict(headers or {})
    )


def _ascii_safe(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def handle(app: FastAPI) -> None:
    """Let `app` answer with these errors."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, EvenhandError)
        return answer(code_of(error), error.what, error.mend, headers_of(error))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(422, listed([said(one) for one in error.errors()], SHOWN) + ".", _MEND)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what, mend = _HTTP.get(error.status_code, (str(error.detail), "/openapi.json lists the API."))
        return answer(error.status_code, what, mend, error.headers)

    async def database(_: Request, error: Exception) -> Response:
        try:
            with named_failures():
                raise error
        except EvenhandError as known:
            return answer(code_of(known), known.what, known.mend, headers_of(known))
        except SQLAlchemyError:
            return await unexpected(_, error)

    async def unexpected(_: Request, error: Exception) -> Response:
        # The message of a database's error repeats its parameters, so only its kind is logged.
        log.error("unexpected %s", type(error).__name__)
        return answer(500, "The service failed.", "Report it with the lines of the log.")

    app.add_exception_handler(EvenhandError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(SQLAlchemyError, database)
    app.add_exception_handler(Exception, unexpected)


_MEND = "/openapi.json says what belongs there; nothing of the request was stored."


def said(error: Mapping[str, Any]) -> str:
    """One problem of a value: where it is, and what was wrong; never the value, which may be a text."""
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.get("loc", ())[1:]
    ).lstrip(".")
    message = str(error.get("msg", "")).removeprefix("Value error, ")
    return f"{place or 'the body'}: {message[:1].lower()}{message[1:]}"


def dumps(data: Any) -> str:
    """JSON for an answer; not-a-number cannot be in it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, default=str)
