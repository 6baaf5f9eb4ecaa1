"""The memory that a model's weights need, known before they are loaded, and whether there is so much."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from evenhand.decimals import fixed
from evenhand.errors import OutOfMemory
from evenhand.files import lines
from evenhand.scoring.forward import LOGIT_BYTES

LARGE = 10**9  # bytes of weights whose loading is announced; smaller ones load in a few seconds
_MEMINFO = Path("/proc/meminfo")


def weight_bytes(module: nn.Module) -> int:
    """The bytes of all parameters and buffers of `module`, tied ones once; it may be without storage."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))


def described(module: nn.Module) -> str:
    """The size of `module` for people: ``135 M parameters, 0.5 GB of weights and up to 0.3 GB of logits``."""
    count = sum(parameter.numel() for parameter in module.parameters())
    weights, logits = _gb(weight_bytes(module)), _gb(LOGIT_BYTES)
    return f"{fixed(count / 1e6, 0)} M parameters, {weights} of weights and up to {logits} of logits"


def check_room(name: str, module: nn.Module) -> None:
    """Check that the weights of `module`, which has no storage yet, fit into the memory that is free.

    Where nobody can say how much is free, nothing is checked. What answering needs beside the weights is
    not counted: batches shrink to what is left.

    Raises:
        OutOfMemory: the weights alone need more.
    """
    free, needed = free_bytes(), weight_bytes(module)
    if free is not None and needed > free:
        raise OutOfMemory(
            f"The weights of {name} do not fit into memory: they need {_gb(needed)}, {_gb(free)} are free.",
            mend="Use dtype bfloat16 or a smaller model, or end other programs.",
        )


def free_bytes() -> int | None:
    """The memory where a model is loaded to that new data may take: of the graphics card where there is one,
    else of the system with its swap space; None where the system does not say.
    """
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    try:
        entries = (line.split() for line in lines(_MEMINFO.read_text(encoding="ascii")))
        held = {words[0].rstrip(":"): int(words[1]) * 1024 for words in entries if len(words) > 1}
        return held["MemAvailable"] + held["SwapFree"]
    except (OSError, ValueError, KeyError):
        return None


def _gb(size: int) -> str:
    return f"{fixed(size / 1e9, 1)} GB"
