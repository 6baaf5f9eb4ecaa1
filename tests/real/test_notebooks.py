"""The notebooks, executed: no cell fails, and what they show is what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scripts import ROOT, script

pytestmark = pytest.mark.real

PATHS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_three() -> None:
    assert len(PATHS) >= 3


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_kept(path: Path) -> None:
    notebooks = script("docs/notebooks.py")
    kept = notebooks.read(path)
    assert notebooks.differences(kept, notebooks.executed(kept)) == []
