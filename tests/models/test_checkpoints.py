"""A configuration that does not belong to the weights is refused by name, before memory is taken for them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, BertForPreTraining, LlamaConfig

from evenhand.errors import BadModel
from evenhand.models import checkpoints, loading
from evenhand.opening import open_model
from evenhand.records import Continuation
from evenhand.testing import tiny
from tests.support import families

ITEM = Continuation("The nurse smiled because", " she")
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model")
    tiny.module("llama", tie_word_embeddings=False).save_pretrained(path)
    tiny.tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture
def weightless(monkeypatch) -> None:
    """Fail where weights are loaded: every refusal has to come before that."""
    inner = loading._from_pretrained

    def only_without_storage(kind: Any, name: str, config: Any, how: dict[str, Any]) -> Any:
        assert how["device_map"] == "meta", "memory was taken"
        return inner(kind, name, config, how)

    monkeypatch.setattr(loading, "_from_pretrained", only_without_storage)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def reweigh(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    held = load_file(folder / WEIGHTS)
    save_file(change(held), folder / WEIGHTS, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 10_000}, r"describes 10000 layers, its weights hold 3\."),
        ({"num_hidden_layers": 0}, r"describes 0 layers, its weights hold 3\."),
        ({"num_hidden_layers": -1}, r"describes -1 layers, its weights hold 3\."),
        ({"num_hidden_layers": 4}, r"lacks weights that the model needs: model\.layers\.3\."),
        (
            {"num_hidden_layers": 2},
            r"of its layers that LlamaForCausalLM would leave out: model\.layers\.2\.",
        ),
        ({"vocab_size": 4_000_000}, r"lm_head\.weight has the shape \(\d+, 32\), .* \(4000000, 32\)"),
        ({"hidden_size": 4096}, r"has the shape \(\d+, 32\), and the configuration describes \(\d+, 4096\)"),
        ({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}, r"lacks .*q_proj\.bias"),
    ],
)
def test_another_configuration_is_refused_before_memory_is_taken(changes, said, folder, weightless):
    edit(folder / "config.json", **changes)
    start = time.perf_counter()
    with pytest.raises(BadModel, match=said):
        open_model(f"hf:{folder}")
    assert time.perf_counter() - start < 20  # 10 000 layers took minutes to build


def test_ten_thousand_layers_are_not_even_built(folder, monkeypatch):
    monkeypatch.setattr(loading, "_from_pretrained", lambda *_: pytest.fail("it was built"))
    edit(folder / "config.json", num_hidden_layers=10_000)
    with pytest.raises(BadModel, match="10000 layers"):
        open_model(f"hf:{folder}")


def test_weights_of_another_class_are_refused(tmp_path, weightless):
    """Qwen3 opened as Llama would only lose its norms, and answer."""
    tiny.module("qwen3").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    edit(tmp_path / "config.json", model_type="llama", architectures=["LlamaForCausalLM"])
    with pytest.raises(BadModel, match=r"would leave out: model\.layers\.0\.self_attn\.k_norm\.weight"):
        open_model(f"hf:{tmp_path}")


def test_a_damaged_file_is_told_by_its_header(folder, weightless):
    whole = (folder / WEIGHTS).read_bytes()
    for data, said in (
        (whole[:-4], rf"model\.safetensors is cut short: it has {len(whole) - 4} of {len(whole)} bytes"),
        (whole[:50], r"model\.safetensors is cut short, or not a safetensors file"),
        (b"", r"model\.safetensors is cut short, or not a safetensors file"),
        (b"\xff" * 100, r"model\.safetensors is cut short, or not a safetensors file"),
    ):
        (folder / WEIGHTS).write_bytes(data)
        with pytest.raises(BadModel, match=said):
            open_model(f"hf:{folder}")


def test_shards_open_and_are_checked_together(saved, tmp_path, weightless, monkeypatch):
    module = AutoModelForCausalLM.from_pretrained(saved)
    module.save_pretrained(tmp_path, max_shard_size="20KB")
    tiny.tokenizer().save_pretrained(tmp_path)
    shards = sorted(tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    edit(tmp_path / "config.json", num_hidden_layers=10_000)
    with pytest.raises(BadModel, match="10000 layers, its weights hold 3"):
        open_model(f"hf:{tmp_path}")
    edit(tmp_path / "config.json", num_hidden_layers=3)
    kept = shards[1].read_bytes()
    shards[1].write_bytes(kept[:-1])
    with pytest.raises(BadModel, match=rf"{shards[1].name} is cut short"):
        open_model(f"hf:{tmp_path}")
    shards[1].unlink()
    with pytest.raises(BadModel, match=rf"names {shards[1].name}, which is not there"):
        open_model(f"hf:{tmp_path}")
    shards[1].write_bytes(kept)
    index = (tmp_path / INDEX).read_bytes()
    (tmp_path / INDEX).write_bytes(b"[" * 100_000)
    with pytest.raises(BadModel, match=r"index\.json lists no weights \(nested too deeply"):
        open_model(f"hf:{tmp_path}")
    (tmp_path / INDEX).write_bytes(index)
    monkeypatch.undo()
    assert open_model(f"hf:{tmp_path}").answer([ITEM]) == open_model(f"hf:{saved}").answer([ITEM])


def test_what_a_whole_checkpoint_may_have_beside_is_noted_or_nothing(folder):
    plain = open_model(f"hf:{folder}")
    assert plain.notes() == ()
    extra = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),  # older versions saved it
        "score.weight": torch.ones(2, 32),
    }
    reweigh(folder, lambda held: {**held, **extra})
    model = open_model(f"hf:{folder}")
    assert model.answer([ITEM]) == plain.answer([ITEM])
    (note,) = model.notes()
    assert note == f"LlamaForCausalLM does not use these weights of {folder}: score.weight."


def test_layers_that_predict_further_tokens_are_no_part_of_the_model(folder):
    def behind(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        copies = {k.replace("layers.2.", "layers.3."): v.clone() for k, v in held.items() if "layers.2." in k}
        return {**held, **copies}

    reweigh(folder, behind)
    with pytest.raises(BadModel, match=r"would leave out: model\.layers\.3\."):
        open_model(f"hf:{folder}")
    edit(folder / "config.json", num_nextn_predict_layers=1)
    assert "does not use these weights" in open_model(f"hf:{folder}").notes()[0]


@pytest.mark.parametrize(
    ("kind", "base", "buffers"),
    [
        ("gpt2", "transformer.", ["h.0.attn.bias", "h.1.attn.masked_bias"]),
        ("gpt_neox", "gpt_neox.", ["layers.0.attention.bias", "layers.2.attention.rotary_emb.inv_freq"]),
        (
            "gpt_neo",
            "",
            ["transformer.h.0.attn.attention.bias", "transformer.h.0.attn.attention.masked_bias"],
        ),
        ("codegen", "", ["transformer.h.0.attn.causal_mask"]),
        ("bloom", "transformer.", []),
    ],
)
def test_old_buffers_and_names_without_the_base_are_no_fault(kind, base, buffers, tmp_path):
    tiny.module(kind).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    old = {name: torch.ones(1, 1, 8, 8) for name in buffers}
    reweigh(tmp_path, lambda held: {**{key.removeprefix(base): held[key] for key in held}, **old})
    model = open_model(f"hf:{tmp_path}")
    assert model.notes() == ()
    own = tiny.model(kind).answer([ITEM])[0].value
    assert model.answer([ITEM])[0].value == pytest.approx(own, abs=1e-4)


def test_a_tied_head_and_a_bare_backbone_are_complete(tmp_path):
    tiny.module("gpt2").transformer.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    own = tiny.model("gpt2").answer([ITEM])[0].value
    assert open_model(f"hf:{tmp_path}").answer([ITEM])[0].value == pytest.approx(own, abs=1e-5)


def test_a_pre_training_checkpoint_opens_without_its_second_head(tmp_path):
    masked = families.module("bert")
    whole = BertForPreTraining(masked.config)
    whole.load_state_dict(masked.state_dict(), strict=False)
    whole.save_pretrained(tmp_path)
    families.wordpiece().save_pretrained(tmp_path)
    model = open_model(f"hf:{tmp_path}")
    own = families.masked("bert").answer([ITEM])[0].value
    assert model.answer([ITEM])[0].value == pytest.approx(own, abs=1e-5)
    assert any("cls.seq_relationship.weight" in note for note in model.notes())
    assert AutoModelForMaskedLM.from_pretrained(tmp_path).config.model_type == "bert"


@pytest.mark.parametrize("kind", ["mixtral", "gpt_oss", "qwen3_moe", "phimoe"])
def test_experts_that_the_library_fuses_are_complete(kind, tmp_path):
    tiny.module(kind).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    assert open_model(f"hf:{tmp_path}").notes() == ()


def test_shared_layers_are_complete(tmp_path):
    families.module("albert").save_pretrained(tmp_path)
    families.tokenizer_of("albert").save_pretrained(tmp_path)
    edit(tmp_path / "config.json", num_hidden_layers=12)
    assert open_model(f"hf:{tmp_path}").answer([ITEM])[0].value < 0


def remote(folder: Path, file: str, **names: Any) -> Path:
    """Let a file name code that leaves a mark where it runs; returns the mark's path."""
    marker = folder / "ran"
    (folder / "code.py").write_text(f"open({str(marker)!r}, 'w')\n")
    edit(folder / file, **names)
    return marker


def test_code_of_an_unknown_kind_is_refused_in_our_words(folder):
    names = {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}
    marker = remote(folder, "config.json", model_type="stranger", auto_map=names)
    with pytest.raises(BadModel, match=r"contains its own Python code \(auto_map.* runs no code") as caught:
        open_model(f"hf:{folder}")
    assert "trust_remote_code" not in str(caught.value)
    assert not marker.exists()


def test_code_beside_a_known_kind_is_left_alone_and_noted(folder):
    plain = open_model(f"hf:{folder}").answer([ITEM])
    names = {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}
    marker = remote(folder, "config.json", auto_map=names)
    remote(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.T", "code.T"]})
    model = open_model(f"hf:{folder}")
    assert model.answer([ITEM]) == plain
    assert not marker.exists()
    notes = " ".join(model.notes())
    assert "config.json names code of its own (auto_map), which was not run: the library's own Llama" in notes
    assert "tokenizer_config.json names code of its own" in notes


@pytest.mark.parametrize("file", ["config.json", "generation_config.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not readable: it has a number of thousands of digits"),
        ('{"bos_token": "\\ud800"}', r"not Unicode text: \\ud800 is half"),
        ("{", "not JSON"),
    ],
)
def test_settings_that_cannot_be_read_get_a_sentence(file, text, said, folder):
    (folder / file).write_text(text)
    with pytest.raises(BadModel, match=rf"{file} cannot be read: it is {said}"):
        open_model(f"hf:{folder}")


def test_a_tokenizer_file_that_cannot_be_read_gets_a_sentence(folder):
    (folder / "tokenizer.json").write_text("[" * 100_000)
    with pytest.raises(BadModel, match="cannot be opened"):
        open_model(f"hf:{folder}")


def test_packed_weights_are_loaded_once_where_they_belong(folder, monkeypatch):
    asked = []

    def note(kind: Any, name: str, config: Any, how: dict[str, Any]) -> Any:
        asked.append(how["device_map"])
        raise RuntimeError("seen")

    monkeypatch.setattr(loading, "_from_pretrained", note)
    edit(folder / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    with pytest.raises(BadModel, match="seen"):
        open_model(f"hf:{folder}")
    assert asked == [None]


def test_a_hub_names_header_comes_from_the_cache(folder, monkeypatch):
    asked = []

    def cached(name: str, file: str, **how: Any) -> str | None:
        asked.append((name, file, how["revision"]))
        return str(folder / file) if file == WEIGHTS else None

    monkeypatch.setattr("transformers.utils.hub.cached_file", cached)
    assert checkpoints.found("org/x", {"revision": "v1"}) == {WEIGHTS: folder / WEIGHTS}
    assert asked == [("org/x", WEIGHTS, "v1")]
    monkeypatch.setattr("transformers.utils.hub.cached_file", lambda *_, **__: None)
    assert checkpoints.found("org/x", {}) == {}
    checkpoints.check_depth("org/x", LlamaConfig(num_hidden_layers=10_000), {})  # nothing to hold it against


@pytest.mark.parametrize("theta", [0.0, -5.0, float("nan")])
def test_positions_that_are_no_numbers_are_refused(theta, folder):
    edit(folder / "config.json", rope_parameters={"rope_type": "default", "rope_theta": theta})
    with pytest.raises(BadModel, match=r"inv_freq NaN or infinite.*rope_theta"):
        open_model(f"hf:{folder}")


@pytest.mark.parametrize(
    "place", ["../outside.safetensors", "{}/outside.safetensors", "a/../../outside.safetensors"]
)
def test_an_index_names_no_file_outside_its_folder(place, folder, tmp_path, weightless):
    shard = place.format(tmp_path)
    (folder / "a").mkdir()
    names = list(load_file(folder / WEIGHTS))
    (folder / WEIGHTS).rename(tmp_path / "outside.safetensors")
    shutil.copy(tmp_path / "outside.safetensors", folder / "model-1.safetensors")
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, shard)}))
    with pytest.raises(BadModel, match=r"not inside its folder"):
        open_model(f"hf:{folder}")


@pytest.mark.parametrize("longest", ["x", -1, 0, True])
def test_a_length_that_is_no_number_is_refused(longest, folder, weightless):
    edit(folder / "tokenizer_config.json", model_max_length=longest)
    with pytest.raises(BadModel, match="model_max_length"):
        open_model(f"hf:{folder}")


def test_weights_in_another_dtype_are_copied_and_others_are_read_in_place(saved, tmp_path) -> None:
    files = checkpoints.found(str(saved), {})
    whole = sum(value.nbytes for value in load_file(saved / WEIGHTS).values())
    assert checkpoints.copied_bytes(str(saved), files, "float32") == 0
    assert checkpoints.copied_bytes(str(saved), files, "bfloat16") == whole
    mixed = {
        "a": torch.zeros(3, dtype=torch.bfloat16),
        "b": torch.zeros(5),
        "c": torch.zeros(7, dtype=torch.int64),
    }
    save_file(mixed, tmp_path / WEIGHTS)
    assert checkpoints.copied_bytes("it", {WEIGHTS: tmp_path / WEIGHTS}, "float32") == 6


def test_the_shards_of_an_index_count(saved, tmp_path) -> None:
    module = tiny.module("llama", tie_word_embeddings=False)
    module.save_pretrained(tmp_path, max_shard_size="50KB")
    files = checkpoints.found(str(tmp_path), {})
    assert INDEX in files
    whole = sum(value.nbytes for value in load_file(saved / WEIGHTS).values())
    assert checkpoints.copied_bytes(str(tmp_path), files, "bfloat16") == whole


def test_what_is_opened_in_another_dtype_is_known_before(saved) -> None:
    assert loading.described(str(saved)).copied == 0
    found = loading.described(str(saved), dtype="bfloat16")
    assert found.copied == sum(value.nbytes for value in load_file(saved / WEIGHTS).values())
