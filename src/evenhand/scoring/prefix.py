"""A shared prefix that runs once: its keys and values, and packed rows that are read after it.

The packed row is one batch row, whose tokens attend to the prefix, too (see `evenhand.scoring.trees`). So the
prefix is never copied and there is no padding. `evenhand.scoring.shared` tests the method on the given model
and workload.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from evenhand.errors import BadModel
from evenhand.scoring.forward import device_of
from evenhand.scoring.packing import Packed
from evenhand.scoring.reading import Reader
from evenhand.scoring.trees import tree_inputs


class Prefix:
    """The keys and values of one prefix, [start] ids, and what was read at the `positions` wanted in it.

    `reading` is of ``len(positions)`` places; of the last position if none is wanted. Reading rows after the
    prefix does not change it, also if memory runs out.

    Raises:
        BadModel: the model does not keep one key per token and layer, so nothing can be read after it.
    """

    def __init__(self, reader: Reader, ids: Sequence[int], positions: Sequence[int]) -> None:
        self._module = reader.module
        device = device_of(self._module)
        # One row: ids, mask and positions are [1, start]; keys and values [1, heads, start, width] a layer.
        cache = DynamicCache()  # without the configuration: sliding layers, too, keep every key
        inputs = {
            "input_ids": torch.tensor([ids], device=device),
            "attention_mask": torch.ones(1, len(ids), dtype=torch.long, device=device),
            "position_ids": torch.arange(len(ids), device=device)[None],
            "past_key_values": cache,
            "use_cache": True,
        }
        where = [(0, position) for position in positions] or [(0, len(ids) - 1)]
        self.reading = reader.whole(inputs, where)  # the pass fills the cache, so it runs once
        kept = [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]
        if not kept or len(kept) < len(cache.layers) or any(_size(layer) != len(ids) for layer in kept):
            raise BadModel(
                f"{type(self._module).__name__} does not keep one key for each token.",
                mend="Score it without shared prefixes.",
            )
        self._layers = [KeptLayer(layer.keys, layer.values) for layer in kept]  # type: ignore[arg-type]

    def inputs_after(self, packed: Packed) -> dict[str, Any]:
        """The inputs of a pass over a packed row that continues this prefix."""
        kept = Cache(layers=list(self._layers))
        return {**tree_inputs(self._module, [packed]), "past_key_values": kept, "use_cache": True}


def _size(layer: DynamicLayer) -> int:
    return int(layer.keys.shape[-2]) if isinstance(layer.keys, Tensor) and layer.keys.dim() == 4 else -1


class KeptLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values of the prefix: later keys and values are used but not stored."""

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The prefix's keys and values, then the given ones: [1, heads, past + tokens, width]."""
        return torch.cat([self.keys, key_states], dim=-2), torch.cat([self.values, value_states], dim=-2)
