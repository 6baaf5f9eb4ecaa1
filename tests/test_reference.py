"""The generated reference: what is said of a stale page, and that the page follows from the source alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from evenhand import registry
from tests.support.scripts import ROOT, script

OPTIONAL = (
    "torch",
    "transformers",
    "peft",
    "safetensors",
    "huggingface_hub",
    "fairlearn",
    "sklearn",
    "lm_eval",
)


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, writing into an empty folder."""
    module = script("docs/reference.py")
    monkeypatch.setattr(module, "PAGE", tmp_path / "reference.md")
    return module


def _run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setattr(sys, "argv", ["reference.py", *argv])
    code = module.main()
    assert isinstance(code, int)
    return code


def test_what_was_just_written_passes(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(reference, monkeypatch) == 0
    capsys.readouterr()
    assert _run(reference, monkeypatch, "--check") == 0
    assert capsys.readouterr() == ("", "")


def test_a_stale_page_fails_with_what_differs_and_is_left_alone(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(reference, monkeypatch)
    text = reference.PAGE.read_text(encoding="utf-8")
    stale = text.replace("- `drop_first=bool (default False)`", "- `drop_first=bool (default True)`")
    assert stale != text
    reference.PAGE.write_text(stale, encoding="utf-8")
    capsys.readouterr()
    assert _run(reference, monkeypatch, "--check") == 1
    said = capsys.readouterr().err
    assert "reference.md is not what the cards in the source say. Write it anew: make docs" in said
    assert "\n-- `drop_first=bool (default True)`\n+- `drop_first=bool (default False)`\n" in said
    assert len(said.splitlines()) < 10
    assert reference.PAGE.read_text(encoding="utf-8") == stale


def test_an_absent_page_fails_and_the_difference_is_cut(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(reference, monkeypatch, "--check") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 + reference.SHOWN + 1
    assert said[-1].endswith("more lines")
    assert not reference.PAGE.exists()


def test_components_of_other_packages_are_not_in_it(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = reference.page()
    names = registry.names
    monkeypatch.setattr(
        registry, "names", lambda kind: (*names(kind), "guest") if kind == "locator" else names(kind)
    )
    assert reference.page() == own


def test_neither_packages_nor_data_nor_the_place_change_it(reference: ModuleType, tmp_path: Path) -> None:
    """The page of a bare installation, in an empty home far from the clone, is the page."""
    code = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"  # importing one of them now fails
        f"made = runpy.run_path({str(ROOT / 'docs' / 'reference.py')!r})\n"
        "sys.stdout.buffer.write(made['page']().encode())\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVENHAND_")}
    empty = {"HOME": str(tmp_path), "EVENHAND_DATA": str(tmp_path / "none"), "COLUMNS": "40", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=kept | empty, capture_output=True, check=True
    )
    assert done.stdout.decode() == reference.page()


def test_make_check_runs_it() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    assert "docs/reference.py --check" in recipe
    assert "make check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
