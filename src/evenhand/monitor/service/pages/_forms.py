"""What a form of a page does: check whose it is, do it, and show the page again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from evenhand.errors import EvenhandError
from evenhand.monitor.roles import Principal
from evenhand.monitor.service.access import CHANGED, check_form, fields_of, settings_of, who_asks
from evenhand.monitor.service.pages._page import View, page_of
from evenhand.monitor.service.problems import code_of

AGE = 30  # seconds, more than the age of a page that another replica keeps
Do = Callable[[Principal, Mapping[str, str]], object]


async def acted(request: Request, scope: str, do: Do, back: str) -> Response:
    """Let `do` do what the form of `request` asks for, if who sent it has `scope`, and go `back`.

    What `do` returns is shown instead, where that is an answer. Who did it gets no page for a while that was
    kept from before, also not by another replica.
    """
    fields, settings = await fields_of(request), settings_of(request)

    def work() -> object:
        who = who_asks(request)
        check_form(settings.store, who, fields)
        who.need(scope)
        done = do(who, fields)
        request.app.state.kept.forget()
        return done

    try:
        done = await run_in_threadpool(work)
    except EvenhandError as error:
        facts = {"what": error.what, "mend": error.mend}
        return page_of(request, "problem.html", View("Not done", facts=facts), code=code_of(error))
    answer = done if isinstance(done, Response) else RedirectResponse(back, 303)
    answer.set_cookie(CHANGED, "1", max_age=AGE, httponly=True, samesite="strict", secure=settings.https)
    return answer
