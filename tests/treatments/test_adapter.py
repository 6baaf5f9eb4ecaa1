"""PEFT adapters of every legal kind answer as peft does; partial, foreign and resized ones are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from evenhand.errors import BadData, BadModel
from evenhand.models.causal import CausalModel
from evenhand.models.digests import weights_digest
from evenhand.opening import close_model, open_model, opened
from evenhand.records import Continuation
from evenhand.testing import tiny
from evenhand.treatments import load, scalable, scaled

ITEMS = [Continuation("The nurse smiled because", text) for text in (" he", " she")]
WEIGHTS = "adapter_model.safetensors"
Q = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "save": ("llama", {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    "dora": ("llama", {"target_modules": ["q_proj", "o_proj"], "use_dora": True}),
    "head": ("gpt2", {"target_modules": ["lm_head"]}),  # tied to the embeddings
    "embedding": ("llama", {"target_modules": ["embed_tokens"]}),
    "bias": ("gpt2", {"target_modules": ["c_attn"], "bias": "all"}),
    "lora_only": ("gpt2", {"target_modules": ["c_attn"], "bias": "lora_only"}),
    "tokens": ("llama", {"target_modules": ["q_proj"], "trainable_token_indices": [5, 6, 7]}),
    "ranks": ("llama", {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"v_proj": 2}}),
    "some": ("llama", {"target_modules": ["q_proj"], "layers_to_transform": [1]}),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> dict[str, Path]:
    """Saved tiny models: one with a head of its own, one with a tied head and biases."""
    made = {}
    for kind, changes in (("llama", {"tie_word_embeddings": False}), ("gpt2", {})):
        made[kind] = tmp_path_factory.mktemp(kind)
        tiny.module(kind, **changes).save_pretrained(made[kind])
        tiny.tokenizer(bos=True).save_pretrained(made[kind])
    return made


def trained(base: Path, out: Path, *, resize: bool = False, **settings: Any) -> list[float]:
    """Save an adapter whose every trained weight differs from its start; returns peft's own answers."""
    module = AutoModelForCausalLM.from_pretrained(base)
    if resize:
        module.resize_token_embeddings(len(tiny.tokenizer(bos=True)) + 2)
    wrapped = get_peft_model(module, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, **settings))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    wrapped.save_pretrained(out)
    tokenizer = tiny.tokenizer(bos=True)
    ids = torch.tensor([tokenizer(ITEMS[0].context)["input_ids"]])
    with torch.no_grad():
        logps = wrapped.eval()(ids).logits[0, -1].log_softmax(-1)
    return [float(logps[tokenizer(item.context + item.text)["input_ids"][-1]]) for item in ITEMS]


def changed(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_every_legal_kind_answers_as_peft_does_and_not_without_one_of_its_weights(kind, bases, tmp_path):
    base, settings = KINDS[kind]
    reference = trained(bases[base], tmp_path / "whole", **settings)
    plain = [answer.value for answer in open_model(f"hf:{bases[base]}").answer(ITEMS)]
    model = open_model(f"hf:{bases[base]}+{tmp_path / 'whole'}")
    answers = [answer.value for answer in model.answer(ITEMS)]
    assert answers == pytest.approx(reference, abs=1e-4)
    assert answers != pytest.approx(plain, abs=1e-3)
    names = sorted(load_file(tmp_path / "whole" / WEIGHTS))
    # peft saves the base's own embeddings beside an adapter of them: they are no part of the adapter.
    own = [name for name in names if not name.endswith("base_layer.weight")]
    for number, name in enumerate((own[0], own[-1])):
        part = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", part)
        changed(part, lambda held, name=name: {key: held[key] for key in held if key != name})
        shown = name.removeprefix("base_model.model.").replace("lora_magnitude_vector", "")
        with pytest.raises(BadModel, match=r"incomplete: its adapter_config\.json asks for") as caught:
            open_model(f"hf:{bases[base]}+{part}")
        assert shown in caught.value.what


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda held: {key.replace("layers.1.", "layers.7."): held[key] for key in held},
            r"no place in this model: model\.layers\.7\.self_attn\.q_proj\.lora_A\.weight, model\.layers\.7",
        ),
        (
            lambda held: {
                **held,
                "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight": torch.ones(4),
            },
            r"no place in this model: transformer\.h\.0\.attn\.c_attn\.lora_A\.weight\.",
        ),
        (
            lambda held: {**held, Q.format(0, "A"): torch.ones(4, 48)},
            r"layers\.0\.self_attn\.q_proj\.lora_A\.weight has the shape \(4, 48\), .* needs \(4, 32\)",
        ),
        (
            lambda held: {key: held[key] for key in held if ".layers.0." in key},
            r"lacks: model\.layers\.1\.self_attn\.q_proj\.lora_A\.weight.*layers\.2",
        ),
    ],
)
def test_an_adapter_of_another_model_is_refused_by_name(change, said, bases, tmp_path):
    trained(bases["llama"], tmp_path, target_modules=["q_proj"])
    changed(tmp_path, change)
    with pytest.raises(BadModel, match=said):
        open_model(f"hf:{bases['llama']}+{tmp_path}")


@pytest.mark.filterwarnings("ignore")
def test_a_resized_adapter_names_both_sizes(bases, tmp_path):
    size = len(tiny.tokenizer(bos=True))
    settings = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]}
    trained(bases["llama"], tmp_path, resize=True, **settings)
    with pytest.raises(BadModel, match=rf"embed_tokens\.weight has {size + 2} rows, the model's {size}\."):
        open_model(f"hf:{bases['llama']}+{tmp_path}")


def test_a_second_adapter_is_refused_instead_of_replacing_the_first(bases, tmp_path):
    trained(bases["llama"], tmp_path / "a", target_modules=["q_proj"])
    trained(bases["llama"], tmp_path / "b", target_modules=["v_proj"])
    with pytest.raises(BadModel, match="has an adapter already"):
        open_model(f"hf:{bases['llama']}+{tmp_path / 'a'}+{tmp_path / 'b'}")


def test_adapters_in_pickles_and_without_weights_are_refused(bases, tmp_path):
    trained(bases["llama"], tmp_path, target_modules=["q_proj"])
    held = load_file(tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(BadModel, match=r"holds no adapter_model\.safetensors"):
        open_model(f"hf:{bases['llama']}+{tmp_path}")
    torch.save(held, tmp_path / "adapter_model.bin")
    with pytest.raises(BadModel, match=r"keeps its weights in adapter_model\.bin"):
        open_model(f"hf:{bases['llama']}+{tmp_path}")


def test_a_damaged_configuration_gets_a_sentence(bases, tmp_path):
    (tmp_path / "adapter_config.json").write_text("[" * 100_000)
    with pytest.raises(BadData, match=r"adapter_config\.json cannot be used: it is nested too deeply"):
        open_model(f"hf:{bases['llama']}+{tmp_path}")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "NONE"}))
    with pytest.raises(BadModel, match=r"the adapter .* cannot be opened"):
        open_model(f"hf:{bases['llama']}+{tmp_path}")


def test_an_adapter_leaves_an_open_model(bases, tmp_path):
    trained(bases["llama"], tmp_path, target_modules=["q_proj"])
    model = open_model(f"hf:{bases['llama']}+{tmp_path}")
    assert isinstance(model, CausalModel)
    assert all(parameter.requires_grad for parameter in model.module.parameters())
    assert model.layout.n_blocks == 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_taken_off_every_kind_leaves_the_base_bit_for_bit(kind, bases, tmp_path):
    base, settings = KINDS[kind]
    trained(bases[base], tmp_path / "whole", **settings)
    model = open_model(f"hf:{bases[base]}")
    names, digest = [name for name, _ in model.module.named_modules()], weights_digest(model.module)
    plain = model.answer(ITEMS)
    treatment = load(tmp_path / "whole")
    treatment.save(tmp_path / "saved")
    assert load(tmp_path / "saved").digest == treatment.digest
    assert treatment.touches
    assert treatment.touches <= {name for name, _ in model.module.named_parameters(remove_duplicate=False)}
    with treatment.applied(model) as adapted:
        assert adapted.answer(ITEMS) != plain
    assert [name for name, _ in model.module.named_modules()] == names
    assert weights_digest(model.module) == digest
    assert model.answer(ITEMS) == plain


def test_a_closed_model_has_its_own_layers_again(bases, tmp_path):
    trained(bases["llama"], tmp_path, target_modules=["q_proj"])
    with opened(f"hf:{bases['llama']}+{tmp_path}") as model:
        assert any("lora" in name for name, _ in model.module.named_modules())
    assert not any("lora" in name for name, _ in model.module.named_modules())
    close_model(model)  # twice is no mistake


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["ranks", "some"])
def test_an_adapter_times_a_factor_is_one_with_its_b_multiplied(kind: str, bases, tmp_path: Path) -> None:
    base, settings = KINDS[kind]
    trained(bases[base], tmp_path / "one", **settings)
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    changed(tmp_path / "other", lambda w: {n: 3 * v if ".lora_B." in n else v for n, v in w.items()})
    one, other = load(tmp_path / "one"), load(tmp_path / "other")
    with opened(f"hf:{bases[base]}") as model:
        made = scaled(one, model, 3.0)
        assert made.digest != one.digest
        made.save(tmp_path / "kept")
        assert load(tmp_path / "kept").digest == made.digest
        answers = []
        for treatment in (made, load(tmp_path / "kept"), other):
            with treatment.applied(model) as adapted:
                answers.append([found.value for found in adapted.answer(ITEMS)])
    assert answers[0] == answers[1] == pytest.approx(answers[2], abs=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_that_is_not_linear_in_b_has_no_strength(bases, tmp_path: Path) -> None:
    for kind, able in (("dora", False), ("save", False), ("bias", False), ("some", True)):
        base, settings = KINDS[kind]
        trained(bases[base], tmp_path / kind, **settings)
        assert scalable(load(tmp_path / kind)) is able, kind
