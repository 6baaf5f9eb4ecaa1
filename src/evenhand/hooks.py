"""Context managers: observe or replace the input and output of a site or a module, restore weights.

A Hugging Face module may return its hidden states alone or first in a tuple, and may take them by position
or by name, depending on the architecture and the version. That is handled here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.scoring.kept import same_bits, states_of

if TYPE_CHECKING:
    from evenhand.models import OpenModel

Seen = tuple[Tensor, Tensor]
Replace = Callable[[Tensor, Tensor], Tensor]
Tap = Callable[[Tensor, Tensor], Tensor | None]


@contextmanager
def observe(model: OpenModel, sites: Iterable[str]) -> Iterator[dict[str, Seen]]:
    """Yield a dict that each forward pass fills with ``site: (input, output)``, the newest pass only.

    Both tensors are [rows, tokens, width] as the model computed them, still attached to the graph where
    gradients are on (OPT flattens rows and tokens inside its MLP). Padded positions are included. The
    input of ``embeddings`` is the token ids [rows, tokens].

    Raises:
        UnknownName: the model has no such site.
    """
    seen: dict[str, Seen] = {}
    with ExitStack() as stack:
        for site in sites:
            stack.enter_context(_at(model, site, _keep(seen, site)))
        yield seen


def _keep(seen: dict[str, Seen], site: str) -> Callable[[Tensor, Tensor], None]:
    def keep(output: Tensor, given: Tensor) -> None:
        seen[site] = (given, output)

    return keep


@contextmanager
def patch(model: OpenModel, site: str, fn: Replace) -> Iterator[None]:
    """Replace the site's output by ``fn(output, input)`` of the same shape until the block is left.

    ``patch(model, "block.3", lambda output, input: input)`` takes block 3 out of the model.

    Raises:
        UnknownName: the model has no such site.
    """
    with _at(model, site, fn):
        yield


@contextmanager
def restore(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Restore the values of `parameters`, bit for bit, when the block is left, also by an exception."""
    kept = [(parameter, parameter.detach().clone()) for parameter in parameters]
    states = states_of([parameter for parameter, _ in kept])
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in kept:
                parameter.copy_(value)
        same_bits([parameter for parameter, _ in kept], states)


@contextmanager
def tap(first: nn.Module, last: nn.Module, fn: Tap) -> Iterator[None]:
    """Call ``fn(output, input)`` whenever `last` has run, with what `first` received; for single modules.

    A tensor that `fn` returns replaces the output; None leaves it. `observe` and `patch` do this at a site.
    """
    inputs: list[Tensor] = []

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        inputs[:] = [_first_tensor(module, args, kwargs)]

    def after(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        new = fn(hidden, inputs[0])
        if new is None:
            return None
        return (new, *output[1:]) if isinstance(output, tuple) else new

    handles = [
        first.register_forward_pre_hook(before, with_kwargs=True),
        last.register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _at(model: OpenModel, site: str, fn: Tap) -> AbstractContextManager[None]:
    return tap(model.layout.modules(site)[0], model.layout.module(site), fn)


def _first_tensor(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    named = kwargs.get("hidden_states")
    for value in (*args, named, *kwargs.values()):
        if isinstance(value, Tensor):
            return value
    raise BadModel(
        f"The module {type(module).__name__}, where this site begins, receives no tensor.",
        mend="Pass a Layout whose Architecture names modules that receive hidden states.",
    )
