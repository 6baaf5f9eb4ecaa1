"""Prompts whose ends are read again and again: everything before the first prediction runs once.

What a locator changes lies where a term is predicted, the end of a prompt; earlier tokens do not see it. So a
`Tail` packs some prompts into a prefix tree, keeps the keys and values of the early tokens, and runs only the
late ones: those where a term is predicted, and those after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from evenhand.errors import BadModel
from evenhand.scoring.asking import Ids
from evenhand.scoring.blocks import Blocks, last_mlp_at_the_head
from evenhand.scoring.forward import SelectedHead, evaluating, run_inputs
from evenhand.scoring.packing import Packed, common
from evenhand.scoring.plan import Row
from evenhand.scoring.prefix import KeptLayer
from evenhand.scoring.restarting import agrees, packed
from evenhand.scoring.terms import Prompts
from evenhand.scoring.trees import refusal, tree_inputs, visible

ROOM = 512
"""Tokens of a tree, where no prompt is longer."""


def unfit(module: nn.Module, prompts: Prompts) -> str | None:
    """Why prompts cannot be read by their tails, as a clause; None if they can."""
    if (why := refusal(module, cached=True)) is not None:
        return why
    firsts = {prompts.opening(i).ids for i in range(len(prompts))}
    if min(map(len, firsts)) < 2:
        return "a prompt is a single token"
    ordered = sorted(firsts)
    nested = any(b[: len(a)] == a for a, b in pairwise(ordered))
    return "a prompt is the beginning of another" if nested else None


def portions(prompts: Prompts, room: int = ROOM) -> Iterator[list[int]]:
    """The numbers of the prompts in portions whose trees hold about `room` tokens, alike prompts together."""
    rows = {i: [row.ids for row in prompts.plan([i]).rows] for i in range(len(prompts))}
    portion: list[int] = []
    size, last = 0, Ids()
    for i in sorted(rows, key=lambda i: (prompts.opening(i).ids, i)):
        new = 0
        for row in sorted(rows[i]):
            new += len(row) - common(last, row)
            last = row
        if portion and size + new > room:
            yield portion
            portion, size = [], 0
            new = len(set.union(*({row[:n] for n in range(1, len(row) + 1)} for row in rows[i])))
        portion.append(i)
        size += new
    if portion:
        yield portion


class Tail:
    """The prompts of the numbers `chosen` as one tree, its early tokens already run.

    The weights must stay as they are.

    Raises:
        BadModel: the model keeps no key for each token.
    """

    def __init__(self, module: nn.Module, blocks: Blocks, prompts: Prompts, chosen: Sequence[int]) -> None:
        self._module, self._blocks = module, blocks
        self.prompts, self.chosen = prompts, list(chosen)
        plan = prompts.plan(chosen)
        rows = [row.ids for row in plan.rows]
        positions = [row.positions for row in plan.rows]
        (tree,), where = packed(rows, positions, sum(map(len, rows)))
        late = _late(tree)
        self._late = late.nonzero().squeeze(1)  # [late tokens], places in the tree
        at = {place: i for i, place in enumerate(self._late.tolist())}
        self._where = [(0, at[place]) for _, place in where]
        self._tree = tree
        self._layers = self._early((~late).nonzero().squeeze(1))

    @property
    def nbytes(self) -> int:
        """The size of the kept keys and values."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self._layers)

    def run(self, head: SelectedHead, rows: Sequence[Row]) -> Tensor:
        """A `Run` for exactly the prompts `chosen`, whose hidden states are those of the late tokens."""
        # ids and positions are [1, late], masks [1, 1, late, early + late]
        inputs = {**self._inputs, "past_key_values": Cache(layers=list(self._layers)), "use_cache": True}
        return run_inputs(self._module, head, inputs, self._where)

    @torch.no_grad()
    def _early(self, early: Tensor) -> list[KeptLayer]:
        whole = tree_inputs(self._module, [self._tree])
        cache = DynamicCache()  # without the configuration: sliding layers, too, keep every key
        inputs = {**_cut(whole, early, early), "past_key_values": cache, "use_cache": True}
        head = SelectedHead(self._module)
        with evaluating(self._module), head, last_mlp_at_the_head(self._blocks, head):
            run_inputs(self._module, head, inputs, [(0, 0)])
        layers = [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]
        sizes = {layer.keys.shape[-2] if isinstance(layer.keys, Tensor) else -1 for layer in layers}
        if not layers or len(layers) < len(cache.layers) or sizes != {len(early)}:
            raise BadModel(
                f"{type(self._module).__name__} does not keep one key for each token.",
                mend="Use a locator that runs whole rows.",
            )
        self._inputs = _cut(whole, self._late, torch.cat([early, self._late]))
        return [KeptLayer(layer.keys, layer.values) for layer in layers]  # type: ignore[arg-type]


def sound(module: nn.Module, blocks: Blocks, prompts: Prompts) -> bool:
    """Whether tails give the log-probabilities of whole rows on a few of the prompts."""
    last = len(prompts) - 1
    chosen = sorted({0, last // 2, last})
    try:
        tail = Tail(module, blocks, prompts, chosen)
    except BadModel:
        return False
    return agrees(module, tail.run, prompts.plan(chosen).rows, "the ends of prompts")


def _late(tree: Packed) -> Tensor:
    """Bool [tokens]: where something is predicted, and what comes after such a token."""
    seen = visible([tree], None)[0]  # [tokens, tokens], True where the second is the first or before it
    return seen[:, tree.places].any(dim=1)


def _cut(inputs: dict[str, Any], queries: Tensor, keys: Tensor) -> dict[str, Any]:
    """The inputs of one tree for the tokens `queries`, which attend to `keys` alone."""

    def mask(whole: Tensor) -> Tensor:
        queries_, keys_ = queries.to(whole.device), keys.to(whole.device)
        return whole[:, :, queries_][..., keys_]

    masks = inputs["attention_mask"]
    device = inputs["input_ids"].device
    return {
        "input_ids": inputs["input_ids"][:, queries.to(device)],
        "position_ids": inputs["position_ids"][:, queries.to(device)],
        "attention_mask": {kind: mask(m) for kind, m in masks.items()}
        if isinstance(masks, dict)
        else mask(masks),
    }
