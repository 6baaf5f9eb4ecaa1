"""Training in parts: in one process what it is without parts. Of several: `tests/real/test_sharded.py`."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from dataclasses import replace
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
from evenhand.training.finetune import Plan, Recipe, Terms, trained
from evenhand.training.fitting import Fit, Fitted, Named, fitted_here
from evenhand.training.loop import shuffled
from evenhand.training.means import Mean, Objective, whole
from evenhand.training.parameters import every_parameter

EXAMPLES = [
    Example(noun, noun, f"The {noun} smiled because", ("male", "female"), ((" he",), (" she",)))
    for noun in ("nurse", "carpenter", "teacher", "doctor", "boy")
]
PLAN = Plan("full_finetune", Recipe(lr=1e-3, epochs=2, batch=2), 0)
LOSS = full_finetune._loss


def _fit(model: Any, loss: Any = LOSS) -> Fit:
    names = every_parameter(model)
    batches = shuffled(len(EXAMPLES), 2, epochs=2, seed=0)
    objective: Objective = Terms(names, (EXAMPLES,), loss)
    return Fit(Named(names), objective, batches, 1e-3, 2)


def _nan(now: Any, base: Any, chosen: Any) -> Any:
    return LOSS(now, base, chosen) * float("nan")


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
    plain, history = trained(model, every_parameter(model), EXAMPLES, LOSS, PLAN)
    found = sharded.share(model, _fit(model))
    parts, course = found.values, found.history
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
    for carry_out in (fitted_here, sharded.share):
        with pytest.raises(BadModel, match="The training loss became nan at step 1"):
            carry_out(model, _fit(model, _nan))


def test_without_other_processes_nothing_is_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    def parted(*_: Any) -> None:
        raise AssertionError("the model was parted")

    monkeypatch.setattr(sharded, "share", parted)
    model = tiny.model("llama")
    plain, found = (carry_out(model, _fit(model)).values for carry_out in (fitted_here, sharded.fitted))
    assert all(torch.equal(plain[name], found[name]) for name in every_parameter(model))
    with pytest.raises(BadData, match="There are no examples"):
        trained(model, every_parameter(model), [], LOSS, PLAN)


def test_a_model_that_the_others_do_not_hold_is_trained_by_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a name cannot be opened by them, and one with hooks is another model."""
    monkeypatch.setattr(sharded, "LEAST", 0)
    monkeypatch.setattr(together, "_team", together.Team(2))
    monkeypatch.setattr(together, "_tell", lambda message: pytest.fail(f"{message} was sent"))
    model = tiny.model("llama")
    assert sharded.fitted(model, _fit(model)).values.keys() == set(every_parameter(model))


def test_towards_what_cannot_be_sent_the_first_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Fit] = []

    def jointly(_: Any, model: Any, work: Any, fit: Fit) -> Fitted:
        sent.append(fit)
        return Fitted({}, [])

    monkeypatch.setattr(together, "_team", together.Team(2))
    monkeypatch.setattr(together.Team, "jointly", jointly)
    model = tiny.model("llama")
    weights = 16 * sum(p.numel() for p in model.module.parameters())
    monkeypatch.setattr(sharded, "LEAST", weights)
    found = sharded.fitted(model, _fit(model, lambda *given: 2 * LOSS(*given)))
    assert found.values.keys() == set(every_parameter(model))
    assert sharded.fitted(model, _fit(model)).values == {}
    assert len(sent) == 1
    monkeypatch.setattr(sharded, "LEAST", weights + 1)
    assert sharded.fitted(model, _fit(model)).values.keys() == set(every_parameter(model)), "too small"


def test_what_is_not_trained_is_shared_with_the_model_and_only_blocks_with_trained_weights_are_parted() -> (
    None
):
    processes.init_process_group("gloo", store=processes.HashStore(), rank=0, world_size=1)
    model: Any = tiny.model("llama")
    before = dict(model.module.named_parameters())
    names = tuple(name for name in before if ".layers.1." in name)
    try:
        with sharded._parted(model, replace(_fit(model), chosen=Named(names))) as (parted, parameters):
            now = dict(parted.module.named_parameters())
            assert parameters.keys() == set(names)
            assert {name for name, p in now.items() if isinstance(p, DTensor)} == set(names)
            assert all(now[name] is p for name, p in before.items() if name not in names)
            kinds = [type(block).__name__ for block in parted.layout.as_blocks().blocks]
            assert [kind.startswith("FSDP") for kind in kinds] == [False, True, False]
    finally:
        processes.destroy_process_group()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_processes_mean_gradient_is_that_of_the_whole_batch(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two means of rows with 0 to 3 numbers each, some with a part in one of them alone."""
    numbers = [torch.arange(1.0, 1 + n) + 10 * i for i, n in enumerate((3, 1, 2, 0, 1, 3))]
    weight = torch.tensor(0.7, requires_grad=True)
    counts = torch.tensor([len(one) for one in numbers])

    def squares(chosen: torch.Tensor) -> torch.Tensor:
        return (weight * torch.cat([numbers[i] for i in chosen.tolist()])).square().mean()

    def cubes(chosen: torch.Tensor) -> torch.Tensor:
        return (weight**3 * (chosen + 1)).mean()

    means = [Mean(squares, counts), Mean(cubes, torch.tensor([0, 0, 1, 1, 0, 1]))]
    batch, wanted = torch.tensor([5, 0, 3, 1]), []
    value = whole(means)(batch)
    (full,) = torch.autograd.grad(value, weight)
    every: list[torch.Tensor] = []
    monkeypatch.setattr(processes, "all_reduce", every.append)
    for rank in range(size):
        own = sharded.dealt(means, rank, size)(batch)
        wanted.append(torch.autograd.grad(own, weight)[0])
    assert float(torch.stack(wanted).mean()) == pytest.approx(full.item(), rel=1e-6)
    assert float(torch.stack(every).sum()) / size == pytest.approx(value.item(), rel=1e-6)
    assert math.isnan(float(sharded.dealt(means, 0, size)(torch.tensor([], dtype=torch.int64))))


def test_losses_can_be_sent_to_other_processes() -> None:
    loss = sham_losses.signed(sham_losses.nll, EXAMPLES, 3)
    again = pickle.loads(pickle.dumps((LOSS, loss)))
    assert again[0] is LOSS
    assert torch.equal(again[1].args[1], torch.tensor(sham_losses.signs(EXAMPLES, 3)))
