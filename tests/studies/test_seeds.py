"""A verdict on a method: the weakest of its treated models, whose control models are made once."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadOption, UsageError
from evenhand.records import (
    CapabilityResult,
    Effect,
    Estimate,
    ModelSpec,
    SeedResult,
    VerdictName,
    Verification,
)
from evenhand.studies import seeds
from evenhand.studies.store import load_verification
from evenhand.studies.verbs import VerifyOptions, run_folder, verify

SPEC = "lftf:epochs=8,lr=0.01,batch=8"
OPTIONS: dict[str, Any] = {
    "limit": 24, "control": "reduced", "capability": ("facts:set=world", "perplexity"), "seeds": 2,
}  # fmt: skip


def _effect(after: float | None) -> Effect:
    change = None if after is None else after - 0.5
    figures = [Estimate(value, None, None, 10) for value in (0.5, after, change)]
    return Effect("genbiaseval", "afgb", *figures, None)


def _record(seed: int, verdict: VerdictName, after: float | None = 0.25, digest: str = "") -> Verification:
    return Verification(
        verdict,
        (f"reason {seed}",),
        ModelSpec("lab:causal", None, None, "causal", "x"),
        "lftf",
        seed,
        (),
        (),
        (_effect(after),),
        CapabilityResult(None, ()),
        (),
        None,
        proof={"digest": digest or f"d{seed}"},
    )


def test_a_method_has_the_weakest_verdict_and_its_figures() -> None:
    each = [
        _record(3, VerdictName.MITIGATED, 0.125),
        _record(4, VerdictName.NO_EVIDENCE, 0.5),
        _record(5, VerdictName.AT_A_COST, 0.25),
        _record(6, VerdictName.NO_EVIDENCE, 0.375),
    ]
    method = seeds.of_method(each)
    assert method.verdict is VerdictName.NO_EVIDENCE
    assert method.seed == 3
    assert method.effects == each[1].effects, "those of the first of the weakest"
    assert method.reasons == (
        "reason 4",
        "Of 4 treated models (seeds 3 to 6) 1 mitigated, 1 mitigated at a cost and 2 no evidence: a method "
        "has the weakest verdict of its models, here that of seed 4.",
    )
    assert [(one.seed, one.verdict) for one in method.seeds] == [(one.seed, one.verdict) for one in each]
    assert not method.notes


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("mitigated mitigated", "mitigated"),
        ("mitigated|mitigated, cost unknown", "mitigated, cost unknown"),
        ("mitigated, cost unknown|mitigated at a cost", "mitigated at a cost"),
        ("mitigated at a cost|no evidence", "no evidence"),
        ("no evidence|capability loss only", "capability loss only"),
        ("worse|capability loss only", "worse"),
        ("worse|not comparable", "not comparable"),
    ],
)
def test_one_model_that_shows_less_decides(verdicts: str, expected: str) -> None:
    """A certain cost of one fit outweighs an unknown one of another, as within one verdict."""
    names = verdicts.split("|") if "|" in verdicts else verdicts.split()
    each = [_record(seed, VerdictName(name)) for seed, name in enumerate(names)]
    assert seeds.of_method(each).verdict.value == expected
    assert seeds.of_method(each[::-1]).verdict.value == expected


def test_every_verdict_has_its_strength() -> None:
    assert sorted(seeds.STRENGTH) == sorted(VerdictName)


def test_effects_have_their_mean_and_range_over_the_models() -> None:
    """After: (.125 + .25 + .375) / 3 = .25. Changes from .5: -.375, -.25 and -.125."""
    each = [_record(i, VerdictName.MITIGATED, after) for i, after in enumerate((0.125, 0.375, 0.25))]
    (spread,) = seeds.spreads(seeds.of_method(each).seeds)
    assert spread == seeds.Spread(
        "genbiaseval", "afgb", 0.5, (0.25, 0.125, 0.375), (-0.25, -0.375, -0.125), 3
    )


def test_a_figure_that_one_model_has_not_has_no_mean() -> None:
    each = [_record(i, VerdictName.MITIGATED, after) for i, after in enumerate((0.125, None))]
    (spread,) = seeds.spreads(seeds.of_method(each).seeds)
    assert (spread.before, spread.after, spread.change) == (0.5, None, None)


def test_fits_that_do_not_depend_on_the_seed_are_said_to_be_equal() -> None:
    each = [_record(seed, VerdictName.MITIGATED, digest="same") for seed in range(3)]
    (note,) = seeds.of_method(each).notes
    assert note.startswith("The 3 fits gave 1 different treatment: ")


@pytest.fixture(scope="module")
def finished(few_examples: None, uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two fits."""
    folder = tmp_path_factory.mktemp("run")
    verify(uri, SPEC, VerifyOptions(out=folder, **OPTIONS))
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


def test_each_fit_is_judged_and_stored_below_the_method(finished: Path) -> None:
    method = load_verification(finished)
    each = [load_verification(seeds.folder_of(finished, seed)) for seed in (0, 1)]
    assert [one.seed for one in method.seeds] == [0, 1]
    assert len({one.digest for one in method.seeds}) == 2, "another seed, another model"
    assert method == seeds.of_method(each)
    assert [one.before for one in each] == [method.before] * 2, "one base"
    assert not any(one.seeds for one in each)


def test_fits_that_change_the_same_parameters_share_control_models(finished: Path) -> None:
    """A family of the second fit holds the same models, as far as they stand near its own g*."""
    first, second = (load_verification(seeds.folder_of(finished, seed)).control for seed in (0, 1))
    assert first is not None
    assert second is not None
    shared = 0
    for one, other in zip(first.families, second.families, strict=True):
        assert one.family == other.family
        points = [{(p.dose, p.seed, p.size) for p in family.points} for family in (one, other)]
        shared += len(points[0] & points[1])
        assert len({p.seed for p in other.points}) == len(other.points) == 6
    assert shared >= 12, "at least half of 4 families of 6 models"


def test_the_same_command_again_changes_no_byte(uri: str, finished: Path, few_examples: None) -> None:
    before = _files(finished)
    verify(uri, SPEC, VerifyOptions(out=finished, **OPTIONS))
    assert _files(finished) == before


def test_what_is_missing_is_made_again_and_nothing_else(
    uri: str, finished: Path, tmp_path: Path, few_examples: None
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    shutil.rmtree(run / "seeds" / "1")
    (run / "verification.json").unlink()
    verify(uri, SPEC, VerifyOptions(out=run, **OPTIONS))
    assert _files(run) == _files(finished)


def test_a_stored_method_is_judged_again_by_all_its_models(finished: Path, tmp_path: Path) -> None:
    stored = load_verification(finished)
    assert verify(str(finished)) == stored
    one = seeds.folder_of(finished, 1)
    assert verify(str(one)) == load_verification(one), "its control models are among the method's cells"
    again = verify(str(finished), margin=0.5, out=tmp_path / "again")
    assert load_verification(tmp_path / "again") == again
    assert len(again.seeds) == 2
    assert load_verification(seeds.folder_of(tmp_path / "again", 1)).seed == 1


def test_the_folder_of_a_run_of_one_model_is_what_it_was() -> None:
    """Runs stored before there were seeds are found again; several seeds are another run."""
    one, several = (run_folder("lab:causal", "lftf", VerifyOptions(seeds=n)) for n in (1, 3))
    assert one != several
    asked = dataclasses.replace(VerifyOptions(), seeds=1)
    assert run_folder("lab:causal", "lftf", asked) == one


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_the_number_of_seeds_is_whole_and_above_0(number: Any) -> None:
    with pytest.raises(BadOption, match="seeds="):
        VerifyOptions(seeds=number)


def test_the_last_seed_is_one_that_there_is() -> None:
    VerifyOptions(seed=2**32 - 2, seeds=2)
    with pytest.raises(BadOption, match="from 1 to 2"):
        VerifyOptions(seed=2**32 - 2, seeds=3)


def test_a_treated_model_has_one_verdict() -> None:
    with pytest.raises(UsageError, match=r"hf:\./ours is one model, and 3 seeds fit several"):
        verify("lab:causal", treated="hf:./ours", seeds=3)


def test_the_record_of_one_seed_is_a_part_of_the_record() -> None:
    kept = {field.name for field in dataclasses.fields(SeedResult)} - {"digest"}
    assert kept <= {field.name for field in dataclasses.fields(Verification)}
