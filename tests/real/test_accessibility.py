"""Reports as people see them: by keyboard and screen reader, on a phone, in the dark, without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

import evenhand
from evenhand import reports
from tests.real.looked_at import faults, opened
from tests.reports.test_flips import turned
from tests.support import records_factory as make

SAVED = Path(__file__).parents[1] / "golden" / "saved"
TABLE = "sex,race,income\n" + "".join(
    f"{sex},{race},{int((i % 3 == 0) == (sex == 'f'))}\n"
    for i in range(60)
    for sex in "fm"
    for race in ("a", "b")
)

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page of every kind of report."""
    from evenhand.cli import main

    folder = tmp_path_factory.mktemp("pages")
    made = {name: evenhand.report(SAVED / name, folder / f"{name}.html") for name in ("run", "measured")}
    (folder / "people.csv").write_text(TABLE, encoding="utf-8")
    audit = ["audit", str(folder / "people.csv"), "--sensitive", "sex,race", "--target", "income"]
    assert main([*audit, "--html", str(folder / "audit.html")]) == 0
    whole = {
        "items": reports.verification_html(turned()),
        "location": reports.location_html("lab:causal", [make.location("ablation", specific=True)]),
    }
    for name, text in whole.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {**made, **{name: folder / f"{name}.html" for name in ("audit", *whole)}}


@pytest.mark.parametrize("name", ["run", "measured", "audit", "items", "location"])
def test_a_report_can_be_used_by_everybody(name: str, browser: str, pages: dict[str, Path]) -> None:
    with opened(browser) as running:
        assert not faults(running, pages[name].as_uri())


def test_what_is_looked_for_is_found(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><html><title>x</title><img src='http://example.invalid/x.png'>"
        "<p style='width:2000px'>x</p><script>nothing()</script></html>",
        encoding="utf-8",
    )
    with opened(browser) as running:
        said = "\n".join(faults(running, page.as_uri()))
    for sign in ("it asked http://example.invalid", "a script failed", "px wide", "alternative text", "lang"):
        assert sign in said, sign
