"""The notebooks as they are kept: in order, short, nothing of the machine; and what tells two apart."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.scripts import ROOT, script

PATHS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def notebooks() -> ModuleType:
    return script("docs/notebooks.py")


def _shown(output: dict[str, Any]) -> str:
    return json.dumps(output, ensure_ascii=False)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_kept_notebook(path: Path, notebooks: ModuleType) -> None:
    cells = notebooks.read(path)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert len(path.read_bytes()) < 60_000
    outputs = [output for cell in code for output in cell["outputs"]]
    assert len(outputs) >= 6
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert not re.search(r"/(?:home|root|tmp|work|usr)/|0x[0-9a-f]{6}", "".join(map(_shown, outputs)))
    assert max(len(_shown(output)) for output in outputs) < 9_000
    assert all("text/html" in o["data"] for o in outputs if "data" in o)  # nothing is shown by its bare repr


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_prose_leads_and_says_what_numbers_do_not(path: Path, notebooks: ModuleType) -> None:
    cells = notebooks.read(path)["cells"]
    kinds = [cell["cell_type"] for cell in cells]
    assert kinds[0] == kinds[-1] == "markdown"
    assert "What these numbers do not say" in "".join(cells[-1]["source"])
    for cell in cells:
        for link in LINK.findall("".join(cell["source"])) if cell["cell_type"] == "markdown" else ():
            assert (path.parent / link).exists(), link


def _of(*outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "outputs": list(outputs)}]}


def _printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": [text]}


@pytest.mark.parametrize(
    ("kept", "fresh", "alike"),
    [
        ("gap 0.44 (0.39 to 0.48)", "gap 0.46 (0.41 to 0.50)", True),
        ("gap 0.44", "gap 0.60", False),
        ("gap  0.44\n", "gap 0.44", True),
        ("n 393", "n 392", False),
        ("slope −0.02", "slope 0.01", True),
        ("score 653.3", "score 701.2", True),
        ("score 653.3", "score 953.3", False),
        ("kept: True", "kept: None", False),
        ("p 2.5e-33", "p 1.1e-20", True),
        ("one", "one two", False),
    ],
)
def test_numbers_may_differ_a_little_and_words_and_counts_not(
    kept: str, fresh: str, alike: bool, notebooks: ModuleType
) -> None:
    found = notebooks.differences(_of(_printed(kept)), _of(_printed(fresh)))
    assert (not found) is alike
    assert all(one.startswith("cell 1, stdout: kept ") for one in found)


def test_an_output_more_and_a_warning_are_differences(notebooks: ModuleType) -> None:
    table = {"output_type": "execute_result", "data": {"text/plain": ["1"], "text/html": ["<b>1</b>"]}}
    assert notebooks.differences(_of(table), _of(copy.deepcopy(table))) == []
    said = notebooks.differences(_of(table), _of(table, {**_printed("oh"), "name": "stderr"}))
    assert said == ["cell 1: text/html, text/plain kept, text/html, text/plain, stderr executed"]
    assert notebooks.differences(_of(table), _of()) == [
        "cell 1: text/html, text/plain kept, nothing executed"
    ]
