"""Training in several processes, each of which holds a part of every weight, its gradient and its moments.

The parts are those of PyTorch's FSDP2 (`torch.distributed.fsdp.fully_shard`), on a copy of the model: the
model itself stays whole in every process, as scoring needs it. A block's weights are gathered while it runs.
Each batch is dealt out among the processes; its gradient is that of the whole batch, whatever their number,
but for rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as processes
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard

from evenhand.models import OpenModel
from evenhand.models.layout import Layout
from evenhand.models.together import team
from evenhand.records import Example
from evenhand.scoring.forward import device_of
from evenhand.scoring.terms import Prompts
from evenhand.training.finetune import (
    Plan,
    TermLoss,
    Values,
    learning_rate,
    train_named,
    trained,
)
from evenhand.training.loop import shuffled
from evenhand.training.restarts import Base, run_above

_CLOSING = "_evenhand_closing"  # what an opened adapter leaves on a module, which no copy needs


def trained_together(
    model: OpenModel, names: Sequence[str], examples: Sequence[Example], loss: TermLoss, plan: Plan
) -> Values:
    """As `evenhand.training.finetune.trained`, by all processes where there are several.

    The `loss` has to be a mean over the rows of a batch, without companions, and a function of a module. The
    first process alone trains a model with an encoder and a decoder, whose halves are called one by one, and
    one that the others do not hold.

    Raises:
        BadData, BadModel: as there.
        EnvironmentProblem: another process has ended.
    """
    first = team()
    alone = getattr(model.module.config, "is_encoder_decoder", False) or "forward" in vars(model.module)
    if first is None or first.size == 1 or alone or not examples:
        return trained(model, names, examples, loss, plan)
    shared: Any = model  # opened by a name, as `jointly` checks
    found = first.jointly(shared, share, tuple(names), list(examples), loss, plan)
    return trained(model, names, examples, loss, plan) if found is None else found


def share(
    model: OpenModel, names: Sequence[str], examples: Sequence[Example], loss: TermLoss, plan: Plan
) -> Values:
    """What one process does of `trained_together`; only the first one's result has values.

    Raises:
        BadData, BadModel: as for `evenhand.training.finetune.trained`, in all processes.
    """
    rank, size = processes.get_rank(), processes.get_world_size()
    prompts = Prompts(model, examples)
    prompts.check_partition()
    base = Base(model, names, prompts, run_above(model, names, prompts))
    parted = _parted(model)
    mine = Prompts(parted, examples)

    def batch_loss(chosen: Tensor) -> Tensor:
        """The loss of this process's rows, for its gradient, with the value of the whole batch's."""
        own = chosen[rank::size]
        weight = len(own) * size / len(chosen)  # FSDP takes the mean of the processes' gradients
        if not len(own):
            own = chosen[:1]  # every process has to run every block
        rows = own.tolist()
        value = weight * loss(mine.outcomes(rows), base.outcomes(rows), own)
        whole = value.detach().clone()
        processes.all_reduce(whole)
        return value + (whole / size - value.detach())

    batches = shuffled(len(examples), plan.recipe.batch, epochs=plan.recipe.epochs, seed=plan.seed)
    parts, history = train_named(parted, names, batch_loss, batches, learning_rate(plan.recipe, model))
    found = {}
    for name, part in parts.items():
        sharded: Any = part  # a DTensor
        whole = sharded.full_tensor()
        if rank == 0:
            found[name] = whole
    return found, history


def _parted(model: OpenModel) -> OpenModel:
    """The model with a copy of its module of which this process holds its part."""
    module = copy.deepcopy(
        model.module, {id(closing): None} if (closing := vars(model.module).get(_CLOSING)) else {}
    )
    parted = copy.copy(model)
    parted.module, parted.layout = module, Layout(module)
    mesh = _mesh(device_of(model.module))
    for block in parted.layout.as_blocks().blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return parted


def _mesh(device: torch.device) -> DeviceMesh:
    if device.type == "cuda":  # the processes are connected by gloo, which does not gather on graphics cards
        group: Any = processes.new_group(backend="nccl")
        return DeviceMesh.from_group(group, "cuda")
    return init_device_mesh(device.type, (processes.get_world_size(),))
