"""The forecast of a study: that of each of its verifications, which `verify` itself would say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from evenhand.studies.grid import planning
from evenhand.studies.grid.checking import checked

HEAD = """
models = ["lab:causal"]
benchmarks = ["genbiaseval:split=heldout"]
capability = ["facts"]
"""
BASE = 60.0  # seconds that the base takes


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "base_seconds", lambda *_: BASE)


def _planned(folder: Path, text: str) -> planning.PlannedModel:
    (folder / "s.toml").write_text(HEAD + text)
    (found,) = planning.study_plan(checked(folder / "s.toml"))
    return found


def test_without_control_models_a_prompt_takes_a_base_and_a_treated_model(tmp_path: Path) -> None:
    # A treated model takes .2 to .8 of what the base takes; a prompt is fitted in two passes over its
    # prompts at .7 each, and the base takes BASE for all of its items.
    found = _planned(tmp_path, 'mitigations = ["prompt"]\ncontrol = "none"\nseeds = [0, 1]\n')
    (one,) = checked(tmp_path / "s.toml").planned
    prompts = sum(not example.keep for example in one.parts.examples)
    items = sum(line.items for line in one.plan.benchmarks)
    fit = 0.7 * 2 * prompts / items
    assert (found.cells, found.models) == (2, 2 * 2)
    assert found.low == pytest.approx(2 * (1 + 0.2 + fit))  # minutes, for BASE is one
    assert found.high == pytest.approx(2 * (1 + 0.8 + fit))


def test_control_models_and_every_setting_of_a_grid_are_counted(tmp_path: Path) -> None:
    one = _planned(tmp_path, 'mitigations = ["lftf"]\ncontrol = "reduced"\n')
    both = _planned(tmp_path, 'mitigations = ["lftf", {with = "prompt", name = "p"}]\ncontrol = "reduced"\n')
    grid = _planned(
        tmp_path, 'mitigations = [{with = "lftf", lr = [1e-4, 1e-3, 1e-2]}]\ncontrol = "reduced"\n'
    )
    assert one.high > one.low > 1 + 0.2  # control models at each look
    assert both.cells == 2
    assert both.low > one.low
    assert grid.models == one.models + 3
    # Three settings more, each fitted and measured as a treated model is.
    assert grid.low - one.low == pytest.approx((grid.high - one.high) - 3 * (0.8 - 0.2))


def test_what_a_model_refuses_is_told_and_not_counted(tmp_path: Path) -> None:
    """`rome` reads from left to right, so that a masked model cannot have it: its fits are in no figure."""
    table = HEAD.replace("lab:causal", "lab:masked") + 'control = "none"\n'
    (tmp_path / "both.toml").write_text(f'{table}mitigations = ["prompt", "rome"]\n')
    (tmp_path / "one.toml").write_text(f'{table}mitigations = ["prompt"]\n')
    (both,) = planning.study_plan(checked(tmp_path / "both.toml"))
    (one,) = planning.study_plan(checked(tmp_path / "one.toml"))
    assert dataclasses.replace(both, refused={}) == one
    (said,) = planning.refusals([both])
    assert said.startswith("Not counted: rome on lab:masked will be refused. rome follows a prompt's tokens")
    assert planning.refusals([one]) == []


def test_a_grid_is_not_told_by_its_first_setting(tmp_path: Path) -> None:
    grid = _planned(tmp_path, 'mitigations = [{with = "lftf", top = [99, 1]}]\ncontrol = "none"\n')
    alone = _planned(tmp_path, 'mitigations = ["lftf:top=99"]\ncontrol = "none"\n')
    assert grid.refused == {}
    assert grid.cells == 1
    assert alone.refused == {"lftf:top=99": "top=99 is not valid."}
    assert alone.cells == 0
