"""The linear maps of a block's MLP, and the one that writes into the residual stream.

Model editing reads ``y = W x + b`` as a memory: the key x, at the last token of a subject, has the value y.
GPT-2 stores W transposed, [in, out]; here a weight is always [out, in].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from evenhand.architectures.reading import text_config
from evenhand.errors import BadModel
from evenhand.models import OpenModel

_MEND = "Use a method that trains whole blocks, such as --with lftf."


@dataclass(frozen=True)
class Map:
    """A linear map: the name of its weight in the model, its module, the number of its block."""

    name: str
    module: nn.Module
    block: int

    @property
    def parameter(self) -> nn.Parameter:
        """The weight as the model stores it."""
        found = self.module.weight
        assert isinstance(found, nn.Parameter)  # checked by `maps_of`
        return found

    def turned(self, weight: Tensor) -> Tensor:
        """`weight` from the model's order to [out, in], or back."""
        return weight.T if isinstance(self.module, Conv1D) else weight

    def weight(self) -> Tensor:
        """The weight now, [out, in], float64."""
        return self.turned(self.parameter.detach()).double()

    @torch.no_grad()
    def put(self, weight: Tensor) -> None:
        """Write `weight` [out, in] into the model."""
        self.parameter.copy_(self.turned(weight))

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of outputs and inputs."""
        out, given = self.turned(self.parameter.detach()).shape
        return out, given


def maps_of(model: OpenModel, block: int) -> tuple[Map, ...]:
    """The maps of the block's MLP, in the order in which the model names them.

    Raises:
        BadModel: the MLP holds a matrix that is no plain linear map (experts, packed low-bit weights).
    """
    site = f"block.{block}.mlp"
    names = {id(p): name for name, p in model.layout.parameters(site).items()}
    linear = [
        part
        for whole in model.layout.modules(site)
        for part in whole.modules()
        if isinstance(part, nn.Linear | Conv1D) and part.weight.dim() == 2
    ]
    plain = {id(part.weight) for part in linear if part.weight.is_floating_point()}
    matrices = {id(p) for p in model.layout.parameters(site).values() if p.dim() > 1}
    if not plain or matrices != plain:
        raise BadModel(
            f"The MLP of block {block} of {model.spec.uri} is no chain of plain linear maps (a mixture of "
            "experts, or weights of few bits), so that no single matrix holds what it knows of a subject.",
            mend=_MEND,
        )
    return tuple(Map(names[id(part.weight)], part, block) for part in linear)


def down_map(model: OpenModel, block: int) -> Map:
    """The last map of the block's MLP, whose output goes to the residual stream.

    Raises:
        BadModel: there is none: see `maps_of`.
    """
    width = int(text_config(model.module.config).hidden_size)
    last = maps_of(model, block)[-1]
    if last.shape[0] != width:
        raise BadModel(
            f"The last map of the MLP of block {block} has {last.shape[0]} outputs, the residual stream "
            f"{width}: it does not write into the stream.",
            mend=_MEND,
        )
    return last
