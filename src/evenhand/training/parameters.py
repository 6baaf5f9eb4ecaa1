"""Which parameters a method trains, by named blocks or a locator's ranking; how the others stay frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from evenhand.errors import BadModel, BadOption
from evenhand.models import Model, OpenModel, gives_weights, require
from evenhand.records import Ability, Attribution, Example

if TYPE_CHECKING:
    from torch import nn

Modules = Literal["both", "attention", "mlp"]
# LFTF freezes a half of a block together with "its" norm and does not say which one; here it is the norm
# before that half.
_PARTS: dict[str, tuple[str, ...]] = {"attention": ("norm1", "attention"), "mlp": ("norm2", "mlp")}


def require_open(model: Model, needs: frozenset[Ability]) -> OpenModel:
    """The model as one with access to its weights.

    Raises:
        BadModel: it lacks one of `needs`.
    """
    require(model, needs | {Ability.WEIGHTS}, of="this method", instead="--with prompt")
    assert gives_weights(model)  # guaranteed by WEIGHTS
    return model


def named_blocks(model: OpenModel, blocks: str) -> tuple[str, ...]:
    """The block sites that a text such as ``1+3`` names.

    Raises:
        BadOption: a block does not exist.
    """
    n = model.layout.n_blocks
    named = [part.strip() for part in blocks.split("+")]
    if not all(part.isdecimal() and int(part) < n for part in named):
        raise BadOption(
            f"blocks={blocks} is not valid.", mend=f"Write numbers from 0 to {n - 1}, such as 0+{n - 1}."
        )
    return tuple(f"block.{int(part)}" for part in named)


def check_blocks(model: OpenModel, *, top: int = 1, blocks: str = "") -> None:
    """Refuse blocks that the model does not have: named ones, else more of them than there are.

    Raises:
        BadOption: a named block does not exist, or `top` is not between 1 and the number of blocks.
        BadModel: the model's blocks cannot be found.
    """
    if blocks:
        named_blocks(model, blocks)
        return
    n = model.layout.n_blocks
    if not 1 <= top <= n:
        raise BadOption(f"top={top} is not valid.", mend=f"Write a number from 1 to {n}.")


def chosen_blocks(
    model: OpenModel, sites: Attribution | None, *, top: int = 1, blocks: str = ""
) -> tuple[str, ...]:
    """Block sites to train: the named `blocks` (``1+3``), else the `top` of the locator's ranking.

    Raises:
        BadOption: as for `check_blocks`.
        BadModel: there is neither a name nor a location.
    """
    check_blocks(model, top=top, blocks=blocks)
    if blocks:
        return named_blocks(model, blocks)
    if sites is None:
        raise BadModel(
            "No block was located.", mend="Give a locator (--locator bmi) or name blocks (lftf:blocks=3)."
        )
    return ranked_blocks(sites)[:top]


def ranked_blocks(sites: Attribution) -> tuple[str, ...]:
    """The blocks in the order of a locator's ranking.

    A locator of parts ranks sites such as block.2.head.5: their blocks count, each once.
    """
    return tuple(dict.fromkeys(".".join(site.split(".")[:2]) for site in sites.ranking()))


def parameter_names(model: OpenModel, blocks: Sequence[str], modules: Modules = "both") -> tuple[str, ...]:
    """Names of the parameters of `blocks`, or only of their attention or MLP half with its input norm."""
    sites = [
        site
        for block in blocks
        for site in ([block] if modules == "both" else [f"{block}.{part}" for part in _PARTS[modules]])
        if site in model.layout.sites()
    ]
    return tuple(dict.fromkeys(name for site in sites for name in model.layout.parameters(site)))


def block_parameters(model: OpenModel, blocks: str) -> tuple[str, ...]:
    """Names of the parameters of the blocks that a text such as ``1+3`` names.

    Raises:
        BadOption: a block does not exist.
    """
    return parameter_names(model, named_blocks(model, blocks))


def every_parameter(model: OpenModel) -> tuple[str, ...]:
    """Names of all parameters, in the module's own order."""
    return tuple(name for name, _ in model.module.named_parameters())


def check_prompts(model: OpenModel, examples: Sequence[Example]) -> None:
    """Refuse prompts and terms that cannot be trained on in the model's tokens; the model is not asked.

    Raises:
        BadData, BadModel: as for `evenhand.scoring.terms.Prompts` and its `check_partition`.
    """
    from evenhand.scoring.terms import Prompts  # here, so that methods are listed without torch

    if examples:
        Prompts(model, examples).check_partition()


@contextmanager
def training_flags_kept(module: nn.Module) -> Iterator[None]:
    """On exit the gradient and training flags are as before, and no gradient is left.

    It concerns the parameters and the parts that the module has on entering.
    """
    wanted = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
            parameter.grad = None
        for part, training in modes:
            part.training = training


@contextmanager
def only_these_train(module: nn.Module, parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Freeze all but `parameters`, dropout off; on exit values, flags and mode are what they were."""
    from evenhand.hooks import restore  # here, so that methods are listed without torch

    chosen = list(parameters)
    with training_flags_kept(module), restore(chosen):
        module.eval()
        module.requires_grad_(False)
        for parameter in chosen:
            parameter.requires_grad_(True)
        yield
