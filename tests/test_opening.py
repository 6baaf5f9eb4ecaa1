"""One string names a model: schemes, additions, and what is missing on the machine."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evenhand import opening
from evenhand.errors import BadData, MissingExtra, UnknownName, UsageError
from evenhand.opening import close_model, open_model, split_additions
from evenhand.testing import tiny
from evenhand.treatments import About
from evenhand.treatments.weights import WeightTreatment


@pytest.mark.parametrize("text", ["hff:gpt2", "gpt2", ":x"])
def test_unknown_schemes_list_the_known_ones(text):
    with pytest.raises(UnknownName) as caught:
        open_model(text)
    assert {"hf", "lab", "recorded"} <= set(caught.value.known)
    assert caught.value.exit_code == 2


def test_a_bare_name_is_led_to_its_scheme():
    with pytest.raises(UnknownName, match="Write hf:gpt2"):
        open_model("gpt2")
    with pytest.raises(UnknownName, match="Did you mean 'recorded'"):
        open_model("record:x.jsonl")


@pytest.mark.parametrize("text", ["hf:", "lab:", "recorded:"])
def test_a_scheme_alone_names_nothing(text):
    with pytest.raises(UsageError, match="names no model"):
        open_model(text)


def test_additions_are_cut_at_plus_signs():
    assert split_additions("org/name@main") == ("org/name@main", [])
    assert split_additions("org/name+a+./b") == ("org/name", [Path("a"), Path("b")])
    assert split_additions("causal?block=2+treated") == ("causal?block=2", [Path("treated")])


def test_a_plus_inside_an_existing_path_does_not_cut(tmp_path):
    folder = tmp_path / "c++"
    folder.mkdir()
    assert split_additions(f"{folder}") == (str(folder), [])
    assert split_additions(f"{folder}+adapter") == (str(folder), [Path("adapter")])


@pytest.mark.parametrize("package", ["torch", "transformers", "safetensors"])
def test_a_missing_package_names_the_extra(monkeypatch, package):
    monkeypatch.setattr(opening, "find_spec", lambda name: None if name == package else object())
    for text in ("hf:gpt2", "lab:causal"):
        with pytest.raises(MissingExtra, match=r"pip install 'evenhand\[hf\]'") as caught:
            open_model(text)
        assert package in caught.value.what
        assert caught.value.exit_code == 4


def test_another_package_can_add_a_scheme(monkeypatch):
    class Point(opening.EntryPoint):
        def load(self):
            return lambda rest, dtype, batch_tokens: (rest, dtype, batch_tokens)

    monkeypatch.setattr(opening, "_registered", lambda: {"own": Point("own", "x:y", "evenhand.models")})
    assert open_model("own:thing", dtype="float32", batch_tokens=7) == ("thing", "float32", 7)


def test_an_addition_must_be_a_folder(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"context": "a", "text": " b", "logprob": -1}')
    with pytest.raises(BadData, match="There is no folder"):
        open_model(f"recorded:{file}+{tmp_path}/nothing")
    with pytest.raises(BadData, match=r"neither an adapter_config.json"):
        open_model(f"recorded:{file}+{tmp_path}")


def test_a_treated_module_stays_treated_without_its_model(tmp_path: Path) -> None:
    """`open_model(uri).module` alone is the treated one, and closing the model gives the base's bits back."""
    tiny.module("llama").save_pretrained(tmp_path / "base")
    tiny.tokenizer().save_pretrained(tmp_path / "base")
    base = f"hf:{tmp_path / 'base'}"
    name = "model.layers.1.mlp.down_proj.weight"
    model = open_model(base)
    before = model.module.get_parameter(name).detach().clone()
    WeightTreatment(About("zero", model.spec.digest, 0), {name: torch.zeros_like(before)}).save(
        tmp_path / "t"
    )
    module = open_model(f"{base}+{tmp_path / 't'}").module
    gc.collect()
    assert not module.get_parameter(name).any()
    again = open_model(f"{base}+{tmp_path / 't'}")
    close_model(again)
    assert torch.equal(again.module.get_parameter(name), before)


def test_a_program_that_ends_with_a_treated_model_open_says_nothing(tmp_path: Path) -> None:
    tiny.module("llama").save_pretrained(tmp_path / "base")
    tiny.tokenizer().save_pretrained(tmp_path / "base")
    base = f"hf:{tmp_path / 'base'}"
    model = open_model(base)
    name = "model.norm.weight"
    value = model.module.get_parameter(name).detach() * 2
    WeightTreatment(About("twice", model.spec.digest, 0), {name: value}).save(tmp_path / "t")
    program = f"import evenhand; model = evenhand.open_model('{base}+{tmp_path / 't'}')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Exception ignored" not in done.stderr
