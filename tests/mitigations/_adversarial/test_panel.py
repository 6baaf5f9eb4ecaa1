"""A panel's answers are the scoring engine's, with a prefix as without, and their gradients are right."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.mitigations._adversarial.panel import JOINT, Panel
from evenhand.models.causal import CausalModel
from evenhand.records import Continuation
from evenhand.testing.examples import people
from evenhand.testing.tiny import PROMISED, RECURRENT
from evenhand.testing.tiny import model as tiny


def _one_hot(model: CausalModel, ids: list[int]) -> Tensor:
    width = model.module.get_input_embeddings().weight.shape[0]  # type: ignore[operator,union-attr]
    return torch.nn.functional.one_hot(torch.tensor(ids), width).float()


def _engine(model: CausalModel, text: str = "", **how: object) -> Tensor:
    asked = [Continuation(text + r.context, r.text) for p in people(**how) for r in p.requests()]  # type: ignore[arg-type]
    values = torch.tensor([answer.value for answer in model.answer(asked)])
    return values.view(len(people()), -1, len(people(**how)[0].labels))  # type: ignore[arg-type]


# The embeddings are scaled in gemma, the others differ in positions, norms and padding.
@pytest.mark.parametrize("kind", [*PROMISED, "gemma3_text", "lfm2"])
def test_without_a_prefix_it_is_what_the_engine_says(kind: str) -> None:
    model = tiny(kind)
    answers = Panel(model, people()).everyone(batch=5)
    torch.testing.assert_close(answers.log_p, _engine(model), atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("kind", "bos"), [*((kind, False) for kind in (*PROMISED, "gemma3_text", "lfm2")), ("llama", True)]
)
def test_a_hard_prefix_is_what_the_engine_says_of_its_text(kind: str, bos: bool) -> None:
    model = tiny(kind, bos=bos)
    text = "The doctor was late"
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    panel = Panel(model, people(), length=len(ids))
    got = panel.everyone(_one_hot(model, ids), batch=7).log_p
    torch.testing.assert_close(got, _engine(model, text + JOINT), atol=3e-4, rtol=0)


def test_labels_of_several_tokens_follow_the_chain_rule() -> None:
    model = tiny("llama", bos=True)
    how = {"labels": (" sat down slowly", " opened the door", " left")}
    ids = model.tokenizer(" her dog", add_special_tokens=False)["input_ids"]
    panel = Panel(model, people(**how), length=len(ids))  # type: ignore[arg-type]
    torch.testing.assert_close(panel.everyone(batch=6).log_p, _engine(model, **how), atol=2e-4, rtol=0)
    behind = panel.everyone(_one_hot(model, ids), batch=6, vocabulary=True)
    torch.testing.assert_close(behind.log_p, _engine(model, " her dog" + JOINT, **how), atol=3e-4, rtol=0)
    assert behind.logits is not None
    # The vocabulary's logits are those right after the prompt: the last label is one token.
    token = model.tokenizer(" left", add_special_tokens=False)["input_ids"]
    assert len(token) == 1
    alone = behind.logits.log_softmax(-1)[..., token[0]]
    torch.testing.assert_close(alone, behind.log_p[..., 2], atol=1e-5, rtol=0)


def test_the_gradient_of_a_prefix_is_that_of_finite_differences() -> None:
    model = tiny("llama", gain=6.0)
    model.module.double()
    panel = Panel(model, people(), length=2)
    start = _one_hot(model, [70, 90]).double()

    def value(prefix: Tensor) -> Tensor:
        return panel.answers([0, 5, 9], prefix).log_p.sum()

    prefix = start.clone().requires_grad_()
    value(prefix).backward()  # type: ignore[no-untyped-call]
    assert prefix.grad is not None
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(start.shape, generator=generator, dtype=torch.float64)
    step = 1e-4
    with torch.no_grad():
        numeric = (value(start + step * direction) - value(start - step * direction)) / (2 * step)
    assert float((prefix.grad * direction).sum()) == pytest.approx(
        float(numeric), rel=3e-3
    )  # its norms are float32


def test_a_batch_does_not_matter() -> None:
    panel = Panel(tiny("gpt2"), people(k=3), length=0)
    whole = panel.everyone(batch=16)
    one = panel.everyone(batch=1)
    assert whole.log_p.shape == (16, 3, 2)
    torch.testing.assert_close(whole.log_p, one.log_p, atol=2e-5, rtol=0)
    assert whole.groups.tolist() == [p.group for p in people(k=3)]
    assert whole.labels.tolist() == [p.label for p in people(k=3)]


def test_what_cannot_be_decided_is_refused() -> None:
    model = tiny("llama")
    first = people()[0]
    with pytest.raises(BadData, match="There are no people to decide on"):
        Panel(model, [])
    with pytest.raises(BadData, match="two groups"):
        Panel(model, [dataclasses.replace(first, groups=("male",), contexts=first.contexts[:1], group=0)])
    with pytest.raises(BadData, match="different groups or label words"):
        Panel(model, [first, dataclasses.replace(first, labels=(" late", " left"))])
    with pytest.raises(BadModel, match="share their first token"):
        Panel(model, people(labels=(" left", " left because")))
    with pytest.raises(BadData, match=r"has \d+ tokens with its label and a prefix of 60.* holds 64"):
        Panel(model, people(), length=60)


def test_recurrent_models_are_in_the_list_above() -> None:
    assert "lfm2" in RECURRENT  # the one whose padding goes to the right
