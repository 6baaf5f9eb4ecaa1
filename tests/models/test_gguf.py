"""``gguf:`` files, written here with the gguf package as llama.cpp's converter lays them out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import quantize

from evenhand.errors import BadData, BadModel, BadOption, MissingExtra
from evenhand.models import gguf as opening
from evenhand.models import loading
from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from evenhand.records import Continuation
from evenhand.testing import tiny

ITEMS = [Continuation("The nurse smiled because", term) for term in (" she", " he", " they")]
NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}


def module():
    return tiny.module("llama", intermediate_size=64)


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rotary pairs side by side, as llama.cpp keeps them; transformers keeps them half a head apart."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write(path: Path, kind: gguf.GGMLQuantizationType) -> Path:
    """The tiny Llama as a GGUF file, its matrices stored as `kind`."""
    model, tokenizer = module(), tiny.tokenizer()
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    tokens += [f"<unused{i}>" for i in range(config.vocab_size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    special = set(tokenizer.all_special_tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in described["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_bos_token_id(tokenizer.eos_token_id)
    for name, tensor in model.state_dict().items():
        _, _, rest = name.partition("layers.")
        number, _, part = rest.partition(".")
        stored = f"blk.{number}.{NAMES[part]}" if rest else NAMES[name]
        value = tensor.numpy()
        for letter, heads in (("q", config.num_attention_heads), ("k", config.num_key_value_heads)):
            if name.endswith(f"{letter}_proj.weight"):
                value = interleaved(value, heads)
        if value.ndim > 1 and kind is not gguf.GGMLQuantizationType.F32:
            writer.add_tensor(stored, quantize(np.ascontiguousarray(value), kind), raw_dtype=kind)
        else:
            writer.add_tensor(stored, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.F32.gguf", gguf.GGMLQuantizationType.F32)


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny+q8.gguf", gguf.GGMLQuantizationType.Q8_0)


def test_unquantised_weights_give_the_models_own_answers(plain):
    model = open_model(f"gguf:{plain}")
    assert isinstance(model, CausalModel)
    assert model.spec.origin == "F32 (GGUF)"
    expected = CausalModel(module(), tiny.tokenizer(), "own").answer(ITEMS)
    for found, own in zip(model.answer(ITEMS), expected, strict=True):
        assert found.n_tokens == own.n_tokens
        assert math.isclose(found.value, own.value, abs_tol=1e-5)


def test_quantised_weights_are_dequantised_and_say_so(packed, tmp_path):
    model = open_model(f"gguf:{packed}")
    assert isinstance(model, CausalModel)
    assert model.spec.origin == "dequantised from Q8_0 (GGUF)"
    assert model.spec.dtype == "float32"
    weight = model.module.model.layers[0].mlp.up_proj.weight  # type: ignore[union-attr]
    own = module().model.layers[0].mlp.up_proj.weight
    step = float(own.detach().abs().max()) / 127  # Q8_0 rounds to 1/127 of the largest of each 32
    assert 0 < float((weight - own).detach().abs().max()) <= step / 2 * 1.01
    model.module.save_pretrained(tmp_path)  # refused by transformers while it calls itself quantised
    model.tokenizer.save_pretrained(tmp_path)
    assert open_model(f"hf:{tmp_path}").spec.digest == model.spec.digest


def test_every_measurement_says_where_the_weights_come_from(packed):
    from evenhand.benchmarks.genbiaseval import GenBiasEval
    from evenhand.studies.measure import take

    taken = take(open_model(f"gguf:{packed}"), GenBiasEval(), limit=5)
    assert taken.model.origin == "dequantised from Q8_0 (GGUF)"
    assert "The weights are dequantised from Q8_0 (GGUF)." in taken.notes


def test_a_dtype_may_be_asked_for(packed):
    assert open_model(f"gguf:{packed}", dtype="bfloat16").spec.dtype == "bfloat16"
    with pytest.raises(BadOption, match="int3"):
        open_model(f"gguf:{packed}", dtype="int3")


def test_what_is_no_gguf_file(packed, tmp_path):
    with pytest.raises(BadData, match=r"is a folder.*tiny\+q8\.gguf"):
        open_model(f"gguf:{packed.parent}")
    with pytest.raises(BadData, match="cannot be read"):
        open_model(f"gguf:{tmp_path / 'none.gguf'}")
    (tmp_path / "x.gguf").write_bytes(b"PK not a model")
    with pytest.raises(BadData, match="four letters"):
        open_model(f"gguf:{tmp_path / 'x.gguf'}")
    (tmp_path / "cut.gguf").write_bytes(packed.read_bytes()[:3000])
    with pytest.raises(loading.BadModel, match="cannot be opened"):
        open_model(f"gguf:{tmp_path / 'cut.gguf'}")


def test_without_the_package(packed, monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"evenhand\[gguf\]"):
        open_model(f"gguf:{packed}")


@pytest.mark.parametrize("count", [0, 1, 2, 4, 2**31])
def test_blocks_that_the_metadata_leave_out_or_invent_are_refused(count, plain, tmp_path):
    found = plain.read_bytes()
    place = found.index(b"llama.block_count") + len(b"llama.block_count") + 4  # behind the type of the value
    file = tmp_path / "fewer.gguf"
    file.write_bytes(found[:place] + count.to_bytes(4, "little") + found[place + 4 :])
    with pytest.raises(BadModel, match=f"describe {count} layers, its tensors hold 3"):
        open_model(f"gguf:{file}")


@pytest.mark.parametrize("kept", [6, 20, 1000, 20_000, -5])
def test_a_file_that_is_cut_short_says_so(kept, plain, tmp_path):
    file = tmp_path / "short.gguf"
    file.write_bytes(plain.read_bytes()[:kept])
    with pytest.raises(BadModel, match="cut short"):
        open_model(f"gguf:{file}")


def test_an_adapter_leaves_the_origin_in_view(packed, tmp_path):
    from peft import LoraConfig, get_peft_model

    base = open_model(f"gguf:{packed}")
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(base.module, config).save_pretrained(tmp_path)  # type: ignore[attr-defined]
    adapted = open_model(f"gguf:{packed}+{tmp_path}")
    assert adapted.spec.origin == "dequantised from Q8_0 (GGUF)"
    assert adapted.answer(ITEMS) != open_model(f"gguf:{packed}").answer(ITEMS)
