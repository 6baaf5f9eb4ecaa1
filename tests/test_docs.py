"""The pages say what is there: dotted names import, and files that they name exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
NAME = re.compile(r"(?<![\w./-])evenhand(?:\.[A-Za-z_]\w*)+(?![\w/-])")
FILE = re.compile(r"(?<![\w/-])(?:src|perf|tests)/[\w./]+\.\w+")
SOURCE = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
WRITTEN_BY_THE_READER = {"src/evenhand/metrics/they_share.py"}


def _resolve(name: str) -> object:
    """The module, or the attribute of one, that a dotted name stands for."""
    parts = name.split(".")
    found: object = importlib.import_module(parts[0])
    for number, part in enumerate(parts[1:], start=2):
        try:
            found = importlib.import_module(".".join(parts[:number]))
        except ModuleNotFoundError:
            found = getattr(found, part)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_dotted_name_imports(page: Path) -> None:
    wrong = []
    for name in sorted(set(NAME.findall(page.read_text("utf-8")))):
        try:
            _resolve(name)
        except AttributeError:
            if f'group="{name}"' not in SOURCE:  # a group of entry points
                wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_exists(page: Path) -> None:
    named = set(FILE.findall(page.read_text("utf-8"))) - WRITTEN_BY_THE_READER
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_name_that_is_not_there_is_found() -> None:
    assert NAME.findall("`evenhand.nothing.at_all`, evenhand.html, ./evenhand.x") == [
        "evenhand.nothing.at_all",
        "evenhand.html",
    ]
    with pytest.raises(AttributeError):
        _resolve("evenhand.nothing.at_all")
