"""Options that suit neither the model nor the examples, and models without known blocks: refused at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evenhand
from evenhand.errors import BadModel, BadOption, EvenhandError
from evenhand.models import layout
from evenhand.studies import cells, control_models, location
from evenhand.studies.options import VerifyOptions
from evenhand.studies.plan import timed_plan
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from tests.support import families
from tests.support.data import data_file

OF_THE_MODEL = [  # the tiny model has three blocks
    ("lftf:blocks=99", "blocks=99 is not valid.*from 0 to 2"),
    ("lftf:top=99", "top=99 is not valid.*from 1 to 3"),
    ("plain_text:blocks=0+3", r"blocks=0\+3 is not valid"),
    ("noise:blocks=99", "blocks=99 is not valid"),
    ("noise_elsewhere:blocks=99", "blocks=99 is not valid"),
]
OF_THE_EXAMPLES = [
    ("lftf:terms=nobody", "there is no group 'nobody'.*male, female"),
    ("lftf:terms=male,loss=printed", "cannot be used with loss=printed"),
]


@pytest.fixture(autouse=True)
def _nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def used(*given: object, **named: object) -> None:
        raise AssertionError("something was measured or located")

    monkeypatch.setattr(cells, "take", used)
    monkeypatch.setattr(location, "locate_in", used)


def refused(error: type[Exception], said: str, uri: str, method: str, folder: Path) -> None:
    with pytest.raises(error, match=said):
        evenhand.verify(uri, method, limit=4, out=folder / "run")
    with pytest.raises(error, match=said):
        evenhand.mitigate(uri, method, folder / "treated")
    assert not (folder / "treated").exists()


@pytest.mark.parametrize(("method", "said"), OF_THE_MODEL)
def test_blocks_that_the_model_lacks(method: str, said: str, uri: str, tmp_path: Path) -> None:
    refused(BadOption, said, uri, method, tmp_path)


@pytest.mark.parametrize(("method", "said"), OF_THE_EXAMPLES)
def test_groups_that_the_benchmark_lacks_need_no_model(method: str, said: str, tmp_path: Path) -> None:
    nowhere = "hf:./there-is-no-such-model"  # opening it would be another error
    refused(BadOption, said, nowhere, method, tmp_path)
    with pytest.raises(BadOption, match=said):
        evenhand.plan(nowhere, method, limit=4)


def test_batches_and_curves_that_the_people_do_not_allow() -> None:
    nowhere, of_people = "hf:./there-is-no-such-model", "decisions:shots=0,n=100,train=60,dev=60"
    for method, said in (
        ("group_gap:batch=1", "A batch of 1 cannot hold all 2 groups"),
        ("calibration:method=isotonic", "Isotonic curves need 1000 people a group"),
    ):
        for ask in (evenhand.plan, evenhand.verify):
            with pytest.raises(BadOption, match=said):
                ask(nowhere, method, benchmarks=of_people)


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny masked model in a folder."""
    folder = tmp_path_factory.mktemp("masked")
    model: Any = families.masked()
    model.module.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return f"hf:{folder}"


@pytest.mark.parametrize("locator", ["causal_tracing", "contrastive_bmi", "neurons", "ablation:part=mlp"])
def test_a_locator_that_reads_from_left_to_right_refuses_a_masked_model(
    locator: str, masked: str, tmp_path: Path
) -> None:
    said = "follows a prompt's tokens from left to right"
    with pytest.raises(BadModel, match=said):
        evenhand.verify(masked, "lftf", locator=locator, limit=4, out=tmp_path / "run")
    with pytest.raises(BadModel, match=said):
        timed_plan(masked, "lftf", VerifyOptions(locator=locator, limit=4))


@pytest.mark.parametrize(
    ("method", "more", "said"),
    [
        ("lftf", {"benchmarks": ("genbiaseval:part=all",)}, "prompts that the mitigation is trained on"),
        ("lftf", {"benchmarks": ("genbiaseval", "bold")}, "bold fits causal and seq2seq models"),
        ("lftf", {"capability": ("multiple_choice:file=FILE",)}, "multiple_choice.* fits causal and seq2seq"),
    ],
)
def test_a_plan_refuses_what_the_run_refuses(
    method: str, more: dict[str, Any], said: str, uri: str, masked: str, tmp_path: Path
) -> None:
    """The plan opens the model, and measures nothing that the run would not come to measure."""
    if "bold" in said:
        for part in ("gender", "profession", "race", "political_ideology", "religious_ideology"):
            data_file(f"bold/{part}_prompt.json")
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "Where is it?", "choices": ["here", "there"], "answer": 0}\n')
    more = {key: tuple(v.replace("FILE", str(questions)) for v in value) for key, value in more.items()}
    of = uri if "trained" in said else masked
    with pytest.raises(EvenhandError, match=said):
        evenhand.verify(of, method, limit=4, out=tmp_path / "run", **more)
    with pytest.raises(EvenhandError, match=said):
        timed_plan(of, method, VerifyOptions(limit=4, **more))


def test_a_plan_refuses_a_treated_model_that_is_not_there(uri: str, tmp_path: Path) -> None:
    for nowhere in (f"hf:{tmp_path}/nothing", f"{tmp_path}/nothing"):
        for ask in (evenhand.verify, timed_plan):
            with pytest.raises(EvenhandError, match="nothing"):
                ask(uri, None, VerifyOptions(limit=4, out=tmp_path / "run"), treated=nowhere)


def test_files_and_names_that_are_not_there_need_no_model(tmp_path: Path) -> None:
    for method, said in (
        ("memit:text=/no/such/file", "/no/such/file cannot be read"),
        ("mend:text=/no/such/file", "/no/such/file cannot be read"),
        ("sham:of=nothing", "no mitigation named 'nothing'"),
    ):
        for ask in (evenhand.plan, evenhand.verify):
            with pytest.raises(EvenhandError, match=said):
                ask("hf:./there-is-no-such-model", method, limit=4)


@pytest.mark.parametrize("method", ["lftf", "noise_elsewhere", "full_finetune"])
def test_a_model_whose_blocks_are_unknown(
    method: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LFTF's locator needs the blocks, and beside any method the controls do, unless they are left out."""

    def unknown(module: object) -> None:
        raise BadModel("The architecture 'own' has no layout.", mend="Register it.")

    monkeypatch.setattr(layout, "find_architecture", unknown)
    for ask in (evenhand.verify, timed_plan):
        with pytest.raises(BadModel, match="'own' has no layout") as caught:
            ask(uri, method, VerifyOptions(limit=4, control="full", out=tmp_path / "run"))
        assert caught.value.mend.endswith("--control none.") == (method == "full_finetune")
    if method == "full_finetune":
        with pytest.raises(AssertionError, match="measured"):  # it goes on to the measurements
            evenhand.verify(uri, method, limit=4, control="none", out=tmp_path / "run")


def test_a_control_that_a_study_leaves_out_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = tiny.model("llama"), []

    def noted(control: object, *given: object) -> None:
        asked.append(type(control).__name__)

    monkeypatch.setattr(control_models, "refuse", noted)
    control_models.check(model, "full", examples())
    assert asked[:4] == ["ShamControl", "PlainText", "Noise", "NoiseElsewhere"]
    known = len(asked)
    control_models.check(model, "none", examples())
    assert len(asked) == known
