"""The pages say what is there: names import, files exist, links lead somewhere, commands can be typed."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evenhand.cli import main
from tests.support import pages

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
EVERY = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
FOLDERS = ("adr", "methods", "notebooks")  # each with a list of its pages
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
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


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", head.lower()) for head in heads]
    return {head.strip().replace(" ", "-") for head in kept}


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            dead.append(link)
    assert dead == []


def commands(page: Path) -> Iterator[list[str]]:
    """What follows ``evenhand`` in every command of a page."""
    for line in pages.commands(page.read_text("utf-8")):
        for step in pages.steps(re.sub(r"\$SLURM\w+", "1", pages.BEFORE.sub("", line, count=1))):
            if step.words[0] == "evenhand":
                yield step.words[1:]


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_can_be_typed(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = []
    for command in commands(page):
        if "guestbench" in command:  # tests/plugin installs that package, and types it
            continue
        code = main([*command, "--print-config"])  # reads every option, and does nothing
        said = capsys.readouterr().err
        if code:
            refused.append((shlex.join(command), said))
    assert refused == []


def test_commands_are_found() -> None:
    assert len([one for page in EVERY for one in commands(page)]) > 120


def test_a_line_is_taken_apart_as_a_shell_does() -> None:
    page = """Text.

    sudo -u me A_B=c /opt/evenhand/bin/evenhand ls  # a comment

```sh
evenhand measure openai:http://host/v1#a/b \\
  -b 'honest:k=1' > out && cat out
```

```console
$ python -m evenhand.testing it
passed
```

```python
evenhand
```
"""
    first, second, third = pages.commands(page)
    assert pages.BEFORE.sub("", first) == "evenhand ls"
    assert third == "python -m evenhand.testing it"
    words = ["evenhand", "measure", "openai:http://host/v1#a/b", "-b", "honest:k=1"]
    assert pages.steps(second) == [pages.Step(words, "out"), pages.Step(["cat", "out"])]
    with pytest.raises(AssertionError, match="a shell"):
        pages.steps("evenhand measure a?b&c")


def test_commands_of_the_prose_are_found() -> None:
    page = """Type `evenhand ls`, or `evenhand
plan  lab:causal`; `evenhand verify` is a verb, `verify RUN` is no command, `make docs` is one.

```sh
echo `evenhand ls --json`
```

| as `evenhand ls \\| head -1` | `evenhand ls` | `evenhand gate RUN ...` |
"""
    found = ["evenhand ls", "evenhand plan lab:causal", "make docs", "evenhand ls | head -1"]
    assert pages.spans(page) == [*found, "evenhand gate RUN ..."]
    assert pages.steps(found[-1]) == [pages.Step(["evenhand", "ls", "|", "head", "-1"])]


def test_a_pattern_is_no_command() -> None:
    for line in ("evenhand gate RUN ...", "evenhand ls [KIND]", "evenhand ls metrics|models"):
        assert not pages.is_command(line)
    for line in ("evenhand ls | head -1", "evenhand measure 'hf:a[1]' --why 'a|b ...'"):
        assert pages.is_command(line)


def test_no_command_stands_in_a_block_without_a_language() -> None:
    lost = [
        page.name for page in EVERY for one in pages.blocks(page.read_text("utf-8"), "") if "evenhand " in one
    ]
    assert lost == []


def _pages(nav: Any) -> Iterator[str]:
    for one in nav:
        for place in one.values():
            yield from [place] if isinstance(place, str) else _pages(place)


def test_the_site_has_every_page() -> None:
    with (ROOT / "zensical.toml").open("rb") as file:
        listed = sorted(_pages(tomllib.load(file)["project"]["nav"]))
    assert listed == sorted(
        [*(page.name for page in DOCS.glob("*.md")), *(f"{folder}/README.md" for folder in FOLDERS)]
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_list_of_a_folder_names_each_of_its_pages(folder: str) -> None:
    listed = LINK.findall((DOCS / folder / "README.md").read_text("utf-8"))
    here = {link for link in listed if "/" not in link}
    pages = [page for ending in ("md", "ipynb") for page in (DOCS / folder).glob(f"*.{ending}")]
    assert here >= {page.name for page in pages} - {"README.md"}
