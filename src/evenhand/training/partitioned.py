"""PCGU's step: of all weight vectors, only those move whose two gradients point apart the most.

Yu et al. 2023, "Unlearning Bias in Language Models by Partitioning Gradients". A weight matrix is cut into
the vectors that feed one output each: a row of ``nn.Linear``, a column of GPT-2's ``Conv1D``, a token's
embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.models import OpenModel
from evenhand.progress import task
from evenhand.training.loop import MasterWeights
from evenhand.training.parameters import only_these_train


@dataclass(frozen=True)
class Vectors:
    """A matrix by its name in the model; `columns` says that its vectors are columns, not rows."""

    name: str
    columns: bool = False


def vectors(module: nn.Module) -> list[Vectors]:
    """Every matrix of the model, each once."""
    found: dict[int, Vectors] = {}
    for path, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.ndim == 2 and id(parameter) not in found:
                whole = f"{path}.{name}" if path else name
                found[id(parameter)] = Vectors(whole, type(part).__name__ == "Conv1D")
    return list(found.values())


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """The cosine of each row of two gradients [n, d], [n]; infinite where one is 0 and has no direction."""
    lengths = first.norm(dim=1) * second.norm(dim=1)
    apart = (first * second).sum(dim=1) / lengths.clamp_min(1e-30)
    return torch.where(lengths > 0, apart, torch.inf)


def lowest(cosines: Sequence[Tensor], k: int) -> list[Tensor]:
    """For each of the tensors [n_i], which of its entries are among the k lowest of all: bool [n_i].

    An entry that is infinite is never chosen.
    """
    every = torch.cat(list(cosines))
    chosen = torch.zeros(len(every), dtype=torch.bool, device=every.device)
    chosen[torch.topk(every, min(k, len(every)), largest=False).indices] = True
    return list(torch.split(chosen & every.isfinite(), [len(one) for one in cosines]))


@dataclass(frozen=True)
class Unlearning:
    """`k` vectors a step, the learning rate of plain gradient descent, and the batches of row numbers."""

    k: int
    lr: float
    batches: Sequence[Tensor]


def unlearn(
    model: OpenModel, objectives: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]], how: Unlearning
) -> tuple[dict[str, Tensor], list[float], int]:
    """Raise an objective in the k vectors where two others disagree the most; the model keeps its weights.

    ``objectives(rows)`` gives three scalars: the two whose gradients are compared, and the one to raise.
    Returns the new matrices by name (float32), the difference of the first two at every step, and how many
    vectors moved at all.

    Raises:
        BadModel: an objective is not finite.
    """
    module, every = model.module, vectors(model.module)
    named = dict(module.named_parameters())
    parameters = [named[one.name] for one in every]
    moved = [
        torch.zeros(_rows(p, one).shape[0], dtype=torch.bool)
        for p, one in zip(parameters, every, strict=True)
    ]
    history: list[float] = []
    with torch.enable_grad(), only_these_train(module, parameters):
        masters = MasterWeights(parameters)
        with task("unlearning", len(how.batches), unit="step") as advance:
            for batch in how.batches:
                apart, chosen = _step(objectives(batch), (masters, parameters, every), how)
                history.append(apart)
                if not math.isfinite(apart):
                    raise BadModel(
                        f"The logits became {apart} at step {len(history)}.",
                        mend="Lower the learning rate (lr=...).",
                    )
                for own, seen in zip(chosen, moved, strict=True):
                    seen |= own.cpu()
                advance(1)
        weights = {
            one.name: m.detach().float().cpu().clone() for one, m in zip(every, masters.values, strict=True)
        }
    return weights, history, int(sum(int(seen.sum()) for seen in moved))


def _step(
    of: tuple[Tensor, Tensor, Tensor],
    where: tuple[MasterWeights, Sequence[nn.Parameter], Sequence[Vectors]],
    how: Unlearning,
) -> tuple[float, list[Tensor]]:
    """Move the vectors by one step; the difference of the first two objectives, and which vectors moved.

    None do where an objective is not finite. Each of the three gradients is as large as the model: none
    outlives the step.
    """
    masters, parameters, every = where
    apart = float((of[0] - of[1]).detach())
    if not math.isfinite(apart):  # as soon as one of the two is not
        return apart, []
    grads = [_grads(one, parameters) for one in of]
    one, two, step = ([_rows(g, v) for g, v in zip(found, every, strict=True)] for found in grads)
    chosen = lowest([cosines(a, b) for a, b in zip(one, two, strict=True)], how.k)
    with torch.no_grad():
        for value, v, rows, own in zip(masters.values, every, step, chosen, strict=True):
            _rows(value.data, v)[own] += how.lr * rows[own]
        masters.give_values()
    return apart, chosen


def _rows(matrix: Tensor, of: Vectors) -> Tensor:
    """A view of the matrix whose rows are its vectors."""
    return matrix.T if of.columns else matrix


def _grads(objective: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    found = torch.autograd.grad(objective, list(parameters), retain_graph=True, allow_unused=True)
    return [
        torch.zeros_like(p, dtype=torch.float32) if g is None else g.float()
        for g, p in zip(found, parameters, strict=True)
    ]
