"""A report in a real browser, where the machine has one: plots with its script, tables without."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from evenhand import reports
from tests.support import records_factory as make

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


def _shown(html: str, folder: Path) -> str:
    """The page's elements after its scripts ran."""
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom")
    command = (str(CHROMIUM), *options, f"--user-data-dir={folder / 'profile'}", path.as_uri())
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_script_unpacks_the_library_and_draws_every_plot(tmp_path: Path) -> None:
    html = reports.verification_html(make.verification())
    shown = _shown(html, tmp_path)
    plots = html.count('<div class="plot"')
    assert shown.count('class="plot js-plotly-plot"') == plots
    assert '<p class="note" id="unplotted" hidden="">' in shown
    assert shown.count('<details class="figures" data-beside="">') == html.count(" data-beside>")


def test_a_browser_that_cannot_unpack_shows_the_tables(tmp_path: Path) -> None:
    html = reports.verification_html(make.verification()).replace("DecompressionStream", "NoSuchStream")
    shown = _shown(html, tmp_path)
    assert "js-plotly-plot" not in shown
    assert '<p class="note" id="unplotted">' in shown
    assert shown.count('<details class="figures" open=""') == html.count('<details class="figures" open')
