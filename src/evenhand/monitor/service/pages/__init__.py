"""The pages: one `Page` a file; `PAGES` names them all, `FORMS` the routers of forms."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse

from evenhand.monitor.service.pages import (
    alerts,
    audits,
    compare,
    feedback,
    group,
    health,
    keys,
    logging_in,
    overview,
    public,
    version,
)
from evenhand.monitor.service.pages._page import Page, add

PAGES: tuple[Page, ...] = (
    overview.page,
    alerts.page,
    version.page,
    group.page,
    compare.page,
    feedback.page,
    feedback.probes,
    public.page,
    audits.page,
    keys.page,
    health.page,
)
FORMS: tuple[APIRouter, ...] = (
    logging_in.router,
    alerts.router,
    feedback.router,
    keys.router,
    public.router,
)


def include(app: FastAPI) -> None:
    """Add every page and form to `app`."""
    app.get("/", include_in_schema=False)(_first)
    for page in PAGES:
        add(app, page, PAGES)
    for router in FORMS:
        app.include_router(router, include_in_schema=False)


def _first() -> RedirectResponse:
    return RedirectResponse(PAGES[0].path, 303)
