"""Treatments: in and out bit for bit, saved and loaded, proven, and refused where they do not belong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from evenhand.errors import BadData, BadModel, Inconclusive, NoEffect
from evenhand.folders import MARK, NOTE
from evenhand.models import OpenModel
from evenhand.models.digests import weights_digest
from evenhand.records import Continuation, Request, Response, Undefined
from evenhand.testing.examples import examples
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import About, Treatment, load, prove, proven
from evenhand.treatments.prompt import PromptedModel, PromptTreatment
from evenhand.treatments.weights import WeightTreatment

ITEM = Continuation("The nurse smiled because", " she")
NAME = "model.layers.1.mlp.down_proj.weight"


def _weights(model: OpenModel, shift: float = 0.05) -> WeightTreatment:
    about = About("test:shift", model.spec.digest, 0, {"shift": shift})
    return WeightTreatment(about, {NAME: model.module.get_parameter(NAME).detach() + shift})


def _prompt(model: OpenModel) -> PromptTreatment:
    return PromptTreatment(About("prompt", model.spec.digest, 0), "The doctor left because he was late.")


@pytest.mark.parametrize("make", [_weights, _prompt])
def test_applied_changes_answers_and_leaves_the_model_bit_for_bit(make: object) -> None:
    model = tiny("llama")
    before, digest = model.answer([ITEM])[0].value, weights_digest(model.module)
    treatment: Treatment = make(model)  # type: ignore[operator]
    with treatment.applied(model) as treated:
        assert treated.answer([ITEM])[0].value != before
        assert treated.spec.digest != model.spec.digest
    assert model.answer([ITEM])[0].value == before
    assert weights_digest(model.module) == digest


def test_weights_come_back_after_an_error() -> None:
    model = tiny("llama")
    digest = weights_digest(model.module)
    with pytest.raises(BadData), _weights(model).applied(model):
        model.answer([Continuation("ends with a space ", " she")])
    assert weights_digest(model.module) == digest


@pytest.mark.parametrize("make", [_weights, _prompt])
def test_save_and_load_give_the_same_treatment(make: object, tmp_path: Path) -> None:
    model = tiny("llama")
    treatment: Treatment = make(model)  # type: ignore[operator]
    treatment.save(tmp_path / "t")
    again = load(tmp_path / "t")
    assert (again.digest, again.about) == (treatment.digest, treatment.about)
    with treatment.applied(model) as one:
        first = one.answer([ITEM])
    with again.applied(model) as two:
        assert two.answer([ITEM]) == first


@pytest.mark.parametrize("make", [_weights, _prompt])
def test_one_that_an_earlier_version_saved_loads_but_is_not_replaced(make: object, tmp_path: Path) -> None:
    treatment: Treatment = make(tiny("llama"))  # type: ignore[operator]
    treatment.save(tmp_path / "t")
    (tmp_path / "t" / MARK).unlink()
    assert load(tmp_path / "t").digest == treatment.digest
    with pytest.raises(BadData, match="evenhand did not write it"):
        treatment.save(tmp_path / "t")
    assert load(tmp_path / "t").digest == treatment.digest


def test_a_reader_finds_the_old_treatment_after_a_kill_between_the_renames(tmp_path: Path) -> None:
    treatment = _prompt(tiny("llama"))
    treatment.save(tmp_path / "t")
    shop = tmp_path / ".t.evenhand"
    shop.mkdir()
    (shop / NOTE).touch()
    (tmp_path / "t").rename(shop / "old")
    assert load(tmp_path / "t") == treatment
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_prompt_is_one_string_with_the_context() -> None:
    model = tiny("llama")
    treatment = _prompt(model)
    joined = Continuation(f"{treatment.text} {ITEM.context}", ITEM.text)
    with treatment.applied(model) as treated:
        assert treated.answer([ITEM]) == model.answer([joined])


def test_the_proof_counts_what_moved() -> None:
    model = tiny("llama")
    proof = proven(model, _weights(model, 0.05), examples()).about.proof
    size = model.module.get_parameter(NAME).numel()
    assert (proof["tensors"], proof["weights"], proof["moved"]) == (1, size, 1.0)
    assert proof["max_weight_change"] == pytest.approx(0.05, rel=1e-4)
    assert proof["max_logprob_change"] > 0


def test_no_effect_is_an_error() -> None:
    model = tiny("llama")
    with pytest.raises(NoEffect, match="test:shift left every answer exactly as it was"):
        prove(model, _weights(model, 0.0), examples())


def test_no_answer_at_all_is_no_lack_of_effect() -> None:
    class Silent(ScriptedModel):
        def say(self, request: Request) -> Undefined:
            return Undefined("content_filter")

    treatment = PromptTreatment(About("prompt", "silent", 0), "Be fair.")
    with pytest.raises(Inconclusive, match=r"no answer to any of the \d+ requests"):
        prove(Silent(lambda item: 0.5, name="silent"), treatment, examples())


def test_a_sentence_of_its_own_has_the_tokens_that_it_has_alone() -> None:
    """Glued to it, "fair." and a quotation mark may become one token, and texts read as none ever does."""
    model = tiny("gpt2")
    treatment = PromptTreatment(About("prompt", model.spec.digest, 0), "Be fair.")
    texts = ('"Yes", he said.', "She left.")
    asked = [Continuation("", text) for text in (*texts, " She left.")]
    below = [Continuation("Be fair.\n", text) for text in texts]
    for one in (treatment, dataclasses.replace(treatment, text="Be fair.\n")):
        with one.applied(model) as treated:
            found = [answer.value for answer in treated.answer(asked)]
        assert found[:2] == pytest.approx([answer.value for answer in model.answer(below)], abs=1e-5)
    (beside,) = model.answer([Continuation("Be fair.\n", " She left.")])
    assert found[2] == pytest.approx(beside.value, abs=1e-5)


def test_a_stack_of_texts_is_one_text() -> None:
    model = tiny("gpt2")
    first, second = (
        PromptTreatment(About("prompt", model.spec.digest, 0), text) for text in ("A.", "B.\n\n")
    )
    asked = [Continuation("", "She left.")]
    found = PromptedModel(PromptedModel(model, first), second).answer(asked)[0].value
    (whole,) = model.answer([Continuation("A. B.\n", "She left.")])
    assert found == pytest.approx(whole.value, abs=1e-5)


def test_where_no_tokenizer_is_known_it_begins_as_a_new_word() -> None:
    asked: list[Continuation] = []

    class Noting(ScriptedModel):
        def answer(self, requests: Sequence[Request]) -> list[Response]:
            asked.extend(request for request in requests if isinstance(request, Continuation))
            return super().answer(requests)

    treatment = PromptTreatment(About("prompt", "noting", 0), "Be fair.")
    with treatment.applied(Noting(lambda item: 0.5, name="noting")) as treated:
        treated.answer([Continuation("", "She left."), Continuation("The nurse said", " she")])
    assert asked == [Continuation("Be fair.", " She left."), Continuation("Be fair. The nurse said", " she")]


def test_another_model_is_refused() -> None:
    treatment = _weights(tiny("llama"))
    with (
        pytest.raises(BadModel, match="fitted to a model with digest"),
        treatment.applied(tiny("llama", seed=1)),
    ):
        pass


def test_a_parameter_that_is_not_there_is_refused() -> None:
    model = tiny("llama")
    treatment = dataclasses.replace(_weights(model), weights={"nowhere.weight": torch.zeros(2)})
    with pytest.raises(BadModel, match=r"nowhere\.weight"), treatment.applied(model):
        pass


def test_damaged_and_absent_folders_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"holds no mitigation\.json"):
        load(tmp_path)
    model = tiny("llama")
    _weights(model).save(tmp_path / "t")
    card = json.loads((tmp_path / "t" / "mitigation.json").read_text())
    (tmp_path / "t" / "mitigation.json").write_text(json.dumps({**card, "digest": "0"}))
    with pytest.raises(BadData, match="does not have the digest"):
        load(tmp_path / "t")
    (tmp_path / "t" / "weights.safetensors").write_bytes(b"broken")
    with pytest.raises(BadData, match="damaged"):
        load(tmp_path / "t")
    for text in ("{", "[" * 100_000, "[]"):
        (tmp_path / "t" / "mitigation.json").write_text(text)
        with pytest.raises(BadData, match="damaged"):
            load(tmp_path / "t")
