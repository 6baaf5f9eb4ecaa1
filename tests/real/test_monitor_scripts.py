"""The monitor's pages in a browser that runs their scripts: what is refreshed, and what a pointer reads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import pytest

from evenhand.decimals import fixed
from evenhand.monitor import users
from evenhand.monitor.store import open_store
from tests.real.looked_at import opened
from tests.real.monitored import served
from tests.real.test_monitor_pages import post, read

pytestmark = pytest.mark.real

HALF_MINUTE = 30_000  # milliseconds
GROUP = "<b>\u05e9\u05dc\u05d5\u05dd</b> %{y}"
HOVER = """([group, at]) => {
  const place = document.querySelector(".js-plotly-plot");
  const own = (one) => one.mode === "lines" && one.text && one.meta.includes("%{y}");
  window.Plotly.Fx.hover(place, [{curveNumber: place.data.findIndex(own), pointNumber: at}]);
}"""
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
            "attributes": {"sex": GROUP if number % 2 else "m"},
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
    waiting = _waiting[page] = set[Any]()
    page.on("request", lambda sent: waiting.add(sent))  # noqa: PLW0108 - playwright marks what it is given
    for ended in ("requestfinished", "requestfailed"):
        page.on(ended, lambda sent: waiting.discard(sent))  # noqa: PLW0108
    page.clock.install()
    page.goto(address)
    page.wait_for_load_state("load")
    yield page, said
    visit.close()


_waiting: WeakKeyDictionary[Any, set[Any]] = WeakKeyDictionary()  # the requests of a page without an answer


def passes(page: Any, milliseconds: int = HALF_MINUTE) -> None:
    """Let time pass, and what is asked for then come."""
    page.clock.run_for(milliseconds)
    page.wait_for_timeout(300)
    while _waiting[page]:
        page.wait_for_timeout(50)
    page.clock.run_for(200)
    page.wait_for_timeout(100)


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
        # At once, and by one timer, however often the part was replaced.
        assert asked == [f"{address}/overview"] * 2
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
            assert spoken.inner_text().startswith("This page: could not be refreshed since")
            page.locator("#live-about button").click()  # stopping it hides nothing
            assert "may be out of date" in about.inner_text()
            page.locator("#live-about button").click()
            assert page.locator("#live").inner_text() == before
            page.unroute("**/*")
            passes(page)


def test_a_page_that_was_not_looked_at_is_refreshed_before_it_looks_fresh(
    browser: str, tmp_path: Path
) -> None:
    with (
        served("--no-auth", "--data", str(tmp_path)) as address,
        opened(browser) as running,
        looking(running, f"{address}/service") as (page, _),
    ):
        about, states = page.locator("#live-about"), "Object.defineProperty(document, 'hidden', {{value: {}, "
        seen = "configurable: true}}); document.dispatchEvent(new Event('visibilitychange'))"
        page.evaluate((states + seen).format("true"))
        passes(page, 10 * HALF_MINUTE)
        page.route("**/*", lambda route: None)  # an answer that does not come
        page.evaluate((states + seen).format("false"))
        assert "being refreshed now" in about.inner_text()
        page.clock.run_for(HALF_MINUTE)
        assert "may be out of date" in about.inner_text()


def test_who_is_logged_out_is_told_and_loses_no_text(browser: str, tmp_path: Path) -> None:
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
        about = page.locator("#live-about")
        about.locator("button").wait_for()
        page.clock.run_for(100)  # htmx starts after the page
        shown = page.locator("#live").inner_text()
        # A proxy that signs people in may give its own page under our address.
        page.route("**/*", lambda route: route.fulfill(status=200, content_type="text/html", body="Sign in"))
        passes(page)
        assert "no longer signed in" in about.inner_text()
        page.unroute("**/*")
        passes(page)
        assert "refreshed every 30 seconds" in about.inner_text()
        page.context.clear_cookies()
        passes(page)
        assert "no longer signed in" in about.inner_text()
        assert page.locator("#live").inner_text() == shown


POLICY = """
name = "credit"
minimum = 10

[[rule]]
indicator = "selection_rate"
attribute = "sex"
tolerance = {ratio = 0.8}
"""


def test_an_alert_that_comes_is_on_the_page_and_answered_by_keyboard(browser: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    with (
        served("--no-auth", "--data", str(tmp_path / "data"), "--policy", str(policy)) as address,
        opened(browser) as running,
        looking(running, f"{address}/alerts") as (page, said),
    ):
        assert "Nothing is judged yet" in page.locator("#live").inner_text()
        began = datetime.now(UTC) - timedelta(days=11)
        for day in range(10):
            events = decisions(1000 * day, 80)
            for number, one in enumerate(events):
                one["time"] = (began + timedelta(days=day)).isoformat()
                one["attributes"] = {"sex": "fm"[number % 2]}
                one["decision"] = number % 2 or int(number % 8 == 0)
            post(f"{address}/v1/events", events)
        page.wait_for_timeout(KEPT)
        passes(page)
        assert "Open alert:" in page.locator("#live").inner_text()
        assert "alert" in page.locator("#live-rest td").first.inner_text()
        assert page.locator("#live-about [role=status]").inner_text() == "Open alerts: 1."
        assert page.locator("#live-changed").is_visible()

        def to(found: str) -> None:
            """Press the tabulator until what has the focus is `found`."""
            for _ in range(40):
                page.keyboard.press("Tab")
                if page.evaluate(f"document.activeElement.matches({found!r})"):
                    return
            raise AssertionError(f"no tabulator leads to {found}")

        page.reload()
        page.locator("#live-about button").wait_for()
        page.clock.run_for(100)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        to("textarea")
        page.keyboard.type("a release was withdrawn")
        passes(page)
        assert page.locator("textarea").input_value() == "a release was withdrawn"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("No alert is open.").wait_for()
        assert "a release was withdrawn" in page.locator("#live-rest").inner_text()
        assert not said


def test_a_chart_is_read_with_a_pointer(browser: str, tmp_path: Path) -> None:
    with served("--no-auth", "--data", str(tmp_path)) as address, opened(browser) as running:
        post(f"{address}/v1/events", decisions(0, 100))
        link = f"{address}/version?{urlencode({**VERSION, 'attribute': 'sex'})}"
        with looking(running, link) as (page, said):
            page.locator(".plot").first.wait_for()
            page.clock.run_for(1000)
            table = json.loads(read(link.replace("/version?", "/version.json?")))["history"]
            rates = [one for one in table if (one["indicator"], one["group"]) == ("Selection rate", GROUP)]
            assert len(rates) == 5
            for at, one in enumerate(rates):
                page.evaluate(HOVER, [GROUP, at])
                page.clock.run_for(1000)
                shown = page.locator(".plot .hoverlayer").first.text_content()
                mean, low, high = (fixed(one[name]) for name in ("mean since the first day", "low", "high"))
                # As it was sent: neither bold nor a template, and before the figures in any direction.
                assert shown == f"\u2068{GROUP}\u2069{one['to day']}: {mean} [{low}, {high}]"
            assert page.locator("figure.chart svg[role=img]").first.get_attribute("class") == "away"
            for at in range(page.locator("figure.chart").count()):
                page.locator("figure.chart").nth(at).scroll_into_view_if_needed()
                page.clock.run_for(500)
            assert page.locator(".js-plotly-plot").count() == page.locator("figure.chart").count() > 3
            assert not said  # no style or script that the content policy refused
        with looking(running, link, java_script_enabled=False) as (page, _):
            assert page.locator("figure.chart svg[role=img]").first.bounding_box()["height"] > 100
            assert not page.locator(".with-script, .live").first.is_visible()
