"""Figures for papers: which plots there are, their colours, and what is never written over."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from evenhand import cli
from evenhand.errors import BadData, EnvironmentProblem
from evenhand.reports import chromium, exporting, figures
from evenhand.studies import store
from tests.support import records_factory as make

GOLDEN = Path(__file__).parents[1] / "golden" / "saved"
SVG = '<svg width="840" height="300"><text>é &amp; "x"</text></svg>'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    store.save_verification(folder, make.verification())
    return folder


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A browser that draws the same picture for every figure; the pages that it was given."""
    pages: list[str] = []

    def dom(page: Path, work: Path) -> str:
        pages.append(page.read_text())
        drawn = pages[-1].count('"layout"')
        text = quote(SVG).replace("&", "&amp;")
        return "".join(f'<pre id="picture-{i}">data:image/svg+xml,{text}</pre>' for i in range(drawn))

    monkeypatch.setattr(chromium, "found", lambda: "chromium")
    monkeypatch.setattr(chromium, "dom", dom)
    return pages


def test_every_plot_of_the_report_has_a_file(run: Path, tmp_path: Path, browser: list[str]) -> None:
    files = exporting.export(run, tmp_path / "out")
    # the report's five plots: see `test_report.test_language_headings_and_alternatives`
    names = ["scales", "professions", "blocks-0", "control-0-loss", "control-1-loss"]
    assert [path.name for path in files] == [f"{name}.svg" for name in names]
    assert all(path.read_text() == SVG for path in files)
    assert len(browser) == 1
    assert "var(--" not in browser[0].split("const figures")[1]


def test_measurements_have_their_plots(tmp_path: Path, browser: list[str]) -> None:
    names = [path.name for path in exporting.export(GOLDEN / "measured", tmp_path / "out")]
    assert "scales-0.svg" in names


def test_the_same_command_again_replaces_its_own_files_and_no_others(
    run: Path, tmp_path: Path, browser: list[str]
) -> None:
    out = tmp_path / "out"
    exporting.export(run, out)
    exporting.export(run, out)
    (out / "scales.svg").write_text("mine")
    with pytest.raises(BadData, match="is not replaced"):
        exporting.export(run, out)
    assert (out / "scales.svg").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "blocks-0.svg").write_text("mine")
    with pytest.raises(BadData, match="evenhand did not write it"):
        exporting.export(run, other)
    assert [path.name for path in other.iterdir()] == ["blocks-0.svg"]


def test_without_a_browser_nothing_is_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    out = tmp_path / "out"
    assert cli.main(["report", str(run), "--figures", str(out)]) == 4
    said = " ".join(capsys.readouterr().err.split())
    assert "Pictures are drawn by Chromium" in said
    assert "Install chromium" in said
    assert not out.exists()


def test_a_browser_that_draws_nothing_is_an_error(
    run: Path, tmp_path: Path, browser: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium, "dom", lambda page, work: "<html></html>")
    with pytest.raises(EnvironmentProblem, match="did not draw"):
        exporting.export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_files_are_named_on_the_command_line(
    run: Path, tmp_path: Path, browser: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(run), "--figures", str(tmp_path / "out"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["figures"]) == 5


def test_pictures_are_read_as_the_browser_gives_them() -> None:
    png = base64.b64encode(b"\x89PNG").decode()
    shown = f'<pre id="picture-0">data:image/png;base64,{png}</pre>'
    assert exporting._picture(shown, 0, "png") == b"\x89PNG"


def test_colours_are_those_of_the_light_page() -> None:
    colours = exporting.light()
    assert colours["--before"] == "#b4530f"
    drawn = exporting.coloured(figures.blocks(make.location()), colours)
    assert drawn["data"][0]["marker"]["color"][-1] == colours["--after"]  # block.3 is on top
    assert drawn["layout"]["paper_bgcolor"] == "#ffffff"
