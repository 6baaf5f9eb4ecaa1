"""The lab: small causal language models with known bias, made here in under a minute; the offline default.

``lab:causal`` carries the table of `evenhand.lab.truth`, planted in block 2. ``lab:causal?block=K`` has the
same table planted in block K, and ``lab:causal?planted=none`` is the unbiased control that all of them
start from. Only `folder` needs torch.
"""

from __future__ import annotations

from pathlib import Path

from evenhand.errors import MissingExtra
from evenhand.lab import cache
from evenhand.lab.recipe import Recipe, parse

__all__ = ["Recipe", "folder", "parse"]


def folder(recipe: Recipe) -> Path:
    """A Hugging Face model folder made by `recipe`: from the cache, or else trained now (tens of seconds).

    The cache is `evenhand.paths.cache_folder`; a damaged folder is made again with a warning.

    Raises:
        MissingExtra: torch or transformers is not installed.
        NoSpace: the cache cannot be written.
    """
    try:
        from evenhand.lab import make
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "hf", "Training a lab model") from None
    if recipe.block is None:
        return cache.kept(_name(recipe), lambda target: make.make_control(recipe, target))
    return cache.kept(
        _name(recipe), lambda target: make.make_planted(recipe, folder(recipe.control()), target)
    )


def _name(recipe: Recipe) -> str:
    kind = "control" if recipe.block is None else f"block{recipe.block}"
    return f"lab-causal-{kind}-{recipe.digest()}"
