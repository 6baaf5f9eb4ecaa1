"""The verbs on a tiny model in a folder: what they store, refuse and hand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadModel, EvenhandError, UsageError
from evenhand.studies.store import load_measurements
from evenhand.studies.verbs import RunOptions, VerifyOptions, locate, measure, mitigate, run_folder, verify
from tests.support import families


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
    assert found.details["prompts"] == 315  # of the held-out split: 105 professions x 3 actions
    found = locate(uri, "ablation", VerifyOptions(benchmarks=("genbiaseval",)))
    assert found.details["prompts"] == 943


def test_a_benchmark_without_examples_cannot_train(uri: str) -> None:
    with pytest.raises(UsageError, match="needs a primary metric, and genhinteval names none"):
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
    assert [m.benchmark for m in record.before] == [
        "genbiaseval:split=heldout",
        "genhinteval",
        "genhinteval:form=sentence786",
        "subjects",
        "coreference",
        "definitional",
        "facts:set=world",
    ]


@pytest.mark.parametrize(
    ("mitigation", "capability", "said"),
    [
        ("lftf:blocks=9", (), "blocks=9 is not valid"),
        ("prompt", ("facts:set=world", "perplexity"), "perplexity fits causal models"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(
    masked: str, tmp_path: Path, mitigation: str, capability: tuple[str, ...], said: str
) -> None:
    with pytest.raises(EvenhandError, match=said):
        verify(masked, mitigation, VerifyOptions(limit=4, capability=capability, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_causal_model_without_weights_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"context": "a", "text": " b", "logprob": -1}\n')
    with pytest.raises(BadModel, match="does not give access to its weights"):
        locate(f"recorded:{tmp_path / 'a.jsonl'}", "bmi", VerifyOptions())


def test_the_folder_without_a_chosen_metric_is_that_of_before_there_was_the_choice() -> None:
    benchmarks = ("genbiaseval", "genhinteval")  # the defaults of the time before
    before = run_folder("lab:causal", "lftf", VerifyOptions(seed=1, benchmarks=benchmarks, control="full"))
    assert str(before) == "runs/verify-lab-causal-lftf-9da812f0"
    chosen = run_folder(
        "lab:causal", "lftf", VerifyOptions(seed=1, benchmarks=benchmarks, control="full", primary="afgb")
    )
    assert chosen.name != "verify-lab-causal-lftf-9da812f0"


def test_a_metric_that_no_benchmark_reports_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    options = VerifyOptions(primary="dpd", out=tmp_path / "run")
    with pytest.raises(UsageError, match="A verdict cannot be about 'dpd'") as found:
        verify("hf:./there/is/no/such/model", "lftf", options)
    assert "genbiaseval:split=heldout: afgb, afgb_normalised" in (found.value.mend or "")
    assert not list(tmp_path.glob("run/*.json"))
