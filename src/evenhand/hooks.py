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

from evenhand.architectures.checking import output_embeddings
from evenhand.errors import BadModel
from evenhand.scoring.kept import same_bits, states_of
from evenhand.scoring.runners.embedding import backbone

if TYPE_CHECKING:
    from evenhand.models import OpenModel

Seen = tuple[Tensor, Tensor]
Replace = Callable[[Tensor, Tensor], Tensor]
Tap = Callable[[Tensor, Tensor], Tensor | None]
Edit = Callable[[Tensor], Tensor | None]
TO_HEAD, VECTORS = "to_head", "vectors"
"""Sites beside those of a layout, for models of all families: the states that the language-model head reads,
and the last hidden states, whose mean is the vector of a text."""


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
def feed(module: nn.Module, fn: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """Call ``fn(input)`` whenever `module` is about to run; a tensor that it returns replaces the input.

    The input is the module's first positional argument. None leaves it as it is.
    """

    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        new = fn(args[0])
        return None if new is None else (new, *args[1:])

    handle = module.register_forward_pre_hook(before)
    try:
        yield
    finally:
        handle.remove()


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


@contextmanager
def edited(model: Any, site: str, edit: Edit) -> Iterator[None]:
    """Call ``edit(states)`` when the states at `site` are computed; a tensor that it returns replaces them.

    `site` is one of the model's layout, `TO_HEAD` or `VECTORS`. States are [rows, tokens, width]. Because a
    hook is set, the engine reuses nothing that it kept of passes through the site, and rows run whole.

    Raises:
        UnknownName: the model has no such site.
        BadModel: it has no language-model head, or no backbone.
    """
    if site not in (TO_HEAD, VECTORS):
        with _at(model, site, lambda output, _: edit(output)):
            yield
        return
    handle = _on_head(model, edit) if site == TO_HEAD else _on_vectors(model, edit)
    try:
        yield
    finally:
        handle.remove()


def _on_head(model: Any, edit: Edit) -> Any:
    head = output_embeddings(model.module)
    if head is None:
        raise BadModel(
            f"{model.spec.uri} has no language-model head.", mend="Use its sentence vectors (at=vectors)."
        )

    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        new = edit(args[0])
        return None if new is None else (new, *args[1:])

    return head.register_forward_pre_hook(before)


def _on_vectors(model: Any, edit: Edit) -> Any:
    def after(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        new = edit(output[0])
        if new is None:
            return None
        if isinstance(output, tuple):
            return (new, *output[1:])
        output["last_hidden_state"] = new  # a ModelOutput, which sets its attribute, too
        return output

    return backbone(model.module).register_forward_hook(after)


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
