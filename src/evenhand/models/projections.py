"""The linear maps of a block: one way over all architectures to find, read and write their matrices.

By one of them attention or MLP writes into the residual stream: ``down_proj``, ``c_proj``, ``dense_4h_to_h``,
``fc2``, ``o_proj``, ... A Hugging Face block has a linear layer, [out, in]; GPT-2 and its relatives have a
``Conv1D``, whose weight is [in, out].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from evenhand.errors import BadModel

if TYPE_CHECKING:
    from evenhand.models import OpenModel


@dataclass(frozen=True)
class Projection:
    """A linear map y = W x + b of a block.

    Attributes:
        module: the layer; what the last one of an MLP receives are the neurons, what that of an attention
            receives the values of all heads.
        weight, bias: the names of its parameters in the model; None for a layer without a bias.
        transposed: whether the weight is stored as [in, out].
        block: the number of its block.
    """

    module: nn.Module
    weight: str
    bias: str | None
    transposed: bool
    block: int

    @property
    def parameter(self) -> nn.Parameter:
        """The weight as the model stores it."""
        return self.module.get_parameter("weight")

    def turned(self, weight: Tensor) -> Tensor:
        """`weight` from the model's order to [out, in], or back."""
        return weight.T if self.transposed else weight

    def matrix(self) -> Tensor:
        """The weight as [out, in], a view of the parameter without gradient."""
        return self.turned(self.parameter.detach())

    def exact(self) -> Tensor:
        """The weight now, [out, in], a copy in float64 on the CPU."""
        return self.matrix().to("cpu", torch.float64, copy=True)

    @torch.no_grad()
    def put(self, weight: Tensor) -> None:
        """Write `weight` [out, in] into the model."""
        self.parameter.copy_(self.turned(weight))

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of outputs and inputs."""
        out, given = self.matrix().shape
        return out, given

    @property
    def width(self) -> int:
        """How many values it receives: the neurons, or heads times their size."""
        return self.shape[1]


def output_projection(model: OpenModel, block: str, half: Literal["attention", "mlp"]) -> Projection:
    """The layer by which a half of `block` (``block.3``) writes into the residual stream.

    Raises:
        BadModel: there is none, or several share the work (a mixture of experts).
        UnknownName: the model has no such block.
    """
    site = f"{block}.{half}"
    found = _layers(model.layout.modules(site), model.layout.module(site), _hidden_size(model.module), half)
    if len(found) != 1:
        raise BadModel(
            f"{site} of {model.spec.uri} has no single output matrix, as in a mixture of experts.",
            mend="Use a model whose blocks have one MLP and one attention each.",
        )
    return _projection(model, block, found[0])


def mlp_projections(model: OpenModel, block: str) -> tuple[Projection, ...]:
    """All maps of the MLP of `block` (``block.3``), in the order in which the model names them.

    Raises:
        BadModel: the MLP holds a matrix that is no plain linear map (experts, packed low-bit weights).
        UnknownName: the model has no such block.
    """
    site = f"{block}.mlp"
    linear = [part for whole in model.layout.modules(site) for part in whole.modules() if _plain(part)]
    plain = {id(part.get_parameter("weight")) for part in linear}
    matrices = {id(p) for p in model.layout.parameters(site).values() if p.dim() > 1}
    if not plain or matrices != plain:
        raise BadModel(
            f"{site} of {model.spec.uri} is no chain of plain linear maps (a mixture of experts, or "
            "weights of few bits).",
            mend="Use a method that trains whole blocks, such as --with lftf.",
        )
    return tuple(_projection(model, block, part) for part in linear)


def _projection(model: OpenModel, block: str, layer: nn.Module) -> Projection:
    names = {id(p): name for name, p in model.module.named_parameters()}
    bias = getattr(layer, "bias", None)
    return Projection(
        layer,
        names[id(layer.get_parameter("weight"))],
        names[id(bias)] if isinstance(bias, nn.Parameter) else None,
        isinstance(layer, Conv1D),
        int(block.removeprefix("block.")),
    )


def heads(module: Any, projection: Projection) -> int:
    """The number of attention heads whose values `projection` receives.

    Raises:
        BadModel: the configuration does not say it.
    """
    config = module.config.get_text_config()
    number = getattr(config, "num_attention_heads", None)
    if not isinstance(number, int) or number < 1 or projection.width % number:
        raise BadModel(
            f"The configuration of this {config.model_type} does not say how many heads its attention has.",
            mend="Locate by blocks instead.",
        )
    return number


_OUT: Mapping[str, frozenset[str]] = {
    "attention": frozenset({"o_proj", "c_proj", "out_proj", "out_lin", "dense", "o", "Wo"}),
    "mlp": frozenset({"down_proj", "c_proj", "dense_4h_to_h", "fc2", "fc_out", "dense", "wo"}),
}
"""The names of these layers in the transformers library."""


def _layers(
    modules: Sequence[nn.Module], output: nn.Module, size: int, half: Literal["attention", "mlp"]
) -> list[nn.Module]:
    """The layers of a site that may write: the site's own output, or those inside it, by name and size."""
    if _matrix(output, size):
        return [output]
    every = [pair for module in modules for pair in module.named_modules()]
    if any("expert" in name for name, _ in every):
        return []
    return [part for name, part in every if name.rpartition(".")[2] in _OUT[half] and _matrix(part, size)]


def _matrix(part: nn.Module, size: int) -> bool:
    """Whether `part` is a linear map that gives `size` values."""
    if not _plain(part):
        return False
    rows, columns = part.get_parameter("weight").shape
    return (columns if isinstance(part, Conv1D) else rows) == size


def _plain(part: nn.Module) -> bool:
    """Whether `part` is a linear layer, or a Conv1D, of floating-point numbers."""
    weight = getattr(part, "weight", None)
    if not isinstance(part, nn.Linear | Conv1D) or not isinstance(weight, nn.Parameter):
        return False
    return weight.dim() == 2 and weight.is_floating_point()


def _hidden_size(module: Any) -> int:
    return int(module.config.get_text_config().hidden_size)
