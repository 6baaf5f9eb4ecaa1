"""One padded forward pass with the head on chosen positions, in float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GPT2Config, GPT2Model

from evenhand.architectures import is_recurrent
from evenhand.errors import BadModel
from evenhand.scoring.forward import SelectedHead, evaluating, pad_rows, run_rows, run_texts
from evenhand.testing import tiny

ROWS = [[5, 9, 33, 70], [66, 67]]


def test_padding_left_and_right():
    left = pad_rows(ROWS, "left")
    assert left["input_ids"].tolist() == [[5, 9, 33, 70], [0, 0, 66, 67]]
    assert left["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 0, 1, 1]]
    assert left["position_ids"].tolist() == [[0, 1, 2, 3], [0, 0, 0, 1]]
    right = pad_rows(ROWS, "right")
    assert right["input_ids"].tolist() == [[5, 9, 33, 70], [66, 67, 0, 0]]
    assert right["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert right["position_ids"].tolist() == [[0, 1, 2, 3], [0, 1, 1, 1]]


@pytest.mark.parametrize("padding", ["left", "right"])
def test_chosen_positions_come_out_in_order(padding):
    module = tiny.module("gpt2")
    with SelectedHead(module) as head, torch.no_grad():
        found = run_rows(module, head, ROWS, [[0, 3], [1]], padding=padding)
    with torch.no_grad():
        first = module(torch.tensor([ROWS[0]])).logits[0]
        second = module(torch.tensor([ROWS[1]])).logits[0]
    assert torch.allclose(found, torch.stack([first[0], first[3], second[1]]), atol=1e-5)


def test_the_model_is_left_as_it_was():
    module = tiny.module("llama")
    module.train()
    module.model.layers[0].eval()

    def work() -> None:
        with evaluating(module), SelectedHead(module) as head:
            assert not module.training
            run_rows(module, head, ROWS, [[0], [0]])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        work()
    assert module.training
    assert not module.model.layers[0].training
    assert module.model.layers[1].training
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in module.modules())
    assert module(torch.tensor([ROWS[0]])).logits.shape == (1, 4, module.config.vocab_size)


@pytest.mark.parametrize("kind", ["gpt2", "gemma2", "cohere"])
def test_a_bfloat16_model_gets_a_float32_head(kind):
    """The same bf16 hidden states through float32 weights: exact to float32, where bf16 logits are coarse."""
    module = tiny.module(kind).to(torch.bfloat16)
    states: list[torch.Tensor] = []
    hook = module.get_output_embeddings().register_forward_pre_hook(lambda _, args: states.append(args[0]))
    ids = torch.tensor([ROWS[0]])
    with torch.no_grad():
        coarse = module(ids).logits[0].float()
        hook.remove()
        with SelectedHead(module) as head:
            fine = run_rows(module, head, [ROWS[0]], [[0, 1, 2, 3]])
            assert head.float32
        weight = module.get_output_embeddings().weight
        exact = states[0][0].double() @ weight.double().T
        cap, scale = (
            getattr(module.config, "final_logit_softcapping", None),
            getattr(module.config, "logit_scale", 1.0),
        )
        exact = torch.tanh(exact / cap) * cap if cap else exact * scale
    assert fine.dtype == torch.float32
    fine_error, coarse_error = (float((x.double() - exact).abs().max()) for x in (fine, coarse))
    assert fine_error < 1e-5
    assert coarse_error > 100 * fine_error


def test_gradients_flow_through_the_float32_head():
    module = tiny.module("gpt2").to(torch.bfloat16)
    with SelectedHead(module) as head:
        run_rows(module, head, ROWS, [[3], [1]]).logsumexp(-1).sum().backward()
    assert module.transformer.h[0].mlp.c_fc.weight.grad.abs().sum() > 0


class Products(TorchDispatchMode):
    """The (rows, dtype) of each matrix product whose result is `width` wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.seen = width, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm) and found.shape[-1] == self.width:
            self.seen.append((found.shape[0], found.dtype))
        return found


@pytest.mark.parametrize(
    ("dtype", "observed", "products"),
    [
        (torch.float32, False, [(3, torch.float32)]),
        (torch.bfloat16, False, [(0, torch.bfloat16), (3, torch.float32)]),
        (torch.float16, False, [(0, torch.float16), (3, torch.float32)]),
        # A hook of somebody else sees the head's own product of the rows, as before.
        (torch.bfloat16, True, [(3, torch.bfloat16), (3, torch.float32)]),
    ],
)
def test_a_narrow_head_multiplies_each_row_once(dtype, observed, products):
    module = tiny.module("llama").to(dtype)
    shapes = []
    if observed:
        module.lm_head.register_forward_hook(lambda _, args, output: shapes.append(tuple(output.shape)))
    with torch.no_grad(), SelectedHead(module) as head, Products(head.vocabulary) as counted:
        found = run_rows(module, head, ROWS, [[0, 3], [1]])  # two positions of one row, one of the other
    assert counted.seen == products
    assert shapes == ([(1, 3, head.vocabulary)] if observed else [])
    assert found.dtype == torch.float32


def test_a_pass_without_chosen_positions_is_whole_after_one_with_them():
    module = tiny.module("llama").to(torch.bfloat16)
    with torch.no_grad(), SelectedHead(module) as head:
        whole = module(torch.tensor([ROWS[0]])).logits
        chosen = run_rows(module, head, [ROWS[0]], [[3]])
    assert whole.shape == (1, 4, head.vocabulary)
    assert torch.allclose(whole[0, 3], chosen[0], atol=1e-5)


def test_float64_stays_float64():
    module = tiny.module("gpt2").double()
    with SelectedHead(module) as head, torch.no_grad():
        assert run_rows(module, head, ROWS, [[3], [1]]).dtype == torch.float64


def test_a_head_of_another_kind_keeps_its_own_arithmetic():
    class Twice(nn.Module):
        def __init__(self, inner: nn.Linear) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return 2 * self.inner(hidden)

    module = tiny.module("llama")
    with torch.no_grad():
        plain = module(torch.tensor([ROWS[0]])).logits[0, -1]
        module.lm_head = Twice(module.lm_head)
        with SelectedHead(module) as head:
            assert not head.float32
            assert head.vocabulary == module.config.vocab_size
            assert torch.allclose(run_rows(module, head, [ROWS[0]], [[3]])[0], 2 * plain, atol=1e-5)


def test_a_model_without_a_head_is_refused():
    with pytest.raises(BadModel, match="no language-model head"):
        SelectedHead(GPT2Model(GPT2Config(vocab_size=10, n_embd=8, n_layer=1, n_head=1)))


def test_a_forward_pass_around_the_head_is_refused():
    module = tiny.module("llama")
    module.get_output_embeddings = lambda: nn.Linear(32, 7)  # a layer that the forward pass never calls
    with SelectedHead(module) as head, pytest.raises(BadModel, match="does not pass"), torch.no_grad():
        run_rows(module, head, ROWS, [[0], [0]])


def test_recurrent_architectures_are_known_by_type_or_layers():
    class Config:
        def __init__(self, kind: str, layers: list[str] | None = None) -> None:
            self.model_type, self.layer_types = kind, layers

    assert is_recurrent(Config("mamba"))
    assert is_recurrent(Config("qwen9", ["full_attention", "linear_attention"]))
    assert not is_recurrent(Config("gemma2", ["full_attention", "sliding_attention"]))
    assert not is_recurrent(tiny.module("llama").config)


def test_texts_can_be_run_for_hooks_to_see():
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    seen: list[torch.Tensor] = []
    hook = module.transformer.h[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    texts = ["The nurse", "The carpenter sat down slowly"]
    mask = run_texts(module, tokenizer, texts)
    hook.remove()
    lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
    assert mask.sum(1).tolist() == lengths
    assert mask[:, -1].all()
    assert seen[0].shape[:2] == mask.shape
