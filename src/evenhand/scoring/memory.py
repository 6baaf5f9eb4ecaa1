"""Recognising out-of-memory errors, freeing memory, and running work that may exceed the memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

_REFUSED = "cannot allocate memory"  # the system's own words, which libraries hand on in errors of their own
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed")


def ran_out(error: BaseException) -> bool:
    """Whether `error` means that memory ran out: torch has no single class for that on all devices."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    if _REFUSED in str(error).lower():
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def attempt(work: Callable[[], T]) -> T | None:
    """What `work` returns, or None when memory ran out, which is then freed. Other errors are raised."""
    try:
        return work()
    except Exception as problem:
        if not ran_out(problem):
            raise
    make_room()  # only here: while the error exists, its traceback holds the tensors
    return None


def make_room() -> None:
    """Free memory of unreachable objects and of the accelerator's cache."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
