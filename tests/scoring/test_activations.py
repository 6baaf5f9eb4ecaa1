"""GELU as one kernel: the same numbers, only while scoring, and put back bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.activations import NewGELUActivation

from evenhand.scoring.activations import fused
from evenhand.testing import tiny


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_kernel_is_the_written_out_formula(dtype):
    x = torch.linspace(-12, 12, 100_001, dtype=dtype)
    apart = (NewGELUActivation()(x) - nn.GELU(approximate="tanh")(x)).abs() / x.abs().clamp_min(1)
    assert float(apart.max()) < 1e-6


def test_activations_are_put_back():
    module = tiny.module("gpt2")
    before = [block.mlp.act for block in module.transformer.h]
    with fused(module):
        assert all(type(block.mlp.act) is nn.GELU for block in module.transformer.h)
    assert [block.mlp.act for block in module.transformer.h] == before
    assert all(type(act) is NewGELUActivation for act in before)


def test_what_is_watched_or_narrow_is_left_alone():
    module = tiny.module("gpt2")
    module.transformer.h[0].mlp.act.register_forward_hook(lambda *_: None)
    with fused(module):
        kinds = [type(block.mlp.act) for block in module.transformer.h]
    assert kinds == [NewGELUActivation, nn.GELU, nn.GELU]
    narrow = tiny.module("gpt2").to(torch.bfloat16)
    with fused(narrow):
        assert type(narrow.transformer.h[0].mlp.act) is NewGELUActivation
