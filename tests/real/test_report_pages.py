"""Reports as their readers use them, in a real browser: items, blocks, paper, pictures, and no request."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from evenhand import reports
from evenhand.reports import exporting
from evenhand.studies import store
from tests.real.browsing import drawn, listening, with_script
from tests.reports.test_flips import hundred_thousand, turned

pytestmark = pytest.mark.real

OWN = re.compile(r"google|gvt1\.com|gstatic")  # what the browser asks for itself, whatever the page
# Acts once the items are shown, and leaves what it saw in an element.
ACTING = r"""
itemsShown.then(async () => {
  const place = document.querySelector(".browser");
  const seen = () => [place.querySelector("[role=status]").textContent,
    [...place.querySelectorAll("tbody th")].map((cell) => cell.textContent)];
  const controls = Object.fromEntries([...place.querySelectorAll("label")].map(
    (label) => [label.textContent.split(" ")[0], label.querySelector("input, select")]));
  const set = (name, value) => {
    controls[name].value = value;
    controls[name].dispatchEvent(new Event(name === "Search" ? "input" : "change"));
    return seen();
  };
  const rows = document.querySelectorAll(".browser tbody tr").length;
  const found = {first: seen(), rows, hidden: place.hidden};
  const whole = [...controls.Show.options].some((option) => option.value === "all");
  found.all = set("Show", whole ? "all" : "changed");
  found.next = (place.querySelectorAll("button")[1].click(), seen());
  found.search = set("Search", SEARCH);
  found.none = set("Search", "no such thing");
  set("Search", "");
  found.way = set("Show", controls.Show.options[1].value);
  found.slice = set("scale", "0");
  chooseBlock("block.1");
  found.block = document.getElementById("chosen-block").textContent.replace(/\s+/g, " ");
  found.requests = performance.getEntriesByType("resource").length;
  const made = document.createElement("pre");
  made.id = "found";
  made.textContent = JSON.stringify(found);
  document.body.append(made);
});
"""


def _found(dom: str) -> dict[str, object]:
    match = re.search(r'<pre id="found">([^<]*)</pre>', dom)
    assert match, "the script did not end"
    found: dict[str, object] = json.loads(unescape(match[1]))
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_items_are_filtered_searched_and_turned(width: int, browser: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(reports.verification_html(turned()), encoding="utf-8")
    acting = with_script(page, ACTING.replace("SEARCH", '"nurse/word"'))
    dom, _ = drawn(browser, acting, width, tmp_path / "profile")
    found = _found(dom)
    # 24 items have a side, 9 changed it: mobster and nurse by .85, librarian by .6
    status, names = found["first"]  # type: ignore[misc]
    assert (status, found["rows"], found["hidden"]) == ("1 to 9 of 9 items", 9, False)
    assert names[0] == "mobster/word"
    assert found["all"][0] == "1 to 24 of 24 items"  # type: ignore[index]
    assert found["search"] == ["1 to 1 of 1 items", ["nurse/word"]]
    assert found["none"] == ["No such item.", []]
    assert found["way"][0] == "1 to 6 of 6 items"  # type: ignore[index] # she to he: nurse and librarian
    assert found["slice"] == ["1 to 2 of 2 items", ["nurse/phrase", "librarian/phrase"]]
    assert "bmi: rank4 of 4" in str(found["block"])
    assert found["requests"] == 0


def test_100_000_items_show_one_page_of_rows(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(reports.verification_html(hundred_thousand()), encoding="utf-8")
    assert page.stat().st_size < 3_000_000
    acting = with_script(page, ACTING.replace("SEARCH", '"subject 0123"'))
    dom, _ = drawn(browser, acting, 1280, tmp_path / "profile")
    found = _found(dom)
    assert found["rows"] == 25
    assert re.fullmatch(r"26 to 50 of \d+ items", found["next"][0])  # type: ignore[index]


def test_no_request_leaves_the_machine(browser: str, tmp_path: Path) -> None:
    """Every request, were there one, would ask the proxy; a page that asks shows that the proxy sees it."""
    page = tmp_path / "report.html"
    page.write_text(reports.verification_html(turned()), encoding="utf-8")
    asking = tmp_path / "asking.html"
    asking.write_text('<!doctype html><img src="http://example.org/x.png">', encoding="utf-8")
    with listening() as (address, asked):
        proxy = f"--proxy-server=http://{address}"
        drawn(browser, page, 1280, tmp_path / "profile", proxy)
        assert [line for line in asked if not OWN.search(line)] == []
        drawn(browser, asking, 1280, tmp_path / "profile", proxy)
        assert any("example.org" in line for line in asked)


def test_the_page_prints_on_paper(browser: str, tmp_path: Path) -> None:
    page, pdf = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(reports.verification_html(turned()), encoding="utf-8")
    drawn(browser, page, 1280, tmp_path / "profile", f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    data = pdf.read_bytes()
    assert data.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page[^s]", data)) <= 20


@pytest.mark.parametrize(
    ("form", "begins"), [("svg", b"<svg"), ("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF")]
)
def test_plots_become_pictures(form: exporting.Format, begins: bytes, browser: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    store.save_verification(run, turned())
    files = exporting.export(run, tmp_path / "out", form)
    assert [path.name for path in files][:3] == [f"{n}.{form}" for n in ("scales", "professions", "blocks-0")]
    assert all(path.read_bytes().startswith(begins) for path in files)
    assert all(path.stat().st_size > 2000 for path in files)
    if form == "pdf":
        assert all(len(re.findall(rb"/Type\s*/Page[^s]", path.read_bytes())) == 1 for path in files)
