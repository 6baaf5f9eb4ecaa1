"""The commands of the first pages, run one after the other in an empty folder as a reader types them.

Only their size is smaller: the option of a trial is added where a command has it. `tests/test_docs.py` types
those of all other pages without running them.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from evenhand.cli import main
from tests.test_docs import ROOT, SHELL

pytestmark = pytest.mark.real

TRIAL = {
    "measure": ["--limit", "24"],
    "verify": ["--limit", "24", "--control", "none"],
}
AGAIN = "verify kept/"  # judged anew, a stored run refuses other options
NO_NETWORK = {"docs/tutorial.md": ["evenhand verify hf:org/base --treated hf:./ours"], "README.md": []}
NEEDS_A_FILE = ("audit people.csv", "study run study.toml", "lint table.csv", "monitor serve")
CODES = {"gate": {0, 1, 3}, "verify": {0, 3}}  # what a trial finds is not the point here


def lines(page: str) -> list[str]:
    """The commands of a page, in order and without what a comment adds."""
    found = []
    for block in SHELL.findall((ROOT / page).read_text("utf-8")):
        words = [shlex.split(line, comments=True) for line in block.replace("\\\n", " ").split("\n")]
        found += [shlex.join(line) for line in words if line[:1] == ["evenhand"]]
    return [line for line in found if not line.startswith(tuple(f"evenhand {one}" for one in NEEDS_A_FILE))]


@pytest.mark.parametrize("page", NO_NETWORK)
def test_a_page_from_its_first_command_to_its_last(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    skipped, wrong = [], []
    for line in lines(page):
        if re.search(r"hf:\w+/", line):
            skipped.append(line)
            continue
        words = shlex.split(line)[1:]
        more = [] if line.startswith(f"evenhand {AGAIN}") else TRIAL.get(words[0], [])
        code = main([*words, *more])
        if code not in CODES.get(words[0], {0}):
            wrong.append((line, code))
    assert wrong == []
    assert skipped == NO_NETWORK[page]
    assert len(lines(page)) > 6
