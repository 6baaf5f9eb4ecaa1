"""The lab: small language models with known bias, made here in about a minute; the offline default.

``lab:causal`` has the table of `evenhand.lab.truth`, planted in block 2. ``lab:causal?block=K`` has the
same table planted in block K, and ``lab:causal?planted=none`` is the unbiased control from which all of them
start. `bias` plants it in other ways: ``spread`` over two blocks and the word vectors, ``fragile``, so that
noise removes it before it costs a fact, or as a ``decoy``, which makes the attribute visible in the hidden
states and leaves the next word alone. ``world=hard`` has a richer corpus (`evenhand.lab.hard_corpus`): facts
that are known in part, gender that is needed or a matter of fact, and a hobby that stands in for it. Both go
together, with ``seed=N``, and the second with ``planted=none``.

``lab:decisions`` decides about people, uses demonstrations, and has the bias that
`evenhand.lab.decision_truth` defines; ``lab:decisions?planted=none`` is its unbiased control. ``lab:masked``
(a small BERT) and ``lab:seq2seq`` (a small T5) have the same table as ``lab:causal``, trained from scratch,
and unbiased controls of their own. Only `folder` needs torch.
"""

from __future__ import annotations

from pathlib import Path

from evenhand.errors import MissingExtra
from evenhand.lab import cache
from evenhand.lab.decision_recipe import DecisionRecipe
from evenhand.lab.infill_recipe import InfillRecipe
from evenhand.lab.recipe import AnyRecipe, Recipe, parse

__all__ = ["AnyRecipe", "DecisionRecipe", "InfillRecipe", "Recipe", "folder", "parse"]


def folder(recipe: AnyRecipe) -> Path:
    """A Hugging Face model folder made by `recipe`: from the cache, or else trained now (tens of seconds).

    The cache is `evenhand.folders.cache_folder`; a damaged folder is made again with a warning.

    Raises:
        MissingExtra: torch or transformers is not installed.
        NoSpace: the cache cannot be written.
    """
    try:
        from evenhand.lab import make
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "hf", "Training a lab model") from None
    if isinstance(recipe, DecisionRecipe):
        return cache.kept(recipe.name, lambda target: make.make_decisions(recipe, target))
    if isinstance(recipe, InfillRecipe):
        return cache.kept(recipe.name, lambda target: make.make_filler(recipe, target))
    if recipe.planted == "none":
        return cache.kept(recipe.name, lambda target: make.make_control(recipe, target))
    return cache.kept(recipe.name, lambda target: make.make_planted(recipe, folder(recipe.control()), target))
