"""What a launcher of several processes told this one, by the variables of ``torchrun``."""

from __future__ import annotations

import os


def launched() -> bool:
    """Whether a launcher started this process, alone or with others."""
    return all(name in os.environ for name in ("MASTER_ADDR", "RANK", "WORLD_SIZE"))


def size() -> int:
    """The number of processes that were started together; 1 without a launcher."""
    return _number("WORLD_SIZE", 1) if launched() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return _number("RANK", 0) if launched() else 0


def local_rank() -> int:
    """The number of this process among those on its machine, from 0."""
    return _number("LOCAL_RANK", 0)


def _number(variable: str, default: int) -> int:
    try:
        return int(os.environ.get(variable, ""))
    except ValueError:
        return default
