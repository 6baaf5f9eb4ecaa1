"""Look-ups in the table of architectures: a type's row, and what it means for a given configuration."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from evenhand.architectures.row import Architecture
from evenhand.architectures.table import ROWS

_GROUPS = ("evenhand.layouts", "evenhand.architectures")  # the first is the former name of the second
_ATTENTION = frozenset({"full_attention", "sliding_attention", "chunked_attention"})
_UNKNOWN = Architecture()


@cache
def _registered() -> Mapping[str, EntryPoint]:
    return {point.name: point for group in _GROUPS for point in entry_points(group=group)}


def known() -> tuple[str, ...]:
    """Every `model_type` whose sites are known, sorted."""
    return tuple(sorted({kind for kind, row in ROWS.items() if row.blocks} | set(_registered())))


def kind_of(module: Any) -> str:
    """The `model_type` of a Hugging Face model, or its class's name where it has none."""
    return str(getattr(getattr(module, "config", None), "model_type", type(module).__name__))


def row_of(kind: str) -> Architecture:
    """The row of a `model_type`; a row of defaults if the type is not in the table."""
    points = _registered()
    if kind in points:
        registered: Architecture = points[kind].load()
        return registered
    return ROWS.get(kind, _UNKNOWN)


def text_config(config: Any) -> Any:
    """The part of a configuration that is about text."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def window(config: Any) -> int | None:
    """The largest number of tokens of a text, special ones included; None where nothing limits it.

    RoBERTa and similar models do not use the first rows of their position table (512 of 514). Relative
    positions (T5, DeBERTa) limit nothing by themselves; T5 states no number, DeBERTa states one.
    """
    texts = text_config(config)
    for name in row_of(getattr(texts, "model_type", "")).window:
        value = getattr(texts, name, None)
        if isinstance(value, int) and value > 0:
            return value - first_position(config)
    return None


def first_position(config: Any) -> int:
    """The position that the first token of a text has in models with this configuration."""
    texts = text_config(config)
    first = row_of(getattr(texts, "model_type", "")).first_position
    if first != "padding":
        return first
    padding = getattr(texts, "pad_token_id", None)
    return 1 + (1 if padding is None else int(padding))


def is_recurrent(config: Any) -> bool:
    """Whether some layer carries a state from token to token, so that padding on the left would enter it."""
    texts = text_config(config)
    layers = getattr(texts, "layer_types", None) or ()
    return row_of(getattr(texts, "model_type", "")).recurrent or any(k not in _ATTENTION for k in layers)
