"""Hidden states to fit on: of prompts where a group's term may follow, and of whole texts.

A prompt's state is the one from which its first missing token is predicted; the prompt itself states no
group. A text's state is the mean over its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from evenhand.architectures.checking import output_embeddings
from evenhand.hooks import TO_HEAD, VECTORS, edited
from evenhand.models import Model
from evenhand.progress import task
from evenhand.records import Continuation, Embedding, Example
from evenhand.scoring.asking import padding_of
from evenhand.scoring.forward import SelectedHead, evaluating, run_rows
from evenhand.scoring.runners.embedding import embeddings
from evenhand.scoring.terms import Prompts

if TYPE_CHECKING:
    from evenhand.subspaces import Array

_BATCH = 32  # prompts


def text_states(model: Any, site: str, texts: Sequence[str]) -> Array:
    """The mean state at `site` of each text, [n, d]: its vector where the site is that of the vectors.

    Raises:
        EvenhandError: as for `embeddings`.
    """
    if site == VECTORS:
        return np.array([answer.values for answer in model.answer([Embedding(text) for text in texts])])
    found: list[Tensor] = []
    with task("reading states", len(texts), unit="text") as advance:
        for text in texts:
            with edited(model, site, lambda states: found.append(states.double().mean(1))):
                embeddings(model, [text])  # alone, so that no place is padding
            advance(1)
    return np.asarray(torch.cat(found).cpu().numpy())


def prompt_states(model: Any, site: str, examples: Sequence[Example]) -> Array:
    """The state at `site` from which each prompt's next token is predicted, [n, d].

    Raises:
        EvenhandError: a prompt that the model cannot be asked.
    """
    if model.spec.family == "causal":
        return _causal(model, site, examples)
    return _asked(model, site, examples)


@torch.no_grad()
def _causal(model: Any, site: str, examples: Sequence[Example]) -> Array:
    prompts, module, found = Prompts(model, examples), model.module, list[Tensor]()
    rows = [prompts.opening(i).ids for i in range(len(examples))]
    padding = padding_of(module)
    with evaluating(module), task("reading states", len(rows), unit="prompt") as advance:
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            seen: list[Tensor] = []
            # The hook is set first: SelectedHead takes the head's rows out of what it leaves.
            with edited(model, site, _keeping(seen)), SelectedHead(module) as head:
                run_rows(module, head, batch, [[len(row) - 1] for row in batch], padding=padding)
            last = [-1 if padding == "left" else len(row) - 1 for row in batch]
            found.append(seen[-1][range(len(batch)), last].double())  # [rows, d] of [rows, tokens, d]
            advance(len(batch))
    return np.asarray(torch.cat(found).cpu().numpy())


def _keeping(seen: list[Tensor]) -> Any:
    def keep(states: Tensor) -> None:
        seen.append(states)

    return keep


def _asked(model: Model, site: str, examples: Sequence[Example]) -> Array:
    """One request at a time: what the head reads for the first token of the first group's term."""
    assert site == TO_HEAD
    head, found = output_embeddings(model.module), list[Tensor]()  # type: ignore[attr-defined]
    assert head is not None
    seen: list[Tensor] = []

    def keep(_: object, args: tuple[Tensor, ...], __: object) -> None:
        seen.append(args[0])

    # A hook after the head sees its input as the engine's own hook left it: the rows that are asked for.
    handle = head.register_forward_hook(keep)
    try:
        with task("reading states", len(examples), unit="prompt") as advance:
            for example in examples:
                seen.clear()
                model.answer([Continuation(example.context, example.terms[0][0])])
                found.append(seen[0].reshape(-1, seen[0].shape[-1])[:1].double())
                advance(1)
    finally:
        handle.remove()
    return np.asarray(torch.cat(found).cpu().numpy())
