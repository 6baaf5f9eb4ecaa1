"""A treated model written as a plain one: transformers and peft open it, and it answers alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from evenhand.errors import BadModel, UsageError
from evenhand.hooks import patch
from evenhand.models import Model, OpenModel
from evenhand.opening import open_model
from evenhand.records import Ability
from evenhand.studies import verbs
from evenhand.studies.methods import made_method
from evenhand.testing.examples import examples, people
from evenhand.testing.laboratory import genbiaseval, opened
from evenhand.testing.mitigations import last_block
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import _merging, merge
from evenhand.treatments.adapter import AdapterTreatment
from tests.scoring.test_asking import SHORT
from tests.scoring.test_asking import opened as filling

KINDS = ("gpt2", "llama", "bloom", "gemma", "opt")
MAKERS = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM, "seq2seq": AutoModelForSeq2SeqLM}


def _logits(module: Any) -> torch.Tensor:
    ids = torch.arange(3, 19).view(2, 8)
    given = {"input_ids": ids} | (
        {"decoder_input_ids": ids[:, :4]} if module.config.is_encoder_decoder else {}
    )
    with torch.no_grad():
        found: torch.Tensor = module(**given).logits.log_softmax(-1)
    return found


def _merged(model: OpenModel, treatment: Any, folder: Path) -> float:
    """The largest difference of log-probabilities between the treated model and what transformers opens."""
    with treatment.applied(model) as treated:
        here = _logits(treated.module)
        merge(treated, folder)
    there = MAKERS[model.spec.family].from_pretrained(folder).eval()
    assert AutoTokenizer.from_pretrained(folder).get_vocab() == model.tokenizer.get_vocab()
    assert not list(folder.glob("*adapter*"))
    assert (here - _logits(model.module)).abs().max() > 1e-3, "the treatment did nothing to merge"
    return float((here - _logits(there)).abs().max())


@pytest.mark.parametrize("method", ["lftf:lr=0.01", "full_finetune:lr=0.01"])
@pytest.mark.parametrize("kind", KINDS)
def test_transformers_opens_it_with_the_same_log_probabilities(
    kind: str, method: str, tmp_path: Path
) -> None:
    """full_finetune moves the embeddings, and with them the head that most of these tie to them."""
    model = tiny(kind)
    treatment = made_method(method).fit(model, examples(), sites=last_block(model), seed=0)
    assert _merged(model, treatment, tmp_path / "merged") < _merging.TOLERANCE


@pytest.mark.parametrize("kind", ["bert", "roberta", "t5", "mt5", "bart"])
def test_so_does_it_for_the_other_families(kind: str, tmp_path: Path) -> None:
    model = filling(kind)
    treatment = made_method("full_finetune:lr=0.01").fit(model, SHORT, sites=None, seed=0)
    assert _merged(model, treatment, tmp_path / "merged") < _merging.TOLERANCE


def test_a_stack_is_merged_as_a_whole(tmp_path: Path) -> None:
    model = tiny("llama")
    stack = made_method("lftf:lr=0.01 + full_finetune:lr=0.001").fit(
        model, examples(), sites=last_block(model), seed=0
    )
    assert _merged(model, stack, tmp_path / "merged") < _merging.TOLERANCE


@dataclasses.dataclass(frozen=True)
class Parted:
    """A treatment that parts the head from the embeddings and changes it alone."""

    def applied(self, model: Any) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def parted() -> Any:
            head, own = model.module.lm_head, model.module.lm_head.weight
            head.weight = nn.Parameter(own.detach() * 1.5)
            try:
                yield model
            finally:
                head.weight = own

        return parted()


def test_a_head_that_was_parted_from_its_embeddings_stays_apart(tmp_path: Path) -> None:
    model = tiny("gpt2")
    assert model.module.lm_head.weight is model.module.transformer.wte.weight
    assert _merged(model, Parted(), tmp_path / "merged") < _merging.TOLERANCE
    assert model.module.config.tie_word_embeddings
    assert not AutoModelForCausalLM.from_pretrained(tmp_path / "merged").config.tie_word_embeddings


def test_lora_forms_load_in_peft_and_are_merged(tmp_path: Path) -> None:
    """FairCon's treatment holds an adapter that peft puts on the base; put on as an adapter it is merged."""
    from peft import PeftModel

    model = tiny("llama")
    method = made_method("faircon:rounds=1,attacks=1,adversaries=1,length=2,lr=0.02,average=none,tolerance=1")
    treatment = method.fit(model, people(), sites=None, seed=0)
    treatment.save(tmp_path / "treated")
    with treatment.applied(model) as treated:
        here = _logits(treated.module)
    base = tiny("llama").module
    wrapped = PeftModel.from_pretrained(base, str(tmp_path / "treated" / "adapter")).eval()
    assert float((here - _logits(wrapped)).abs().max()) < _merging.TOLERANCE
    adapter = AdapterTreatment(
        dataclasses.replace(treatment.about, base=""), tmp_path / "treated" / "adapter"
    )
    fresh = tiny("llama")
    assert _merged(fresh, adapter, tmp_path / "merged") < _merging.TOLERANCE
    assert (
        float((_logits(open_model(f"hf:{tmp_path / 'merged'}").module) - here).abs().max())
        < _merging.TOLERANCE
    )  # type: ignore[attr-defined]


def _prompted(model: OpenModel) -> Any:
    return made_method("prompt:text=Anyone may be late.").fit(model, examples(), sites=None, seed=0)


def test_what_lies_in_no_weight_is_refused_with_what_to_do(tmp_path: Path) -> None:
    model = tiny("llama")
    with _prompted(model).applied(model) as treated:
        with pytest.raises(BadModel, match="not in its weights") as refused:
            merge(treated, tmp_path / "merged")
        assert "prompt.txt" in refused.value.mend
    with (
        patch(model, "block.1", lambda output, given: given),
        pytest.raises(BadModel, match="by hooks") as refused,
    ):
        merge(model, tmp_path / "merged")
    assert "URI+FOLDER" in refused.value.mend
    assert not (tmp_path / "merged").exists()


def test_what_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    monkeypatch.setattr(_merging, "_apart", lambda one, other: 2e-4)
    with pytest.raises(BadModel, match=r"differ by 2\.0e-04 nats"):
        merge(model, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_mitigate_refuses_before_any_work(tmp_path: Path) -> None:
    for method in ("prompt", "lftf + prompt"):
        with pytest.raises(BadModel, match="cannot be merged"):
            verbs.mitigate("lab:none-of-it", method, tmp_path / "out", merged=tmp_path / "merged")
    with pytest.raises(UsageError, match="folder of the treatment, too"):
        verbs.mitigate("lab:none-of-it", "lftf", tmp_path / "out", merged=tmp_path / "out")


def test_mitigate_and_an_address_write_the_same_model(tmp_path: Path) -> None:
    """In transformers' own words: the same file of weights, and the answers of URI+FOLDER."""
    out, one, other = (tmp_path / name for name in ("out", "one", "other"))
    said = verbs.mitigate("lab:masked", ["lftf:epochs=1", "lftf:blocks=0,epochs=1"], out, merged=one)
    assert said["method"] == "lftf:epochs=1 + lftf:blocks=0,epochs=1"
    verbs.merge(f"lab:masked+{out}", other)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    few = [request for e in genbiaseval()[1][:8] for request in e.requests()]
    found: list[list[float]] = []
    for uri in (f"lab:masked+{out}", f"hf:{one}"):
        model: Model = open_model(uri)
        found.append([answer.value for answer in model.answer(few)])  # type: ignore[union-attr]
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert Ability.WEIGHTS in opened("lab:masked").can
