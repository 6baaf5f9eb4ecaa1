"""Charts for people with scripts: the figures of the SVG, and nothing that a name could bring with it."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any

from evenhand.monitor.service.pages._chart import (
    LETTER,
    RIGHT,
    WIDTH,
    Bound,
    Frame,
    Mark,
    Trace,
    apart,
    draw,
)
from evenhand.monitor.service.pages._plot import MOST, WIDEST, label, plot
from evenhand.vendored import HTMX, PLOTLY
from tests.monitor.service.test_pages import _quick_passwords, log_in  # noqa: F401 - a fixture
from tests.monitor.service.test_pages_over_time import PLACE, fill
from tests.reports.test_figures import plotly_accepts

DAY = date(2026, 3, 1)
FRAME = Frame(DAY, DAY + timedelta(days=2), 0.0, 1.0, [(0.0, "0"), (1.0, "1")])


def figure(*lines: Trace | Bound, marks: tuple[Mark, ...] = (), frame: Frame = FRAME) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plot(draw("title", "about", lines, marks, frame)))
    plotly_accepts(found)
    return found


def test_a_line_its_band_and_its_dots() -> None:
    days = [DAY + timedelta(days=at) for at in range(3)]
    spots = list(zip(days, (0.5, 0.6, 0.7), strict=True))
    limits = [(0.1, 0.9), (None, None), (0.6, 0.8)]
    band, line, dots = figure(Trace("f", spots, limits, [(days[0], 0.4)]))["data"]
    # Along the upper limits and back along the lower ones; a day without limits has no place in it.
    assert band["x"] == ["2026-03-01", "2026-03-03", "2026-03-03", "2026-03-01"]
    assert band["y"] == [0.9, 0.8, 0.6, 0.1]
    assert line["y"] == [0.5, 0.6, 0.7]
    assert line["text"] == ["0.500 [0.100, 0.900]", "0.600", "0.700 [0.600, 0.800]"]
    assert line["meta"] == dots["meta"] == "\u2068f\u2069"
    assert (dots["mode"], dots["y"], dots["text"]) == ("markers", [0.4], ["0.400, this period"])


def test_a_single_day_is_a_dot_with_room_around_it() -> None:
    found = figure(Trace("f", [(DAY, 0.5)]), frame=Frame(DAY, DAY, 0.0, 1.0, []))
    assert [one["mode"] for one in found["data"]] == ["lines", "markers"]
    assert found["layout"]["xaxis"]["range"] == ["2026-02-28T12:00:00", "2026-03-01T12:00:00"]


def test_marks_outside_stand_on_the_edge_and_named_ticks_are_all_there_are() -> None:
    named = Frame(DAY, DAY + timedelta(days=2), -1.0, 2.0, [(-1.0, "1/10"), (2.0, "100")], named=True)
    trace = Trace("f and m", [(DAY, 0.0), (DAY + timedelta(days=2), 1.5)], said=["1", "31.6"])
    marks = (Mark(DAY - timedelta(days=9), "first", "release"), Mark(DAY + timedelta(days=1), "up", "alert"))
    found = figure(trace, Bound("20", [(DAY, 1.3)]), marks=marks, frame=named)
    assert found["data"][0]["text"] == ["1", "31.6"]
    assert found["data"][1]["hoverinfo"] == "skip"
    layout = found["layout"]
    assert (layout["yaxis"]["tickvals"], layout["yaxis"]["ticktext"]) == ([-1.0, 2.0], ["1/10", "100"])
    assert [one["x0"] for one in layout["shapes"]] == ["2026-03-01", "2026-03-02"]
    assert [(one["text"], one["xshift"]) for one in layout["annotations"]] == [("A", 0), ("B", 0)]
    assert [one["line"]["color"] for one in layout["shapes"]] == ["var(--soft)", "var(--bad)"]


def test_letters_do_not_cover_each_other() -> None:
    right = WIDTH - RIGHT
    assert apart([]) == []
    assert apart([50.0, 50.0, 100.0]) == [50.0, 50.0 + LETTER, 100.0]
    assert apart([100.0, right, right]) == [100.0, right - LETTER, right]
    marks = (Mark(DAY - timedelta(days=9), "1", "release"), Mark(DAY - timedelta(days=1), "2", "release"))
    found = figure(Trace("f", [(DAY, 0.5), (DAY + timedelta(days=2), 0.6)]), marks=marks)["layout"]
    assert [one["xshift"] for one in found["annotations"]] == [0, LETTER]


def test_a_name_is_shown_as_it_is_and_leaves_no_attribute() -> None:
    name = "<a href='javascript:x'>\"& %{y}"
    text = str(plot(draw("title", "about", [Trace(name, [(DAY, 0.5)])], [], FRAME)))
    assert not set(text) & set("<>&'")  # it stands in an attribute between single quotes
    assert unescape(text) == text
    line = json.loads(text)["data"][0]
    assert line["meta"] == "\u2068&lt;a href='javascript:x'&gt;\"&amp; %{y}\u2069"
    assert "y" not in line["hovertemplate"].replace("%Y", "")  # no name is a part of the template


def test_a_name_cannot_turn_what_stands_around_it() -> None:
    assert label("x\u2069\u202e\u2029y") == "\u2068x\ufffd\ufffd\ufffdy\u2069"


def test_a_long_name_has_several_lines_and_two_with_one_beginning_differ() -> None:
    first, second = (label(f"{'shared beginning of a name ' * 2}{end}") for end in ("one", "two"))
    assert first != second
    assert first.count("<br>") == 1
    longest = label("x" * 1000)
    assert longest.count("<br>") == MOST - 1
    assert all(len(line) <= WIDEST + 2 for line in longest.split("<br>"))


def test_marks_that_have_no_letter_left_are_counted(client, store) -> None:  # type: ignore[no-untyped-def]
    marks = [Mark(DAY, str(at), "release") for at in range(30)]
    drawn = draw("title", "about", [Trace("f", [(DAY, 0.5)])], marks, FRAME)
    assert (len(drawn.marks), drawn.earlier) == (26, 4)
    for version in range(28):
        fill(store, str(version), range(version, version + 1), {"f": 1, "m": 1}, people=2)
    log_in(client, store)
    page = client.get("/version", params={"use_case": "loans", "model": "scorer"}).text
    assert "2 earlier releases and alerts are not marked." in page


def test_a_page_loads_the_scripts_that_it_needs(client, store) -> None:  # type: ignore[no-untyped-def]
    fill(store, "1", range(3), {"f": 5, "m": 5})
    log_in(client, store)

    def scripts(path: str, **query: str) -> set[str]:
        page = client.get(path, params=query).text
        assert not re.search(r"<script(?![^>]* src=)", page)  # the content policy lets none of them run
        return set(re.findall(r'<script src="/static/([^"]+)"', page))

    own, refreshed = {f"vendored/{PLOTLY.file}", "charts.js"}, {f"vendored/{HTMX.file}", "live.js"}
    assert scripts("/version", **PLACE, attribute="sex") == own
    assert scripts("/group", **PLACE, attribute="sex", group="f") == own
    assert scripts("/overview") == scripts("/alerts") == scripts("/canaries") == refreshed
    assert scripts("/service") == refreshed
    assert scripts("/compare") == scripts("/feedback") == scripts("/audits") == set()
    page = client.get("/version", params={**PLACE, "attribute": "sex"}).text
    plots = [json.loads(one) for one in re.findall("data-plot='([^']*)'", page)]
    assert len(plots) == page.count('<svg viewBox="0 0 460') >= 4
    for one in plots:
        plotly_accepts(one)


def test_a_script_is_kept_and_ours_are_asked_for_again(client) -> None:  # type: ignore[no-untyped-def]
    for file in (HTMX.file, PLOTLY.file):
        found = client.get(f"/static/vendored/{file}")
        assert found.headers["content-encoding"] == "gzip"
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "content-security-policy" in found.headers
    for file in ("charts.js", "live.js", "monitor.css", "plotly.css"):
        assert client.get(f"/static/{file}").headers["cache-control"] == "no-cache"
    assert client.get("/static/vendored/__init__.py").status_code == 404


def test_what_is_refreshed_is_a_part_of_its_own_page(client, store) -> None:  # type: ignore[no-untyped-def]
    log_in(client, store)
    for path in ("/overview", "/alerts", "/canaries", "/service"):
        page = client.get(path).text
        part = re.search(r'<div id="live" data-as-of="([^"]+)" data-alerts="" hx-get="([^"]+)"', page)
        assert part is not None
        assert datetime.fromisoformat(part[1]).tzinfo is not None
        assert part[2] == path
    assert 'hx-select-oob="#live-rest:outerMorph"' in client.get("/alerts").text
    assert client.get("/alerts").text.count('id="live-rest"') == 1


def test_an_error_is_not_kept(client) -> None:  # type: ignore[no-untyped-def]
    """A browser that asked for a script while a release was going on asks again."""
    for path in ("/static/vendored/none.js", "/static/none.js"):
        assert (client.get(path).status_code, client.get(path).headers["cache-control"]) == (404, "no-store")
