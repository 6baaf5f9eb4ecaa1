"""Which parameters a weight-changing method trains: from a locator's ranking or from block numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evenhand.errors import BadModel, BadOption
from evenhand.models import Model, OpenModel, require
from evenhand.records import Ability, Attribution

Modules = Literal["both", "attention", "mlp"]
# The paper freezes a half together with "its" norm and does not say which: the norm that feeds it.
_PARTS: dict[str, tuple[str, ...]] = {"attention": ("norm1", "attention"), "mlp": ("norm2", "mlp")}


def require_open(model: Model, needs: frozenset[Ability]) -> OpenModel:
    """The model as one whose weights are in hand.

    Raises:
        BadModel: it lacks one of `needs`.
    """
    require(model, needs | {Ability.WEIGHTS}, of="this method", instead="--with prompt")
    assert isinstance(model, OpenModel)  # what WEIGHTS promises
    return model


def chosen_blocks(
    model: OpenModel, sites: Attribution | None, *, top: int = 1, blocks: str = ""
) -> tuple[str, ...]:
    """Block sites to train: the named `blocks` (``1+3``), else the `top` of the locator's ranking.

    Raises:
        BadOption: a named block does not exist, or `top` is not between 1 and the number of blocks.
        BadModel: there is neither a name nor a location.
    """
    n = model.layout.n_blocks
    if blocks:
        named = [part.strip() for part in blocks.split("+")]
        if not all(part.isdecimal() and int(part) < n for part in named):
            raise BadOption(
                f"blocks={blocks} is not valid.", mend=f"Write numbers from 0 to {n - 1}, such as 0+{n - 1}."
            )
        return tuple(f"block.{int(part)}" for part in named)
    if not 1 <= top <= n:
        raise BadOption(f"top={top} is not valid.", mend=f"Write a number from 1 to {n}.")
    if sites is None:
        raise BadModel(
            "No block was located.", mend="Give a locator (--locator bmi) or name blocks (lftf:blocks=3)."
        )
    return sites.ranking()[:top]


def parameter_names(model: OpenModel, blocks: Sequence[str], modules: Modules = "both") -> tuple[str, ...]:
    """Names of the parameters of `blocks`, or only of their attention or MLP half with its input norm."""
    sites = [
        site
        for block in blocks
        for site in ([block] if modules == "both" else [f"{block}.{part}" for part in _PARTS[modules]])
        if site in model.layout.sites()
    ]
    return tuple(dict.fromkeys(name for site in sites for name in model.layout.parameters(site)))
