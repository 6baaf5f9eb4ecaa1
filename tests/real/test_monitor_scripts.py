"""The monitor's pages in a browser that runs their scripts: what is refreshed, and what a pointer reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from evenhand.monitor import users
from evenhand.monitor.store import open_store
from tests.real.looked_at import opened
from tests.real.monitored import served
from tests.real.test_monitor_pages import post

pytestmark = pytest.mark.real

HALF_MINUTE = 30_000  # milliseconds
KEPT = 4_000  # milliseconds, after which the service writes a page anew
VERSION = {"use_case": "loans", "model": "scorer", "version": "1"}


def decisions(first: int, count: int) -> list[dict[str, Any]]:
    """Decisions of five days, numbered from `first`."""
    began = datetime.now(UTC) - timedelta(days=5)
    return [
        {
            "prediction_id": str(number),
            "time": (began + timedelta(days=number % 5)).isoformat(),
            **VERSION,
            "decision": int(number % 3 == 0),
            "attributes": {"sex": "<b>f</b>" if number % 2 else "m"},
        }
        for number in range(first, first + count)
    ]


@contextlib.contextmanager
def looking(running: Any, address: str, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page on which time is moved by hand, and all that its scripts say; the content policy holds."""
    visit = running.new_context(**options)
    page, said = visit.new_page(), []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.clock.install()
    page.goto(address)
    page.wait_for_load_state("load")
    yield page, said
    visit.close()


def passes(page: Any, milliseconds: int = HALF_MINUTE) -> None:
    """Let time pass, and what is asked for then come."""
    page.clock.run_for(milliseconds)
    page.wait_for_load_state("networkidle")
    page.clock.run_for(100)


def test_a_page_stays_fresh_and_can_be_stopped(browser: str, tmp_path: Path) -> None:
    with (
        served("--no-auth", "--data", str(tmp_path)) as address,
        opened(browser) as running,
        looking(running, f"{address}/overview") as (page, said),
    ):
        post(f"{address}/v1/events", decisions(0, 20))
        page.wait_for_timeout(KEPT)
        passes(page)
        events = page.locator("main td.number")
        assert events.inner_text() == "20"
        page.locator("main td a").first.focus()
        post(f"{address}/v1/events", decisions(20, 30))
        page.wait_for_timeout(KEPT)
        passes(page)
        assert events.inner_text() == "50"
        assert page.evaluate("document.activeElement.getAttribute('href')").startswith("/version")
        button, asked = page.locator("#live-about button"), []
        page.on("request", lambda sent: asked.append(sent.url))
        button.click()
        assert "no longer refreshed" in page.locator("#live-about").inner_text()
        passes(page, 3 * HALF_MINUTE)
        assert not asked
        button.click()
        passes(page)
        assert asked == [f"{address}/overview"]  # one timer, however often the part was replaced
        assert not said


def test_a_page_that_is_not_fresh_says_so(browser: str, tmp_path: Path) -> None:
    with (
        served("--no-auth", "--data", str(tmp_path)) as address,
        opened(browser) as running,
        looking(running, f"{address}/service") as (page, _),
    ):
        about, spoken = page.locator("#live-about"), page.locator("#live-about [role=status]")
        for answer in (lambda route: route.abort(), lambda route: route.fulfill(status=500, body="x")):
            assert "refreshed every 30 seconds" in about.inner_text()
            before = page.locator("#live").inner_text()
            page.route("**/*", answer)
            passes(page)
            assert "may be out of date" in about.inner_text()
            assert spoken.inner_text() == "This page could not be refreshed."
            assert page.locator("#live").inner_text() == before
            page.unroute("**/*")
            passes(page)


def test_who_is_logged_out_is_asked_to_log_in(browser: str, tmp_path: Path) -> None:
    with contextlib.closing(open_store(tmp_path)) as store:
        users.add(store, "ada", "correct horse battery", "viewer")
    with (
        served("--data", str(tmp_path)) as address,
        opened(browser) as running,
        looking(running, f"{address}/overview") as (page, _),
    ):
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Log in").click()
        page.locator("#live-about button").wait_for()
        page.clock.run_for(100)  # htmx starts after the page
        page.context.clear_cookies()
        page.clock.run_for(HALF_MINUTE)
        page.locator("#password").wait_for()
        assert page.url == f"{address}/login?next=%2Foverview"


def test_a_chart_is_read_with_a_pointer(browser: str, tmp_path: Path) -> None:
    with served("--no-auth", "--data", str(tmp_path)) as address, opened(browser) as running:
        post(f"{address}/v1/events", decisions(0, 100))
        link = f"{address}/version?{urlencode({**VERSION, 'attribute': 'sex'})}"
        with looking(running, link) as (page, said):
            plot = page.locator(".plot").first
            plot.wait_for()
            page.clock.run_for(1000)
            box = plot.bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.clock.run_for(1000)
            shown = plot.locator(".hoverlayer").text_content()
            assert "<b>f</b>: 0." in shown, shown  # as it was sent, and not bold
            assert page.locator("figure.chart svg[role=img]").first.get_attribute("class") == "away"
            for at in range(page.locator("figure.chart").count()):
                page.locator("figure.chart").nth(at).scroll_into_view_if_needed()
                page.clock.run_for(500)
            assert page.locator(".js-plotly-plot").count() == page.locator("figure.chart").count() > 3
            assert not said  # no style or script that the content policy refused
        with looking(running, link, java_script_enabled=False) as (page, _):
            assert page.locator("figure.chart svg[role=img]").first.bounding_box()["height"] > 100
            assert not page.locator(".with-script, .live").first.is_visible()
