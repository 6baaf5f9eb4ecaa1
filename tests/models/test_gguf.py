"""``gguf:`` files, written here with the gguf package as llama.cpp's converter lays them out."""

from __future__ import annotations

import math
from pathlib import Path

import gguf
import pytest

from evenhand.errors import BadData, BadModel, BadOption, MissingExtra
from evenhand.models import gguf as opening
from evenhand.models import loading
from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from evenhand.records import Continuation
from evenhand.testing import tiny
from tests.support.gguf_file import write

ITEMS = [Continuation("The nurse smiled because", term) for term in (" she", " he", " they")]
Q8 = gguf.GGMLQuantizationType.Q8_0


def module():
    return tiny.module("llama", intermediate_size=64)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.F32.gguf", module(), tiny.tokenizer())


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny+q8.gguf", module(), tiny.tokenizer(), kind=Q8)


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
