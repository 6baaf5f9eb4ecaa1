"""The precision in which weights are opened: the checkpoint's own where the device multiplies it fast.

Why, and what is not done: ``docs/adr/0021-narrow-checkpoints-on-cpus.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evenhand.files import lines

NARROW = ("bfloat16", "float16")
"""Dtypes that float32 holds exactly."""
# What a processor must have, as torch and as Linux name it: one of these instructions.
_INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16"),
    "float16": ("avx512_fp16", "amx_fp16", "fp16_arith", "asimdhp"),
}
_CPUINFO = Path("/proc/cpuinfo")


def dtype_name(module: nn.Module) -> str:
    """The dtype of the first parameter of `module`, such as ``bfloat16``."""
    return str(next(module.parameters()).dtype).removeprefix("torch.")


def multiplies_fast(dtype: str) -> bool:
    """Whether the device where models are placed has instructions for products of `dtype`.

    Nothing is timed, so that a machine always answers the same.
    """
    if dtype not in NARROW:
        return True
    if torch.cuda.is_available():
        return dtype == "float16" or torch.cuda.is_bf16_supported(including_emulation=False)
    return not instructions().isdisjoint(_INSTRUCTIONS[dtype])


def instructions() -> frozenset[str]:
    """The instructions that the processor has, as torch names them, or Linux where torch does not tell."""
    told: Any = getattr(torch.cpu, "get_capabilities", None)  # newer than the lowest torch allowed
    if told is not None:
        return frozenset(str(name) for name, has in told().items() if has is True)
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    found = (line.partition(":") for line in lines(text))
    return frozenset(
        word for key, _, words in found if key.strip() in ("flags", "Features") for word in words.split()
    )


def widened(dtype: str) -> str:
    """The note on a checkpoint of `dtype` that was opened as float32."""
    return (
        f"The checkpoint's weights are {dtype}, which this device multiplies slowly: they were opened as "
        f"float32, which holds them exactly. `--dtype {dtype}` opens them as they are."
    )
