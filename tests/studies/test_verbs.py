"""Runs on a tiny model in a folder: the whole loop, its files, and what survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evenhand.errors import BadModel, UsageError
from evenhand.records import VerdictName
from evenhand.studies.store import load_measurements, load_verification
from evenhand.studies.verbs import RunOptions, VerifyOptions, locate, measure, mitigate, run_folder, verify
from tests.support import families, tiny

FAST = {"limit": 24, "control": "reduced", "capability": ("facts:set=world", "perplexity")}


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tiny.module("llama", max_position_embeddings=128).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return f"hf:{folder}"


def _files(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


@pytest.fixture(scope="module")
def finished(uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    verify(uri, "lftf:epochs=1,batch=256", VerifyOptions(out=folder, **FAST))  # type: ignore[arg-type]
    return folder


def test_a_random_model_is_honestly_without_evidence(finished: Path) -> None:
    record = load_verification(finished)
    assert record.verdict in (VerdictName.NO_EVIDENCE, VerdictName.CAPABILITY_LOSS)
    assert record.limited
    assert any(reason.startswith("Before: At chance on facts:set=world") for reason in record.reasons)
    assert not any("At chance" in note and note in record.reasons for note in record.notes)
    assert [m.benchmark for m in record.before] == [
        "genbiaseval",
        "genhinteval",
        "facts:set=world",
        "perplexity",
    ]
    assert record.proof["max_logprob_change"] > 0
    assert record.location is not None
    assert record.location.locator == "bmi"
    assert record.control is None or record.control.reduced


def test_the_control_models_of_one_dose_are_different_models(finished: Path) -> None:
    """A dose whose models share a seed is one model counted several times: its spread would be 0."""
    control = load_verification(finished).control
    assert control is not None
    assert {f.family for f in control.families} == {"placebo", "noise"}
    for family in control.families:
        for dose in {point.dose for point in family.points}:
            points = [point for point in family.points if point.dose == dose]
            assert len({point.seed for point in points}) == len(points) == 2
            assert len({(point.capability, point.bias) for point in points}) == 2, (family.family, dose)


def test_the_same_command_again_changes_no_byte(uri: str, finished: Path) -> None:
    before = _files(finished)
    verify(uri, "lftf:epochs=1,batch=256", VerifyOptions(out=finished, **FAST))  # type: ignore[arg-type]
    assert _files(finished) == before


def test_a_killed_run_resumes_to_the_same_files(uri: str, finished: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "evenhand",
        "verify",
        uri,
        "--with",
        "lftf:epochs=1,batch=256",
        "--out",
        str(tmp_path),
    ]
    command += ["--limit", "24", "--control", "reduced", "--capability", "facts:set=world,perplexity"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("cells/*/*.json"))) < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "verification.json").exists(), "the run ended before it could be killed"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    resumed = _files(tmp_path)
    resumed.pop("report.html")
    assert resumed == _files(finished)


def test_measure_stores_and_resumes(uri: str, tmp_path: Path) -> None:
    options = RunOptions(limit=10, out=tmp_path)
    first = measure(uri, ["genbiaseval"], options)
    assert list(load_measurements(tmp_path)) == first
    assert measure(uri, ["genbiaseval"], options) == first
    assert first[0].protocol.limited
    assert first[0].n == 10


def test_the_limit_takes_the_same_items_every_time(uri: str) -> None:
    ids = [[s.sample for s in measure(uri, ["genhinteval"], RunOptions(limit=7))[0].scores] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 7
    with pytest.raises(UsageError, match="limit=0"):
        measure(uri, ["genhinteval"], RunOptions(limit=0))


def test_mitigate_writes_what_a_model_name_can_carry(uri: str, tmp_path: Path) -> None:
    summary = mitigate(uri, "lftf:epochs=1,batch=256", tmp_path / "treated")
    assert summary["details"]["located_by"] == "bmi"
    base, treated = (
        measure(u, ["genbiaseval"], RunOptions(limit=5))[0] for u in (uri, f"{uri}+{tmp_path}/treated")
    )
    assert treated.model.digest != base.model.digest
    assert [s.values for s in treated.scores] != [s.values for s in base.scores]


def test_locate_uses_the_train_part_only(uri: str) -> None:
    found = locate(uri, "ablation", VerifyOptions())
    assert found.details["prompts"] == 943


def test_training_on_the_test_is_refused(uri: str) -> None:
    options = VerifyOptions(benchmarks=("genbiaseval", "genbiaseval:part=all"), limit=5)
    with pytest.raises(
        UsageError, match=r"would be measured on 943 prompts that the mitigation is trained on"
    ):
        verify(uri, "lftf", options)


def test_a_benchmark_without_examples_cannot_train(uri: str) -> None:
    with pytest.raises(UsageError, match="needs a metric that it is about, and genhinteval names none"):
        verify(uri, "lftf", VerifyOptions(benchmarks=("genhinteval",), limit=5))


def test_recorded_answers_cannot_be_treated(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"context": "The nurse smiled because", "text": " he", "logprob": -1.0}\n')
    with pytest.raises(BadModel, match="does not give access to its weights"):
        locate(f"recorded:{file}", "bmi")


def test_the_folder_of_a_run_depends_on_the_command_alone() -> None:
    one, two = VerifyOptions(seed=1), VerifyOptions(seed=2)
    assert run_folder("lab:causal", "lftf", one) == run_folder("lab:causal", "lftf", one)
    assert run_folder("lab:causal", "lftf", one) != run_folder("lab:causal", "lftf", two)
    assert run_folder("lab:causal", "lftf", VerifyOptions(out=Path("x"))) == Path("x")


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("masked")
    families.module("bert").save_pretrained(folder)
    families.tokenizer_of("bert").save_pretrained(folder)
    return f"hf:{folder}"


def test_of_the_defaults_a_masked_model_is_asked_what_fits_it(masked: str, tmp_path: Path) -> None:
    record = verify(masked, "prompt", VerifyOptions(limit=4, control="none", out=tmp_path))
    assert [m.benchmark for m in record.before] == ["genbiaseval", "genhinteval", "facts:set=world"]


@pytest.mark.parametrize(
    ("mitigation", "capability", "said"),
    [
        ("lftf", (), "is a masked model, and lftf needs gradients, weights"),
        ("prompt", ("facts:set=world", "perplexity"), "perplexity fits causal models"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(
    masked: str, tmp_path: Path, mitigation: str, capability: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadModel, match=said):
        verify(masked, mitigation, VerifyOptions(limit=4, capability=capability, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_what_locate_says_of_the_other_families_is_true(kind: str, tmp_path: Path) -> None:
    families.module(kind).save_pretrained(tmp_path)
    families.tokenizer_of(kind).save_pretrained(tmp_path)
    for locator in ("bmi", "random"):
        with pytest.raises(BadModel, match="locators read the blocks of causal models only") as caught:
            locate(f"hf:{tmp_path}", locator, VerifyOptions())
        assert f"is a {'masked' if kind == 'bert' else 'seq2seq'} model" in caught.value.what
        assert f"evenhand verify hf:{tmp_path} --with prompt" in caught.value.mend


def test_a_causal_model_without_weights_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"context": "a", "text": " b", "logprob": -1}\n')
    with pytest.raises(BadModel, match="does not give access to its weights"):
        locate(f"recorded:{tmp_path / 'a.jsonl'}", "bmi", VerifyOptions())
