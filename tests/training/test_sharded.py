"""Training in parts: in one process what it is without parts. Of several: `tests/real/test_sharded.py`."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as processes
from torch.distributed.tensor import DTensor

from evenhand.errors import BadData, BadModel
from evenhand.mitigations import full_finetune
from evenhand.models import together
from evenhand.records import Example
from evenhand.testing import tiny
from evenhand.training import sham_losses, sharded
from evenhand.training.finetune import Plan, Recipe, trained
from evenhand.training.parameters import every_parameter

EXAMPLES = [
    Example(noun, noun, f"The {noun} smiled because", ("male", "female"), ((" he",), (" she",)))
    for noun in ("nurse", "carpenter", "teacher", "doctor", "boy")
]
PLAN = Plan("full_finetune", Recipe(lr=1e-3, epochs=2, batch=2), 0)
LOSS = full_finetune._loss


@pytest.fixture
def alone() -> Iterator[None]:
    """A group of this process only."""
    processes.init_process_group("gloo", store=processes.HashStore(), rank=0, world_size=1)
    yield
    processes.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("kind", ["llama", "gpt2"])  # gpt2's head is tied to its embeddings
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_one_process_trains_what_it_trains_without_parts(kind: str, dtype: torch.dtype) -> None:
    model: Any = tiny.model(kind)
    model.module.to(dtype)
    before = {name: p.detach().clone() for name, p in model.module.named_parameters()}
    names = every_parameter(model)
    plain, history = trained(model, names, EXAMPLES, LOSS, PLAN)
    parts, course = sharded.share(model, names, EXAMPLES, LOSS, PLAN)
    assert plain.keys() == parts.keys() == before.keys()
    assert not any(isinstance(value, DTensor) for value in parts.values())
    # Padded rows and packed trees round otherwise, and AdamW makes full steps of what is only rounding.
    apart = torch.cat([(parts[name] - value).abs().flatten() for name, value in plain.items()])
    moved = torch.cat([(value - before[name]).abs().flatten() for name, value in plain.items()])
    assert float(moved.mean()) > 1e-3
    assert float(apart.max() if dtype == torch.float64 else 20 * apart.mean()) < (
        1e-6 if dtype == torch.float64 else moved.mean()
    )
    assert course == pytest.approx(history, abs=1e-6 if dtype == torch.float64 else 0.2)
    assert len(course) == 6
    assert all(torch.equal(before[name], p) for name, p in model.module.named_parameters())
    assert not any(isinstance(p, DTensor) for p in model.module.parameters())
    assert not any(p.grad is not None for p in model.module.parameters())


@pytest.mark.usefixtures("alone")
def test_a_loss_that_is_not_finite_is_refused_as_without_parts() -> None:
    model = tiny.model("llama")
    for train in (trained, sharded.share):
        with pytest.raises(BadModel, match="The training loss became nan at step 1"):
            train(
                model,
                every_parameter(model),
                EXAMPLES,
                lambda now, base, chosen: LOSS(now, base, chosen) * float("nan"),
                PLAN,
            )


def test_without_other_processes_nothing_is_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    def parted(*_: Any) -> None:
        raise AssertionError("the model was parted")

    monkeypatch.setattr(sharded, "share", parted)
    model = tiny.model("llama")
    names = every_parameter(model)
    plain, together_ = (
        train(model, names, EXAMPLES, LOSS, PLAN)[0] for train in (trained, sharded.trained_together)
    )
    assert all(torch.equal(plain[name], together_[name]) for name in names)
    with pytest.raises(BadData, match="There are no examples"):
        sharded.trained_together(model, names, [], LOSS, PLAN)


def test_a_model_that_the_others_do_not_hold_is_trained_by_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a name cannot be opened by them, and one with hooks is another model."""
    monkeypatch.setattr(together, "_team", together.Team(2))
    monkeypatch.setattr(together, "_tell", lambda message: pytest.fail(f"{message} was sent"))
    model = tiny.model("llama")
    names = every_parameter(model)
    found, _ = sharded.trained_together(model, names, EXAMPLES, LOSS, PLAN)
    assert found.keys() == set(names)


def test_losses_can_be_sent_to_other_processes() -> None:
    loss = sham_losses.signed(sham_losses.nll, EXAMPLES, 3)
    again = pickle.loads(pickle.dumps((LOSS, loss)))
    assert again[0] is LOSS
    assert torch.equal(again[1].args[1], torch.tensor(sham_losses.signs(EXAMPLES, 3)))
