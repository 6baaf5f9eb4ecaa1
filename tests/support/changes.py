"""Changes of a model that leave its weights as they are."""

from __future__ import annotations

from typing import Any

from torch import nn


def _own_forward(module: Any) -> None:
    part = module.model.layers[0].mlp
    part.forward = lambda hidden, own=part.forward: 3 * own(hidden)


def _other_activation(module: Any) -> None:
    module.model.layers[0].mlp.act_fn = nn.ReLU()


def _setting(module: Any) -> None:
    module.model.layers[0].self_attn.scaling = 0.9


def _buffer(module: Any) -> None:
    module.model.rotary_emb.inv_freq.mul_(3)


CHANGES = {
    "own forward": _own_forward,
    "activation": _other_activation,
    "setting": _setting,
    "buffer": _buffer,
}
"""Of the lowest block of a Llama, or of its positions; by name."""
