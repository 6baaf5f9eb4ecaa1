"""Quantised checkpoints are named, or refused with what they need."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from transformers import GPTQConfig, LlamaConfig

from evenhand.errors import BadModel, EnvironmentProblem
from evenhand.models import quantised
from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from evenhand.records import Ability
from evenhand.testing import tiny


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "quantised by bitsandbytes, 4 bits"),
        ({"quant_method": "bitsandbytes", "_load_in_8bit": True}, "quantised by bitsandbytes, 8 bits"),
        ({"quant_method": "gptq", "bits": 3}, "quantised by GPTQ, 3 bits"),
        ({"quant_method": "awq", "w_bit": 4}, "quantised by AWQ, 4 bits"),
        ({"quant_method": "new"}, "quantised by new"),
        ({}, "quantised by an unnamed method"),
    ],
)
def test_the_method_is_named(given: dict[str, Any], said: str) -> None:
    assert quantised.origin(LlamaConfig(quantization_config=given)) == said


def test_plain_weights_have_no_name_and_objects_are_read() -> None:
    assert quantised.origin(LlamaConfig()) is None
    assert (
        quantised.origin(LlamaConfig(quantization_config=GPTQConfig(bits=4))) == "quantised by GPTQ, 4 bits"
    )


@pytest.mark.parametrize(
    ("given", "package"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "gptqmodel"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "gptqmodel"),
    ],
)
def test_a_missing_package_is_named(given: dict[str, Any], package: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    tiny.module("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": given}))
    with pytest.raises(
        EnvironmentProblem, match=rf"quantised by .*, 4 bits, which only the package {package}"
    ):
        open_model(f"hf:{tmp_path}")


def test_an_unknown_method_is_refused_by_name() -> None:
    config = LlamaConfig(quantization_config={"quant_method": "new"})
    with pytest.raises(BadModel, match="quantised by new"), quantised.explained("it", config):
        raise ValueError("Unknown quantization type.")
    with pytest.raises(ValueError, match="other"), quantised.explained("it", LlamaConfig()):
        raise ValueError("other")


def test_packed_weights_are_named_in_the_spec_and_not_treated() -> None:
    module: nn.Module = tiny.module("llama")
    module.config.quantization_config = {"quant_method": "gptq", "bits": 4}  # type: ignore[union-attr]
    model = CausalModel(module, tiny.tokenizer(), "tiny:llama")
    assert model.spec.origin == "quantised by GPTQ, 4 bits"
    assert not {Ability.WEIGHTS, Ability.GRADIENTS} & model.can
    assert {Ability.LOGPROBS, Ability.HIDDEN} <= model.can
