"""Every kind of report in a real browser: all plots are drawn, no script fails, no network is asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evenhand
from tests.real.browsing import drawn

SAVED = Path(__file__).parents[1] / "golden" / "saved"
PLOT = re.compile(r'<div class="plot[^"]*" id="plot-([^"]+)"')
FAILED = re.compile(r"Uncaught|Refused to|Failed to load resource|net::ERR")

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", ["run", "measured"])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_plot_of_a_report_is_drawn(name: str, width: int, browser: str, tmp_path: Path) -> None:
    page = evenhand.report(SAVED / name, tmp_path / "report.html")
    dom, log = drawn(browser, page, width, tmp_path / "profile")
    plots = PLOT.findall(dom)
    assert plots, "the report has no plot at all"
    for plot in plots:
        start = dom.index(f'id="plot-{plot}"')
        assert 'class="main-svg"' in dom[start : start + 4000], f"{plot} is not drawn"
    assert not FAILED.search(log), FAILED.findall(log)
