"""Digests that identify a model: checksums of weights and tokenizers, and of the settings beside them."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evenhand.progress import task
from evenhand.scoring.offloaded import in_parts, is_offloaded, value_of
from evenhand.scoring.tokens import end_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


# Settings of a configuration that decide no answer: where it came from, what it returns beside logits, what
# is off outside training, how weights are shared (they themselves say what they are) or dealt out.
_SILENT = frozenset(
    {
        "transformers_version",
        "architectures",
        "dtype",
        "torch_dtype",
        "use_cache",
        "output_hidden_states",
        "output_attentions",
        "return_dict",
        "chunk_size_feed_forward",
        "id2label",
        "label2id",
        "problem_type",
        "initializer_range",
        "tie_word_embeddings",
        "quantization_config",
        "distributed_config",
    }
)
_SILENT_ENDS = ("dropout", "pdrop", "_drop")


def settings_of(module: nn.Module, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """What a model's configuration says of how it computes: the same weights answer otherwise under another.

    With the tokens that end what it writes, which come from beside the configuration. Empty for a module
    without a configuration of transformers.
    """
    config: Any = getattr(module, "config", None)
    if not hasattr(config, "to_dict"):
        return {}
    return _audible(config.to_dict()) | {"ends of text": end_ids(module, tokenizer)}


def _audible(settings: dict[Any, Any]) -> dict[str, Any]:
    return {
        str(name): _audible(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if name not in _SILENT and not str(name).startswith("_") and not str(name).endswith(_SILENT_ENDS)
    }


def settings_digest(module: nn.Module, tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (hex) of `settings_of`."""
    text = json.dumps(settings_of(module, tokenizer), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(module: nn.Module) -> str:
    """SHA-256 (hex) over the names, shapes, dtypes and bytes of all parameters and saved buffers, sorted.

    Any change of one weight changes it. Tied weights count once, under the first of their names.
    """
    parts = tensor_digests(module)
    text = "".join(f"{name}:{parts[name]};" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def every_tensor(module: nn.Module) -> dict[str, Tensor]:
    """All parameters and saved buffers by their names; tied weights once, under the first of them."""
    saved = module.state_dict().keys()
    tensors: dict[str, Tensor] = dict(module.named_parameters())
    tensors.update((name, buffer) for name, buffer in module.named_buffers() if name in saved)
    return tensors


def tensor_digests(module: nn.Module) -> dict[str, str]:
    """SHA-256 (hex) over shape, dtype and bytes of each of `every_tensor`."""
    tensors = every_tensor(module)
    found: dict[str, str] = {}
    with (
        # Hashing releases the interpreter lock; what is not in memory is read one tensor at a time, and all
        # processes put what is in parts together in one order.
        ThreadPoolExecutor(1 if is_offloaded(module) or in_parts(module) else None) as pool,
        task("checksum of the weights", len(tensors), unit="tensor", late=True) as advance,
    ):
        every = ((module, name) for name in tensors)
        for name, part in zip(tensors, pool.map(_tensor_digest, *zip(*every, strict=True)), strict=True):
            found[name] = part
            advance(1)
    return found


def _tensor_digest(module: nn.Module, name: str) -> str:
    home, _, own = name.rpartition(".")
    tensor = value_of(module.get_submodule(home), own)
    plain = tensor.detach().contiguous().cpu()
    sha = hashlib.sha256(f"{tuple(plain.shape)}{plain.dtype}".encode())
    sha.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (hex) of how the tokenizer turns text into ids, without its padding and truncation."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        described = {"class": type(tokenizer).__name__, "vocab": tokenizer.get_vocab()}
    else:
        described = json.loads(backend.to_str())
        described["padding"] = described["truncation"] = None
    text = json.dumps([described, tokenizer("a")["input_ids"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def model_digest(module: nn.Module, tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (hex) over weights and tokenizer.

    Two models with one digest give the same answers where their configurations agree (`settings_digest`).
    """
    return hashlib.sha256(f"{weights_digest(module)} {tokenizer_digest(tokenizer)}".encode()).hexdigest()
