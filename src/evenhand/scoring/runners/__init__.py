"""One file for each kind of request that weights answer, found by walking this folder.

A module here holds `runner`, a `Runner`. A model with accessible weights answers what its `can` allows, so a
new kind of request needs its record (`evenhand.records.asked`, with the ability that it needs) and a module
here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from evenhand.records import Request, Response, answer_in_groups

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase


class Weights(Protocol):
    """The part of a model that every runner needs. `batch_tokens` limits a batch."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase
    batch_tokens: int


@dataclass(frozen=True, slots=True)
class Runner:
    """How requests of some `kinds` are answered: ``run(model, requests)`` gives the answers in order."""

    kinds: tuple[type[Request], ...]
    run: Callable[[Any, Sequence[Any]], Sequence[Response]]


@cache
def _runners() -> Mapping[type[Request], Runner]:
    """The runner of each kind of request."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return {kind: module.runner for module in modules for kind in module.runner.kinds}


def answer(model: Weights, requests: Sequence[Request]) -> list[Response]:
    """The answers of `model` to `requests` of any kinds that it can answer, in order; one call per runner.

    Raises:
        EvenhandError: as for the runners.
    """
    runners = _runners()
    return answer_in_groups(
        requests, lambda one: runners[type(one)], lambda runner, group: list(runner.run(model, group))
    )
