"""docs/studies.md: its study file and its configuration are usable, and it says what the program says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from evenhand.cli import main
from evenhand.studies.grid.checking import checked
from evenhand.studies.grid.file import KEYS

PAGE = (Path(__file__).parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")
STUDY, CONFIG = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_example_is_a_usable_study(tmp_path: Path) -> None:
    file = tmp_path / "gender.toml"
    file.write_text(STUDY)
    found = checked(file)
    assert found.study.cells == 1 * 4 * 3
    assert [one.settings for one in found.planned] == [1, 1, 3, 1]


def test_the_example_names_every_key_but_those_of_verify() -> None:
    keys = set(tomllib.loads(STUDY))
    assert keys == {
        "models", "mitigations", "benchmarks", "capability", "control", "seeds", "margins", "budget",
    }  # fmt: skip
    assert all(f"`{key}`" in PAGE for key in KEYS)


def test_the_configuration_is_usable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(CONFIG)
    assert main(["validate", "c.toml"]) == 0
    assert main(["validate", "c.toml", "--verb", "verify"]) == 0
    assert main(["verify", "--config", "c.toml", "--print-config"]) == 0
    assert 'control = "reduced"' in capsys.readouterr().out
