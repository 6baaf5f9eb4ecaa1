"""The matrices by which attention and MLP write into the residual stream: one way over all architectures.

A Hugging Face block has a linear layer for it (``down_proj``, ``c_proj``, ``dense_4h_to_h``, ``fc2``,
``o_proj``, ...), [out, in]; GPT-2 and its relatives have a ``Conv1D``, whose weight is [in, out].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn

from evenhand.errors import BadModel

if TYPE_CHECKING:
    from evenhand.models import OpenModel


@dataclass(frozen=True)
class Projection:
    """The last matrix of a half of a block.

    Attributes:
        module: the layer; what it receives are the neurons of an MLP, or the values of all heads.
        weight, bias: the names of its parameters in the model; None for a layer without a bias.
        transposed: whether the weight is stored as [in, out].
    """

    module: nn.Module
    weight: str
    bias: str | None
    transposed: bool

    def matrix(self) -> Tensor:
        """The weight as [out, in], a view of the parameter without gradient."""
        weight = self.module.get_parameter("weight").detach()
        return weight.T if self.transposed else weight

    @property
    def width(self) -> int:
        """How many values it receives: the neurons, or heads times their size."""
        return int(self.matrix().shape[1])


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
    names = {id(p): name for name, p in model.module.named_parameters()}
    layer = found[0]
    bias = getattr(layer, "bias", None)
    return Projection(
        layer,
        names[id(layer.get_parameter("weight"))],
        names[id(bias)] if isinstance(bias, nn.Parameter) else None,
        not isinstance(layer, nn.Linear),
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
    "attention": frozenset({"o_proj", "c_proj", "out_proj", "dense", "o"}),
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
    """Whether `part` is a linear layer, or a Conv1D, that gives `size` values."""
    weight = getattr(part, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2 or isinstance(part, nn.Embedding):
        return False
    return bool((weight.shape[0] if isinstance(part, nn.Linear) else getattr(part, "nf", 0)) == size)


def _hidden_size(module: Any) -> int:
    return int(module.config.get_text_config().hidden_size)
