"""The service as a FastAPI application.

To add to the API: write ``api/NAME.py`` with a `router`, and name it in `api.ROUTERS`. To add a page: write
``pages/NAME.py`` with a `Page` (its ``.json`` and ``.csv`` come by themselves) and a template of its name,
and name it in `pages.PAGES`; forms are routers in `pages.FORMS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from evenhand import __version__
from evenhand.monitor.service import api, pages, problems
from evenhand.monitor.service.counters import Counters
from evenhand.monitor.service.guard import Guard
from evenhand.monitor.service.keeping import Kept
from evenhand.monitor.service.limits import Buckets
from evenhand.monitor.users import Throttle
from evenhand.monitor.watching import Watcher
from evenhand.vendored import FOLDER

if TYPE_CHECKING:
    from evenhand.monitor.service.settings import Settings

HERE = Path(__file__).parent


def create_app(settings: Settings) -> FastAPI:
    """The service with `settings`; who makes it closes the store."""
    app = FastAPI(
        title="evenhand monitor",
        version=__version__,
        description="Takes decisions and answers in production, and watches figures of bias by group.",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    app.state.settings = settings
    app.state.counters = Counters()
    app.state.buckets = Buckets(settings.per_second, settings.burst)
    app.state.strangers = Buckets(4 * settings.per_second, 4 * settings.burst)
    app.state.reporters = Buckets(1 / 60, 20)  # reports of one key: 20 at once, then one a minute
    app.state.throttle = Throttle()
    app.state.kept = Kept(settings.keep_seconds)
    # What is done in the transaction of every batch.
    app.state.after = None if settings.policy is None else Watcher(settings.policy).after
    problems.handle(app)
    for router in api.ROUTERS:
        app.include_router(router)
    pages.include(app)
    vendored = GZipMiddleware(StaticFiles(directory=FOLDER), compresslevel=6)
    app.mount("/static/vendored", vendored, name="vendored")
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_middleware(Guard, settings=settings, counters=app.state.counters)
    return app
