"""Observing, replacing and restoring at sites."""

from __future__ import annotations

import pytest
import torch

from evenhand.errors import BadModel, UnknownName
from evenhand.hooks import observe, patch, restore
from evenhand.records import Continuation
from evenhand.scoring.forward import run_texts
from evenhand.testing import tiny

ITEM = Continuation("The nurse smiled because", " she")


def score(model) -> float:
    return model.answer([ITEM])[0].value


def no_hooks_left(model) -> bool:
    return all(not m._forward_hooks and not m._forward_pre_hooks for m in model.module.modules())


@pytest.mark.parametrize("kind", ["gpt2", "opt", "bloom", "llama"])
def test_leaving_a_block_out_equals_a_model_without_it(kind):
    model = tiny.model(kind)
    whole = score(model)
    with patch(model, "block.1", lambda output, given: given):
        without = score(model)
    assert score(model) == whole
    blocks = next(m for m in model.module.modules() if isinstance(m, torch.nn.ModuleList))
    del blocks[1]
    if hasattr(model.module.config, "num_hidden_layers"):
        model.module.config.num_hidden_layers = len(blocks)
    assert score(model) == pytest.approx(without, abs=1e-6)
    assert without != pytest.approx(whole, abs=1e-3)


def test_tuple_outputs_keep_their_other_parts():
    model = tiny.model("gpt2")  # its attention returns (output, weights)
    with patch(model, "block.0.attention", lambda output, given: output):
        assert score(model) == score(tiny.model("gpt2"))


def test_observed_tensors_carry_gradients():
    model = tiny.model("llama")
    with observe(model, ["block.0"]) as seen:
        run_texts(model.module, model.tokenizer, ["The nurse smiled"])
    before, after = seen["block.0"]
    assert after.requires_grad
    assert before.shape == after.shape == (1, 3, 32)


def test_the_newest_pass_is_kept():
    model = tiny.model("llama")
    with observe(model, ["norm"]) as seen:
        assert seen == {}
        run_texts(model.module, model.tokenizer, ["The nurse smiled"])
        run_texts(model.module, model.tokenizer, ["The nurse"])
    assert seen["norm"][0].shape[1] == 2


@pytest.mark.parametrize(
    "manager", [lambda m: observe(m, ["block.0"]), lambda m: patch(m, "block.0", lambda o, i: o)]
)
def test_hooks_go_also_when_something_fails(manager):
    model = tiny.model("gpt2")

    def work() -> None:
        with manager(model):
            assert not no_hooks_left(model)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        work()
    assert no_hooks_left(model)


def test_an_unknown_site_leaves_no_hook_behind():
    model = tiny.model("gpt2")
    with pytest.raises(UnknownName, match=r"block.0.mlp"), observe(model, ["block.0", "block.0.mpl"]):
        pass
    assert no_hooks_left(model)


def test_restore_puts_the_bits_back():
    model = tiny.model("gpt2")
    before = {name: p.detach().clone() for name, p in model.module.named_parameters()}

    def work() -> None:
        sites = [model.layout.parameters(site) for site in ("block.1", "head")]
        with restore(p for site in sites for p in site.values()), torch.no_grad():
            for parameter in model.layout.parameters("block.1").values():
                parameter.add_(1e-3)
            model.module.get_input_embeddings().weight.mul_(3)  # tied to the head
            assert not torch.equal(before["transformer.wte.weight"], model.module.lm_head.weight)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        work()
    assert all(torch.equal(before[name], p) for name, p in model.module.named_parameters())


def test_a_site_that_receives_no_tensor_is_explained():
    model = tiny.model("gpt2")
    block = model.module.transformer.h[0]
    with observe(model, ["block.0"]), pytest.raises(BadModel, match="receives no tensor"):
        block(None)
