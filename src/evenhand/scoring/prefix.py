"""A shared prefix that runs once: its keys and values, and packed rows that are read after it.

The packed row is one batch row; each token attends to the prefix and to its own ancestors in the tree, and
its position is its depth. So the prefix is never copied and there is no padding. The method gives wrong
results without an error if a model derives positions or distances from the index of a key (ALiBi in MPT and
BLOOM, GPT-Neo's local layers) or passes a state from token to token: it is used only for architectures that
the test suite covers, and `evenhand.scoring.shared` tests it again on the given model and workload.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from evenhand.architectures import kind_of, row_of
from evenhand.errors import BadModel
from evenhand.scoring.forward import SelectedHead, device_of, run_inputs
from evenhand.scoring.packing import Packed

_ROPE_OF_LENGTH = frozenset({"dynamic", "longrope"})  # their frequencies depend on the length of the text
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def refusal(module: nn.Module) -> str | None:
    """Why no prefix can be shared in the current model, as a clause; None if prefixes can be shared.

    Hooks are a reason: a hook that observes or replaces hidden states expects that each row is a text.
    """
    return next(_refusals(module), None)


def _refusals(module: nn.Module) -> Iterator[str]:
    config: Any = getattr(module, "config", None)
    kind = kind_of(module)
    if not row_of(kind).shares:
        yield f"sharing is not tested for the architecture {kind}"
    if getattr(config, "alibi", False):
        yield "ALiBi computes distances from indices, not from positions"
    attention = getattr(config, "_attn_implementation", "eager")
    if attention not in ("eager", "sdpa"):
        yield f"attention {attention!r} takes no mask of its own"
    if _rope_kinds(config) & _ROPE_OF_LENGTH:
        yield "rotary positions depend on the length of the text"
    known = inspect.signature(module.forward).parameters
    missing = [n for n in ("attention_mask", "position_ids", "past_key_values") if n not in known]
    if missing:
        yield f"the forward pass takes no {missing[0]}"
    if any(getattr(part, name) for part in module.modules() for name in _HOOKS) or any(
        getattr(torch_module, f"_global{name}") for name in _HOOKS
    ):
        yield "hooks are set on the model"


def _rope_kinds(config: Any) -> set[str]:
    found = [getattr(config, name, None) for name in ("rope_parameters", "rope_scaling")]
    tables = [table for table in found if isinstance(table, dict)]
    tables += [inner for table in tables for inner in table.values() if isinstance(inner, dict)]
    return {str(table.get("rope_type", table.get("type", ""))) for table in tables}


class Prefix:
    """The keys and values of one prefix, [start] ids, and the logits after the `positions` wanted in it.

    `logits` is [len(positions), vocabulary], None if none is wanted. Reading rows after the prefix does not
    change it, also if memory runs out. `head` must be entered, gradients off.

    Raises:
        BadModel: the model does not keep one key per token and layer, so nothing can be read after it.
    """

    def __init__(
        self, module: nn.Module, head: SelectedHead, ids: Sequence[int], positions: Sequence[int]
    ) -> None:
        self._module: Any = module
        self._head = head
        device = device_of(module)
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
        logits = run_inputs(module, head, inputs, where)
        self.logits = logits if positions else None
        kept = [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]
        if not kept or len(kept) < len(cache.layers) or any(_size(layer) != len(ids) for layer in kept):
            raise BadModel(
                f"{type(module).__name__} does not keep one key for each token.",
                mend="Score it without shared prefixes.",
            )
        self._size = len(ids)
        self._layers = [_Kept(layer.keys, layer.values) for layer in kept]  # type: ignore[arg-type]

    def read(self, packed: Packed) -> Tensor:
        """Logits [R, vocabulary] at the R `packed.places`, which continue this prefix.

        Raises:
            BadModel: the model's forward pass bypasses its head.
        """
        device = device_of(self._module)
        # One row of the tree's tokens: ids and positions [1, tokens], masks [1, 1, tokens, start + tokens].
        inputs = {
            "input_ids": torch.tensor([packed.ids], device=device),
            "attention_mask": self._masks(packed),
            "position_ids": torch.tensor([packed.depth], device=device),
            "past_key_values": Cache(layers=list(self._layers)),
            "use_cache": True,
        }
        return run_inputs(self._module, self._head, inputs, [(0, place) for place in packed.places])

    def _masks(self, packed: Packed) -> Tensor | dict[str, Tensor]:
        config: Any = getattr(self._module, "config", None)
        layers = getattr(config, "layer_types", None)
        window = getattr(config, "sliding_window", None)
        if layers is None:  # one mask for all layers, windowed where the model has a window
            return self._mask(packed, window)
        if "sliding_attention" not in layers:
            return self._mask(packed, None)
        return {
            kind: self._mask(packed, window if kind.startswith("sliding") else None) for kind in set(layers)
        }

    def _mask(self, packed: Packed, window: int | None) -> Tensor:
        """[1, 1, tokens, start + tokens]: bool for sdpa, else what is added to the attention's scores."""
        seen = visible(packed, self._size, window)[None, None].to(device_of(self._module))
        if self._module.config._attn_implementation == "sdpa":
            return seen
        wide = next(p.dtype for p in self._module.parameters() if p.is_floating_point())
        return torch.zeros_like(seen, dtype=wide).masked_fill_(~seen, torch.finfo(wide).min)


def visible(packed: Packed, past: int, window: int | None) -> Tensor:
    """Attention mask of a packed row: bool [tokens, past + tokens], True where a token attends to a key.

    The `past` tokens of the prefix come first, then the row itself. With a `window` a token attends to itself
    and the ``window - 1`` positions before it in its own text.
    """
    place = torch.arange(len(packed.ids))
    end, depth = torch.tensor(packed.end), torch.tensor(packed.depth)
    # [tokens, tokens]: token i attends to token j where j is i or an ancestor of i in the tree.
    tree = (place[None, :] <= place[:, None]) & (place[:, None] < end[None, :])
    seen = torch.cat([torch.ones(len(place), past, dtype=torch.bool), tree], dim=1)
    if window is not None:
        position = torch.cat([torch.arange(past), depth])  # [past + tokens]
        seen &= depth[:, None] - position[None, :] < window
    return seen


def _size(layer: DynamicLayer) -> int:
    return int(layer.keys.shape[-2]) if isinstance(layer.keys, Tensor) and layer.keys.dim() == 4 else -1


class _Kept(DynamicLayer):  # type: ignore[no-untyped-call]
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
