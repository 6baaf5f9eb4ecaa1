"""A fit by several processes, each of which holds a part of every trained weight, its gradient and moments.

The parts are those of PyTorch's FSDP2 (`torch.distributed.fsdp.fully_shard`), on a copy of the model's parts
that are trained; what is frozen is the model's own, which every process holds whole, as scoring needs it. A
block's trained weights are gathered while it runs. Each batch is dealt out among the processes; its gradient
is that of the whole batch, whatever their number, but for rounding.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
import torch.distributed as processes
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

from evenhand.errors import BadModel
from evenhand.models import OpenModel
from evenhand.models.layout import Layout
from evenhand.models.together import team
from evenhand.scoring.forward import device_of
from evenhand.training.fitting import Fit, Fitted, Parameters, descended, fitted_here
from evenhand.training.means import Loss, Mean

LEAST = 2**30
"""Bytes of gradients, moments and copies from which a fit is dealt out: below, one process is as fast, and
its result has the same bits for any number of processes."""
HELD = 16  # of them a trained weight, in float32
_CLOSING = "_evenhand_closing"  # what an opened adapter leaves on a module, which no copy needs
_log = logging.getLogger("evenhand.training")


def fitted(model: OpenModel, fit: Fit) -> Fitted:
    """Carry out `fit` by all processes where there are several, else in this one.

    The first process alone carries out a fit that takes less than `LEAST`, one of a model with an encoder and
    a decoder, whose halves are called one by one, one of a model that the others do not hold, and one towards
    what cannot be sent to them.

    Raises:
        BadData, BadModel: as for `evenhand.training.fitting.fitted_here`.
        EnvironmentProblem: another process has ended.
    """
    first = team()
    alone = getattr(model.module.config, "is_encoder_decoder", False) or "forward" in vars(model.module)
    if first is None or first.size == 1 or alone or not len(fit.batches):
        return fitted_here(model, fit)
    if _held(model, fit) < LEAST or not _can_be_sent(fit):
        return fitted_here(model, fit)
    shared: Any = model  # opened by a name, as `jointly` checks
    found = first.jointly(shared, share, fit)
    return fitted_here(model, fit) if found is None else found


def _held(model: OpenModel, fit: Fit) -> int:
    with fit.chosen(model) as chosen:
        return HELD * sum(p.numel() for p in chosen.values())


def _can_be_sent(fit: Fit) -> bool:
    try:
        pickle.dumps(fit)
    except (pickle.PicklingError, AttributeError, TypeError) as problem:  # a function inside a function, say
        _log.info("the first process trains alone: %s", problem)
        return False
    return True


def share(model: OpenModel, fit: Fit) -> Fitted:
    """What one process does of `fitted`; only the first one's result has values.

    Raises:
        BadData, BadModel: as for `evenhand.training.fitting.fitted_here`, in all processes.
    """
    rank, size = processes.get_rank(), processes.get_world_size()
    with _parted(model, fit) as (parted, parameters):
        loss = dealt(fit.objective(parted, model), rank, size)
        found = descended(parted, parameters, loss, dataclasses.replace(fit, dev=_agreed(fit)))
    values = {}
    for name, value in found.values.items():
        gathered = value.full_tensor() if isinstance(value, DTensor) else value
        if rank == 0:
            values[name] = gathered
    return dataclasses.replace(found, values=values)


def dealt(means: Sequence[Mean], rank: int, size: int) -> Loss:
    """The loss of one process's rows of a batch, for its gradient, with the value of the whole batch's.

    FSDP takes the mean of the processes' gradients. So a process's mean over its own rows is weighted by how
    many of the batch's numbers they have. One without a row runs another's with weight 0, because every
    process has to run every block.
    """

    def loss(chosen: Tensor) -> Tensor:
        parts = []
        for mean in means:
            rows = mean.among(chosen)
            if not len(rows):
                continue  # in all processes
            own = rows[rank::size]
            weight = int(mean.counts[own].sum()) * size / int(mean.counts[rows].sum())
            parts.append(weight * mean.of(own if len(own) else rows[:1]))
        if not parts:
            return torch.tensor(torch.nan)
        value = torch.stack(parts).sum()
        whole = value.detach().clone()
        processes.all_reduce(whole)
        return value + (whole / size - value.detach())

    return loss


def _agreed(fit: Fit) -> Any:
    """The held-out loss as the first process reads it, so that all stop after the same epoch."""
    held_out = fit.dev
    if held_out is None:
        return None

    def dev(model: OpenModel) -> float:
        found = torch.tensor(held_out(model), dtype=torch.float64)
        processes.broadcast(found, src=0)
        return float(found)

    return dev


@contextmanager
def _parted(model: OpenModel, fit: Fit) -> Iterator[tuple[OpenModel, Parameters]]:
    """The model with other modules, of whose trained parameters this process holds its parts.

    All tensors that are not trained are the model's own.
    """
    from torch.distributed.fsdp import fully_shard  # takes long to import, for whoever trains alone

    own = {id(tensor): tensor for tensor in (*model.module.parameters(), *model.module.buffers())}
    closing = vars(model.module).get(_CLOSING)
    memo: dict[int, Any] = {**own, **({id(closing): None} if closing else {})}
    module = copy.deepcopy(model.module, memo)
    parted = copy.copy(model)
    parted.module, parted.layout = module, Layout(module)
    with fit.chosen(parted) as chosen:
        places = _copied(module, chosen)
        trained = {id(part._parameters[key]) for part, key in places.values()}
        frozen: Any = {p for p in module.parameters() if id(p) not in trained}
        mesh = _mesh(device_of(model.module))
        for block in _blocks(parted):
            if any(id(p) in trained for p in block.parameters()):
                fully_shard(block, mesh=mesh, ignored_params=frozen)
        fully_shard(module, mesh=mesh, ignored_params=frozen)
        parts: dict[str, Any] = {name: part._parameters[key] for name, (part, key) in places.items()}
        yield parted, parts


def _copied(module: nn.Module, chosen: Parameters) -> Mapping[str, tuple[nn.Module, str]]:
    """Put copies of the `chosen` parameters into `module`; returns where each of them is, the first place."""
    copies = {id(p): nn.Parameter(p.detach().clone(), p.requires_grad) for p in chosen.values()}
    places: dict[int, tuple[nn.Module, str]] = {}
    for part in module.modules():
        for key, parameter in part._parameters.items():
            if id(parameter) in copies:
                part._parameters[key] = copies[id(parameter)]
                places.setdefault(id(parameter), (part, key))
    return {name: places[id(parameter)] for name, parameter in chosen.items()}


def _blocks(model: OpenModel) -> Sequence[nn.Module]:
    with suppress(BadModel):  # no layout: all is gathered at once
        return model.layout.as_blocks().blocks
    return ()


def _mesh(device: torch.device) -> DeviceMesh:
    if device.type == "cuda":  # the processes are connected by gloo, which does not gather on graphics cards
        group: Any = processes.new_group(backend="nccl")
        return DeviceMesh.from_group(group, "cuda")
    return init_device_mesh(device.type, (processes.get_world_size(),))
