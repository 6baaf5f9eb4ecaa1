"""A stored verification judged again: the same verdict, other margins, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadData, UsageError
from evenhand.records import CapabilityResult, ControlPoint, VerdictName, Verification
from evenhand.studies import again, capability
from evenhand.studies.store import load_verification, save_measurements, save_verification
from evenhand.studies.verbs import VerifyOptions, verify
from evenhand.testing import tiny

OPTIONS: dict[str, Any] = {"limit": 24, "control": "reduced", "capability": ("facts:set=world", "perplexity")}


@pytest.fixture(scope="module")
def finished(few_examples: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with control models, whose model is gone."""
    folder = tmp_path_factory.mktemp("model")
    tiny.module("llama", max_position_embeddings=128).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    run = tmp_path_factory.mktemp("run")
    verify(f"hf:{folder}", "lftf:epochs=8,lr=0.01,batch=8", VerifyOptions(out=run, **OPTIONS))
    shutil.rmtree(folder)
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def _files(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


def test_the_same_rule_gives_the_same_verdict_and_leaves_the_run_as_it_was(run: Path) -> None:
    before = _files(run)
    stored = load_verification(run)
    assert stored.control is not None
    assert sum(len(family.points) for family in stored.control.families) > 8  # of two families of 8 models
    assert verify(str(run)) == stored
    assert _files(run) == before


def test_another_margin_is_judged_by(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability, "at_chance", lambda measurement: False)  # this model guesses
    margins = [
        {check.name: check.margin for check in verify(str(run), margin=margin).capability.checks}
        for margin in (0.01, 0.5)
    ]
    assert [one["accuracy (facts:set=world)"] for one in margins] == [0.01, 0.5]
    assert [one["log_perplexity (perplexity)"] for one in margins] == [0.02, 0.02]


def test_a_verdict_of_another_rule_is_not_taken_over(run: Path) -> None:
    true = load_verification(run)
    forged = dataclasses.replace(
        true, verdict=VerdictName.MITIGATED, reasons=("Because.",), capability=CapabilityResult(True, ())
    )
    save_verification(run, forged)
    again = verify(str(run))
    assert (again.verdict, again.reasons, again.capability) == (true.verdict, true.reasons, true.capability)
    assert load_verification(run).verdict is VerdictName.MITIGATED


def test_it_is_stored_only_in_another_folder(run: Path, tmp_path: Path) -> None:
    again = verify(str(run), margin=0.5, out=tmp_path / "new")
    assert load_verification(tmp_path / "new") == again != load_verification(run)
    with pytest.raises(UsageError, match="is the run itself, whose verdict would be lost"):
        verify(str(run), out=run.parent / "new" / ".." / "run")


def test_a_run_without_control_models(run: Path) -> None:
    stored = dataclasses.replace(load_verification(run), control=None)
    save_verification(run, stored)
    again = verify(str(run))
    assert again.control is None
    assert again.capability == stored.capability


def test_a_run_of_an_earlier_version(tmp_path: Path) -> None:
    """It was stored under schema 1, without the metric that it is about, and has no cells."""
    saved = Path(__file__).parents[1] / "golden" / "saved" / "run"
    run = shutil.copytree(saved, tmp_path / "run")
    stored, again = load_verification(run), verify(str(run))
    assert (again.verdict, again.primary) == (stored.verdict, stored.primary)
    assert [e.change.value for e in again.effects] == pytest.approx([e.change.value for e in stored.effects])


def test_a_control_model_without_cells_is_named(run: Path) -> None:
    shutil.rmtree(run / "cells")
    with pytest.raises(BadData, match=r"lacks the cells of the control model sham, dose .*, seed 2, "):
        verify(str(run))


def test_models_of_equal_bias_are_each_used_once() -> None:
    """Two points of one bias take the two models of that bias, in order; a third finds none."""
    stored = _point(0.25)
    known: list[Any] = [(0.5, "a"), (0.25, "b"), (0.25 + 1e-13, "c"), (None, "d")]
    family: Any = _Named("noise")
    taken = [again._found(stored, family, known, Path("run")) for _ in range(2)]
    assert taken == ["b", "c"]
    assert again._found(_point(None), family, known, Path("run")) == "d"
    with pytest.raises(BadData, match="dose 2, seed 7"):
        again._found(stored, family, known, Path("run"))


@dataclasses.dataclass
class _Named:
    family: str


def _point(bias: float | None) -> Any:
    return ControlPoint(2.0, 7, 0.0, bias)


@pytest.mark.parametrize(
    "asked",
    [
        {"mitigation": "lftf"},
        {"treated": "lab:causal"},
        {"benchmarks": "facts"},
        {"control": "none"},
        {"seed": 3},
        {"limit": 5},
        {"primary": "afgb"},
    ],
)
def test_what_the_run_decided_is_refused(asked: dict[str, Any], run: Path) -> None:
    with pytest.raises(UsageError, match="is a stored run: what was measured in it"):
        verify(str(run), **asked)


def test_measurements_have_no_verdict(run: Path, tmp_path: Path) -> None:
    record: Verification = load_verification(run)
    save_measurements(tmp_path / "measured", record.before)
    with pytest.raises(BadData, match=r"holds measurements of one model.*evenhand verify BASE --treated"):
        verify(str(tmp_path / "measured"))


def test_a_folder_without_a_run_is_taken_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Write hf:"):
        verify(str(tmp_path), "lftf")
