"""What running out of memory looks like, and how to make room again."""

from __future__ import annotations

import gc

import torch

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed")


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory ran out: torch has no one class for that on all devices."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def make_room() -> None:
    """Give memory held by dead objects and by the accelerator's cache back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
