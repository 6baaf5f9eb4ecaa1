"""A model of which each process of a run holds a part: ``hf:./folder?tp=auto``, tensor parallelism.

transformers carries it out, by the plan that an architecture states in it: matrices are cut between heads and
between inner units, and the processes add up what their parts give in every layer. So all of them have to run
the same passes at the same time (`evenhand.models.together.Team`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.distributed as processes
from torch import nn

from evenhand.architectures.reading import text_config
from evenhand.errors import BadModel, BadOption, UsageError
from evenhand.models.together import Named, team

_HEADS = ("num_attention_heads", "num_key_value_heads")


def check_launched() -> int:
    """The number of processes that are to hold a part.

    Raises:
        UsageError: this one is alone.
    """
    size = processes.get_world_size() if processes.is_initialized() else 1
    if size < 2:
        raise UsageError(
            "tp=auto divides a model among several processes, and this one is alone.",
            mend='Write torchrun --nproc-per-node 2 -m evenhand measure "hf:./model?tp=auto", or '
            "?device_map=auto for one process.",
        )
    return size


def check_plan(name: str, module: nn.Module | None, size: int) -> None:
    """Refuse a model that cannot be divided among so many processes; `module` needs no storage.

    Raises:
        BadModel: its weights are packed, or transformers has no plan for its architecture.
        BadOption: its heads cannot be dealt out evenly.
    """
    whole: Any = module  # a model of transformers
    if module is None or not whole.supports_tp_plan:
        why = "is stored quantised" if module is None else f"({type(module).__name__}) has none"
        raise BadModel(
            f"tp=auto needs transformers' plan of how to divide a model, and {name} {why}.",
            mend="Leave ?tp=auto out, so that each process holds the whole model; or write ?device_map=auto "
            "and start one process.",
        )
    config = text_config(whole.config)
    counts = [int(getattr(config, key, None) or size) for key in _HEADS]
    if any(count % size for count in counts):
        fitting = [str(n) for n in range(2, min(counts) + 1) if not any(count % n for count in counts)]
        raise BadOption(
            f"The {' and '.join(map(str, dict.fromkeys(counts)))} heads of {name} cannot be dealt out evenly "
            f"to {size} processes.",
            mend=f"Start {' or '.join(fitting)} processes." if fitting else "Leave ?tp=auto out.",
        )


def arguments() -> dict[str, Any]:
    """What transformers needs to divide a model among all processes."""
    from transformers.distributed.configuration_utils import DistributedConfig

    return {"device_map": None, "distributed_config": DistributedConfig(tp_plan="auto")}


@contextmanager
def opening(named: Named) -> Iterator[None]:
    """Inside, the model of that name is opened by all processes: the first one tells the others to.

    Raises:
        EnvironmentProblem: another process cannot open it.
    """
    first = team()
    if first is None:  # one of the others, or all are the caller's own
        yield
        return
    with first.opening(named):
        yield
