"""Reports for everybody: contrast of every pair of colours, headings in order, tables with headers."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import pairwise

import pytest

from evenhand import reports
from tests.reports.test_flips import turned
from tests.reports.test_report import Page
from tests.support import records_factory as make

STYLE = files("evenhand").joinpath("reports/templates/style.css").read_text("utf-8")
COLOUR = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6})")
LIGHT, _, _REST = STYLE.partition("@media (prefers-color-scheme: dark)")
MODES = {"light": dict(COLOUR.findall(LIGHT))}
MODES["dark"] = MODES["light"] | dict(COLOUR.findall(_REST.split("* { box-sizing")[0]))
TONES = ("good", "mixed", "bad", "neutral")
TEXTS = [
    *((text, ground) for text in ("ink", "soft", "before", "after") for ground in ("page", "card")),
    *((tone, ground) for tone in TONES for ground in (f"{tone}-tint", "card")),
    *(("ink", f"{tone}-tint") for tone in TONES),
    ("soft", "mixed-tint"),
    ("card", "ink"),  # a pressed button
]
MARKS = [(f"family{i}", "card") for i in (1, 2, 3, 4)] + [("muted", "card"), ("after", "page")]


def _luminance(colour: str) -> float:
    """WCAG 2: the relative luminance of ``#rrggbb``."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2: the contrast ratio of two colours, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_the_published_one() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the well-known near miss


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_can_be_read(mode: str, text: str, ground: str) -> None:
    assert contrast(MODES[mode][text], MODES[mode][ground]) >= 4.5


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(("mark", "ground"), MARKS)
def test_marks_and_focus_can_be_seen(mode: str, mark: str, ground: str) -> None:
    assert contrast(MODES[mode][mark], MODES[mode][ground]) >= 3


def test_what_takes_the_keyboard_shows_its_focus() -> None:
    (rule,) = [block for block in STYLE.split("}") if "outline: 3px" in block]
    shown = set(re.findall(r"([.\w]+):focus-visible", rule))
    assert {"button", "summary", "input", "select", ".scroll", ".panel"} <= shown
    assert "outline: none" not in STYLE
    assert "outline: 0" not in STYLE


def _pages() -> dict[str, str]:
    record = turned()
    return {
        "verification": reports.verification_html(record),
        "measurements": reports.measurements_html(record.before),
        "location": reports.location_html("lab:causal", [make.location("ablation", specific=True)]),
    }


PAGES = {name: Page(text) for name, text in _pages().items()}


@pytest.mark.parametrize("name", list(PAGES))
def test_headings_are_in_order(name: str) -> None:
    levels = [int(tag[1]) for tag, _ in PAGES[name].tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", list(PAGES))
def test_tables_have_headers_and_names(name: str) -> None:
    tags = PAGES[name].tags
    count = [tag for tag, _ in tags].count
    assert count("table") == count("caption") == count("thead")
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in tags if tag == "th")
    regions = [attrs for _, attrs in tags if attrs.get("class") == "scroll"]
    assert regions
    assert all(attrs.get("aria-label") and attrs.get("tabindex") == "0" for attrs in regions)


@pytest.mark.parametrize("name", list(PAGES))
def test_every_name_that_is_pointed_at_is_there(name: str) -> None:
    tags = PAGES[name].tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for key in ("aria-labelledby", "data-items", "data-instead", "data-figures"):
        assert {str(attrs[key]) for _, attrs in tags if key in attrs} <= set(map(str, ids)), key


@pytest.mark.parametrize("name", list(PAGES))
def test_pictures_have_a_text_and_a_table(name: str) -> None:
    pictures = [attrs for _, attrs in PAGES[name].tags if attrs.get("role") == "img"]
    assert pictures
    assert all(attrs.get("aria-label") for attrs in pictures)
    assert "The same figures as a table" in PAGES[name].text
