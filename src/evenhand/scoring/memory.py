"""Recognising out-of-memory errors, freeing memory, running work that may exceed it, and what is held."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from evenhand.files import lines

T = TypeVar("T")
_STATUS = Path("/proc/self/status")

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


def resident() -> int:
    """The bytes of memory that this process holds now; its peak so far where the system does not say, and 0
    where it says neither (Windows).
    """
    try:
        entries = (line.split() for line in lines(_STATUS.read_text(encoding="ascii")))
        return next(int(words[1]) * 1024 for words in entries if words[0] == "VmRSS:")
    except (OSError, ValueError, StopIteration, IndexError):
        try:
            import resource
        except ImportError:
            return 0
        unit = 1 if sys.platform == "darwin" else 1024  # as the manual pages of getrusage have it
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
