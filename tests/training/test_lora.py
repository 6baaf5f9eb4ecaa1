"""Adapters on query and value: where they sit, that they leave no trace, and that merging is exact."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from evenhand.errors import BadModel
from evenhand.mitigations._adversarial.panel import Panel
from evenhand.models.causal import CausalModel
from evenhand.models.digests import weights_digest
from evenhand.testing.examples import people
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.training.lora import LoraSettings, LoraTreatment, adapted, projections
from evenhand.treatments import About, load

SEPARATE = {"gpt_neo": 8, "opt": 6, "llama": 6, "mistral": 6, "qwen2": 6, "qwen3": 6, "gemma": 6, "phi": 6}
FUSED = {"gpt2": "c_attn", "gpt_neox": "query_key_value", "bloom": "query_key_value", "phi3": "qkv_proj"}


@pytest.mark.parametrize("kind", PROMISED)
def test_projections_are_query_and_value_of_every_block(kind: str) -> None:
    names = projections(tiny(kind))
    leaves = {name.rpartition(".")[2] for name in names}
    if kind in FUSED:
        assert leaves == {FUSED[kind]}
        assert len(names) == 3
    else:
        assert leaves == {"q_proj", "v_proj"}
        assert len(names) == SEPARATE[kind]


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neo", "bloom", "opt", "llama", "phi3", "gpt_bigcode"])
def test_it_starts_as_the_model_merges_exactly_and_leaves_no_trace(kind: str) -> None:
    model = tiny(kind)
    modules = [type(m) for m in model.module.modules()]
    digest, attributes = weights_digest(model.module), set(vars(model.module))
    base = Panel(model, people()).everyone().log_p
    with adapted(model, LoraSettings(), seed=1) as adapter:
        assert Panel(model, people()).everyone().log_p.equal(base)
        _stir(adapter.parameters.values())
        inside = Panel(model, people()).everyone().log_p
        weights = adapter.merged()
        trainable = [name for name, p in model.module.named_parameters() if p.requires_grad]
        assert all("lora_" in name for name in trainable)
    assert (inside - base).abs().max() > 0.01
    assert [type(m) for m in model.module.modules()] == modules
    assert (weights_digest(model.module), set(vars(model.module))) == (digest, attributes)
    assert all(p.requires_grad and p.grad is None for p in model.module.parameters())
    with LoraTreatment(About("x", model.spec.digest, 0), weights).applied(model):
        merged = Panel(model, people()).everyone().log_p
    torch.testing.assert_close(merged, inside, atol=2e-5, rtol=0)


def _stir(parameters: object) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in parameters:  # type: ignore[attr-defined]
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.02)


def test_the_start_follows_the_seed_and_touches_no_global_state() -> None:
    model = tiny("llama")
    before = torch.get_rng_state()
    values = []
    for seed in (3, 3, 4):
        with adapted(model, LoraSettings(), seed=seed) as adapter:
            with adapter.training(7):
                pass
            values.append(adapter.values())
    assert torch.get_rng_state().equal(before)
    name = "model.layers.0.self_attn.q_proj.lora_A.weight"
    assert values[0][name].equal(values[1][name])
    assert not values[0][name].equal(values[2][name])
    assert values[0][name].shape == (4, 32)  # rank 4, width 32


def test_dropout_is_on_only_inside_training_and_follows_its_seed() -> None:
    model = tiny("llama")
    with adapted(model, LoraSettings(dropout=0.5), seed=1) as adapter:
        _stir(adapter.parameters.values())
        panel = Panel(model, people())
        quiet = panel.everyone().log_p

        def noisy(seed: int) -> torch.Tensor:
            with adapter.training(seed):
                return panel.everyone().log_p

        first, again, other = noisy(1), noisy(1), noisy(2)
        assert panel.everyone().log_p.equal(quiet)
    assert first.equal(again)
    assert not first.equal(other)
    assert not first.equal(quiet)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_peft_reads_the_exported_adapter(kind: str, tmp_path: Path) -> None:
    model = tiny(kind)
    with adapted(model, LoraSettings(), seed=1) as adapter:
        _stir(adapter.parameters.values())
        about = About("x", model.spec.digest, 0)
        treatment = LoraTreatment(about, adapter.merged(), adapter.values(), adapter.config)
    treatment.save(tmp_path / "t")
    assert load(tmp_path / "t").digest == treatment.digest
    asked = people()[0].requests()
    with treatment.applied(model) as treated:
        merged = [answer.value for answer in treated.answer(asked)]
    with load(tmp_path / "t" / "adapter").applied(tiny(kind)) as with_adapter:
        assert [a.value for a in with_adapter.answer(asked)] == pytest.approx(merged, abs=2e-5)


def test_without_a_known_projection_it_says_what_there_is() -> None:
    model = tiny("llama")
    for block in range(3):
        attention = model.layout.module(f"block.{block}.attention")
        for name in ("q_proj", "v_proj"):
            odd: nn.Module = attention.get_submodule(name)
            delattr(attention, name)
            setattr(attention, f"odd_{name[0]}", odd)
    with pytest.raises(BadModel, match=r"No query or value projection.*odd_q"):
        projections(model)


def test_half_precision_models_are_adapted_in_float32() -> None:
    model = CausalModel(tiny("llama").module.to(torch.bfloat16), tiny("llama").tokenizer, "hf:tiny")
    with adapted(model, LoraSettings(), seed=1) as adapter:
        assert {p.dtype for p in adapter.parameters.values()} == {torch.float32}
        Panel(model, people()).everyone()
        assert {value.dtype for value in adapter.merged().values()} == {torch.float32}
