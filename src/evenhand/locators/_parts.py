"""Ablation of parts of a block: its MLP, or one head of its attention, where terms are predicted.

A head is what it hands to the attention's output matrix: one slice of that matrix's input. Held at its mean
over the probes (or at 0), the head says the same on every prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evenhand.errors import BadModel
from evenhand.locators._probing import batches
from evenhand.progress import task

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import OpenModel
    from evenhand.records import Example

Part = Literal["block", "head", "mlp"]
Change = Callable[["Tensor"], "Tensor | None"]


@dataclass(frozen=True)
class Piece:
    """The columns `start` to `end` of a state [..., size] that `held` reads and replaces."""

    site: str
    start: int
    end: int
    held: Callable[[Change], AbstractContextManager[None]]


def pieces(model: OpenModel, part: Part) -> list[list[Piece]]:
    """The pieces of every block, those of one block together: they share one state.

    Raises:
        BadModel: the architecture has no such part.
    """
    return [_heads(model, site) if part == "head" else [_mlp(model, site)] for site in model.layout.blocks()]


def _heads(model: OpenModel, site: str) -> list[Piece]:
    from evenhand.hooks import feed
    from evenhand.models.projections import heads, output_projection

    projection = output_projection(model, site, "attention")
    number = heads(model.module, projection)
    size = projection.width // number
    return [
        Piece(f"{site}.head.{i}", i * size, (i + 1) * size, lambda fn: feed(projection.module, fn))
        for i in range(number)
    ]


def _mlp(model: OpenModel, site: str) -> Piece:
    from evenhand.hooks import patch

    name = f"{site}.mlp"
    if name not in model.layout.sites():
        raise BadModel(f"{model.spec.uri} has no MLP at {site}.", mend="Locate by blocks instead.")

    def held(fn: Change) -> AbstractContextManager[None]:
        def changed(output: Tensor, _: Tensor) -> Tensor:
            new = fn(output)
            return output if new is None else new

        return patch(model, name, changed)

    return Piece(name, 0, _size(model), held)


def _size(model: OpenModel) -> int:
    config: Any = model.module.config
    return int(config.get_text_config().hidden_size)


@dataclass(frozen=True)
class _Rows:
    """A batch of probes, the places [n] where its pass predicts terms, and its number of tokens a row."""

    probes: Sequence[Example]
    places: tuple[Tensor, Tensor]
    tokens: int

    def wide(self, state: Tensor) -> Tensor:
        """A state as [rows, tokens, size], also where the model flattens rows and tokens."""
        return state.reshape(-1, self.tokens, state.shape[-1])


def without_parts(
    model: OpenModel, probes: Sequence[Example], explain: Any, part: Part, *, keep_mean: bool
) -> tuple[float, dict[str, float]]:
    """The outcome, and the outcome without each part, by its site."""
    import torch

    from evenhand.scoring.forward import evaluating

    of_blocks = pieces(model, part)
    with torch.no_grad(), evaluating(model.module):
        rows, base, means = _means(model, probes, [block[0] for block in of_blocks])
        left: dict[str, float] = {}
        with task("locating by ablation", sum(map(len, of_blocks)), unit="part") as advance:
            for mean, block in zip(means, of_blocks, strict=True):
                for piece in block:
                    held = (mean * keep_mean)[piece.start : piece.end]
                    left[piece.site] = float(explain(_without(model, rows, piece, held)))
                    advance(1)
    return float(explain(base)), left


def _means(
    model: OpenModel, probes: Sequence[Example], firsts: Sequence[Piece]
) -> tuple[list[_Rows], Tensor, list[Tensor]]:
    """The batches, probabilities [N, k], and each block's mean state [size] where terms are predicted."""
    import torch

    from evenhand.hooks import observe
    from evenhand.scoring.terms import outcomes

    sums: list[Any] = [0.0] * len(firsts)
    found: list[_Rows] = []
    values: list[Tensor] = []
    for batch in batches(probes):
        seen: list[list[Tensor]] = [[] for _ in firsts]
        with ExitStack() as stack, observe(model, ["embeddings"]) as ids:
            for piece, states in zip(firsts, seen, strict=True):
                stack.enter_context(piece.held(states.append))
            answer = outcomes(model, batch)
        assert answer.places is not None  # a single pass has a single layout
        found.append(_Rows(batch, answer.places, ids["embeddings"][1].shape[1]))
        values.append(answer.log_p.exp())
        for i, (state,) in enumerate(seen):
            sums[i] = sums[i] + found[-1].wide(state)[answer.places].double().sum(0)
    count = sum(len(one.places[0]) for one in found)
    return found, torch.cat(values), [total / count for total in sums]


def _without(model: OpenModel, rows: Sequence[_Rows], piece: Piece, held: Tensor) -> Tensor:
    """Group probabilities [N, k] with the piece at `held` [its size] wherever terms are predicted."""
    import torch

    from evenhand.scoring.terms import outcomes

    values = []
    for one in rows:

        def changed(state: Tensor, one: _Rows = one) -> Tensor:
            wide = one.wide(state).clone()
            wide[(*one.places, slice(piece.start, piece.end))] = held.to(wide)
            return wide.reshape(state.shape)

        with piece.held(changed):
            values.append(outcomes(model, one.probes).log_p.exp())
    return torch.cat(values)
