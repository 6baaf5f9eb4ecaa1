"""Batches of packed prefix trees: what a model's forward pass gets, with or without a shared beginning.

A batch row is a tree of tokens (see `evenhand.scoring.packing`). Each token attends to itself and to its
ancestors, and its position is its depth, so every text of the tree gets the numbers that it would get alone.
The method gives wrong results without an error if a model derives positions or distances from the index of a
key (ALiBi in MPT and BLOOM, GPT-Neo's local layers) or passes a state from token to token: it is used only
for architectures that the test suite covers, and the routes of `evenhand.scoring` test it again on the given
model and workload. Everything here works with gradients.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.architectures import first_position, kind_of, row_of
from evenhand.scoring.blocks import hooked
from evenhand.scoring.forward import device_of
from evenhand.scoring.packing import Packed, common, pack, portions
from evenhand.scoring.plan import Row

HOOKED = "hooks are set on the model"
"""The reason that lies in what is done with the model, not in the model."""
_ROPE_OF_LENGTH = frozenset({"dynamic", "longrope"})  # their frequencies depend on the length of the text
_INPUTS = ("attention_mask", "position_ids")


def refusal(module: nn.Module, *, cached: bool = False) -> str | None:
    """Why texts cannot run as packed trees in the current model, as a clause; None if they can.

    With `cached`, the trees are to be read after a beginning whose keys and values are kept. Hooks are a
    reason: a hook that observes or replaces hidden states expects that each row is a text.
    """
    return next(_refusals(module, cached), None)


def _refusals(module: nn.Module, cached: bool) -> Iterator[str]:
    config: Any = getattr(module, "config", None)
    kind = kind_of(module)
    row = row_of(kind)
    if not (row.shares or (row.places and not cached)):
        yield f"sharing is not tested for the architecture {kind}"
    if getattr(config, "alibi", False):
        yield "ALiBi computes distances from indices, not from positions"
    attention = getattr(config, "_attn_implementation", "eager")
    if attention not in ("eager", "sdpa"):
        yield f"attention {attention!r} takes no mask of its own"
    if _rope_kinds(config) & _ROPE_OF_LENGTH:
        yield "rotary positions depend on the length of the text"
    if getattr(getattr(module, "active_peft_config", None), "is_prompt_learning", False):
        yield "an adapter puts virtual tokens before each text"
    known = inspect.signature(module.forward).parameters
    missing = [n for n in (*_INPUTS, *(["past_key_values"] if cached else [])) if n not in known]
    if missing:
        yield f"the forward pass takes no {missing[0]}"
    if hooked(module):
        yield HOOKED


def _rope_kinds(config: Any) -> set[str]:
    found = [getattr(config, name, None) for name in ("rope_parameters", "rope_scaling")]
    tables = [table for table in found if isinstance(table, dict)]
    tables += [inner for table in tables for inner in table.values() if isinstance(inner, dict)]
    return {str(table.get("rope_type", table.get("type", ""))) for table in tables}


def most_nodes(module: nn.Module) -> int | None:
    """The most tokens that a packed tree of this model may hold; None where nothing limits them."""
    name = row_of(kind_of(module)).places
    return int(getattr(module.config, name)) if name else None


def pack_evenly(rows: Sequence[Row], room: int) -> list[Packed]:
    """`rows` (in any order) as the fewest trees of at most `room` tokens, of nearly equal size.

    A row longer than `room` is a tree by itself. No row may be a prefix of another, as in a `Plan`. The
    result depends on the set of rows only.
    """
    ordered = sorted(rows, key=lambda row: row.ids)
    sizes = _Sizes(ordered)
    fewest, low, high = len(sizes.at(room)), 0, room  # `high` gives the fewest trees, `low` gives more
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if len(sizes.at(middle)) <= fewest else (middle, high)
    return pack(ordered, 0, high)


def room_for(rows: Sequence[Row], rooms: Sequence[int], width: int) -> int:
    """The one of `rooms`, sorted, whose trees cost least in a model of this `width` of hidden states.

    A tree of n tokens costs n + n^2 / (4 x width): its matrix products, and attention on all of its tokens.
    """
    sizes = _Sizes(sorted(rows, key=lambda row: row.ids))

    def cost(room: int) -> float:
        return sum(n + n * n / (4 * width) for n in sizes.at(room))

    return min(rooms, key=cost)


class _Sizes:
    """How large the trees of sorted rows are."""

    def __init__(self, ordered: Sequence[Row]) -> None:
        self._lengths = [len(row.ids) for row in ordered]
        self._overlaps = [0, *(common(a.ids, b.ids) for a, b in pairwise(ordered))]

    def at(self, room: int) -> list[int]:
        """The tokens of each tree where none may have more than `room`."""
        return [run[0] for run in portions(self._lengths, self._overlaps, 0, room)]


def nodes_at(trees: Sequence[Packed]) -> list[tuple[int, int]]:
    """The (batch row, place in it) pairs of all nodes whose prediction is wanted, tree by tree, in order."""
    return [(i, place) for i, tree in enumerate(trees) for place in tree.places]


def tree_inputs(module: nn.Module, trees: Sequence[Packed]) -> dict[str, Any]:
    """Inputs of one forward pass over N `trees`: ids and positions [N, tokens], and the masks.

    All trees continue the same beginning; its keys and values, if it has any tokens, are left to the caller.
    `attention_mask` is [N, 1, tokens, start + tokens], or a table of such masks by the layers' kind; bool
    for sdpa, else what is added to the attention's scores. Shorter trees are padded at the end with id 0.
    """
    width = max(len(tree.ids) for tree in trees)
    device = device_of(module)
    first = first_position(getattr(module, "config", None))
    return {
        "input_ids": _padded([tree.ids for tree in trees], width).to(device),
        "attention_mask": _masks(module, trees),
        "position_ids": _padded([tree.depth for tree in trees], width).to(device) + first,
        "use_cache": False,
    }


def _padded(numbers: Sequence[Sequence[int]], width: int) -> Tensor:
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in numbers])


def _masks(module: nn.Module, trees: Sequence[Packed]) -> Tensor | dict[str, Tensor]:
    config: Any = getattr(module, "config", None)
    layers = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)
    if layers is None:  # one mask for all layers, windowed where the model has a window
        return _mask(module, trees, window)
    if "sliding_attention" not in layers:
        return _mask(module, trees, None)
    return {
        kind: _mask(module, trees, window if kind.startswith("sliding") else None) for kind in set(layers)
    }


def _mask(module: Any, trees: Sequence[Packed], window: int | None) -> Tensor:
    """[N, 1, tokens, start + tokens]: bool for sdpa, else what is added to the attention's scores."""
    seen = visible(trees, window)[:, None].to(device_of(module))
    if module.config._attn_implementation == "sdpa":
        return seen
    wide = next(p.dtype for p in module.parameters() if p.is_floating_point())
    return torch.zeros_like(seen, dtype=wide).masked_fill_(~seen, torch.finfo(wide).min)


def visible(trees: Sequence[Packed], window: int | None) -> Tensor:
    """Attention masks: bool [N, tokens, start + tokens], True where a token attends to a key.

    The beginning of `start` tokens, the same for all trees, comes first, then the tree itself. With a
    `window` a token attends to itself and the ``window - 1`` positions before it in its own text. Padding
    attends to itself only: a token that attends to nothing would give NaN.
    """
    width = max(len(tree.ids) for tree in trees)
    start = trees[0].start
    place = torch.arange(width)
    end = torch.stack([torch.cat([torch.tensor(tree.end), place[len(tree.end) :] + 1]) for tree in trees])
    # [N, tokens, tokens]: token i attends to token j where j is i or an ancestor of i in the tree.
    seen = (place[None, :] <= place[:, None]) & (place[:, None] < end[:, None, :])
    if start:
        seen = torch.cat([_before(trees, width), seen], dim=2)
    if window is not None:
        depth = _padded([tree.depth for tree in trees], width)
        position = torch.cat([torch.arange(start).expand(len(trees), start), depth], dim=1)
        seen &= depth[:, :, None] - position[:, None, :] < window
    return seen


def _before(trees: Sequence[Packed], width: int) -> Tensor:
    """Bool [N, tokens, start]: which tokens attend to the beginning: all that are not padding."""
    sizes = torch.tensor([len(tree.ids) for tree in trees])
    real = torch.arange(width)[None, :] < sizes[:, None]
    return real[:, :, None].expand(len(trees), width, trees[0].start)
