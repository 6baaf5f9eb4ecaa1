"""Whether work on a model fits into the memory that is free, known before its weights are loaded."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from evenhand.decimals import fixed
from evenhand.errors import OutOfMemory
from evenhand.files import lines
from evenhand.models.footprint import Job, footprint, weight_bytes
from evenhand.models.opened import BATCH_TOKENS
from evenhand.scoring.forward import LOGIT_BYTES

LARGE = 10**9  # bytes of weights whose loading is announced; smaller ones load in a few seconds
_LEAST = 64  # tokens of the smallest batch that is proposed: one row of a usual prompt
_MEMINFO = Path("/proc/meminfo")
_log = logging.getLogger("evenhand.models")


def described(module: nn.Module) -> str:
    """The size of `module` for people: ``135 M parameters, 538 MB of weights and up to 67 MB of logits``."""
    count = sum(parameter.numel() for parameter in module.parameters())
    weights, logits = sized(weight_bytes(module)), sized(LOGIT_BYTES)
    return f"{fixed(count / 1e6, 0)} M parameters, {weights} of weights and up to {logits} of logits"


def job(batch_tokens: int | None = None) -> Job:
    """Measuring where a model is placed, with batches of so many tokens; None for that device's own."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Job(batch_tokens or BATCH_TOKENS[device], device)


def check_room(name: str, module: nn.Module, what: Job) -> None:
    """Check that `what` is to be done with `module`, which has no storage yet, fits into the memory that is
    free. Where nobody can say how much is free, nothing is checked.

    Only what no smaller batch reduces is refused: batches shrink to what is left. A warning is logged where
    they will have to.

    Raises:
        OutOfMemory: the weights, or what training holds beside them, need more.
    """
    free = free_bytes()
    if free is None:
        return
    found = footprint(module, what)
    if found.held > free:
        beside = " and what training holds beside them" if what.fitting else ""
        raise OutOfMemory(
            f"The weights of {name}{beside} do not fit into memory: they need {sized(found.held)}, "
            f"{sized(free)} are free.",
            mend=advice(ways(module, what, free)),
        )
    if found.needed > free:
        _log.warning(
            "%s may need %s and %s are free: batches shrink where memory runs out. %s",
            *(name, sized(found.needed), sized(free), advice(ways(module, what, free))),
        )


def ways(module: nn.Module, what: Job, free: int) -> dict[str, int]:
    """What could be typed so that `what` fits into so many `free` bytes, and the bytes that it then needs.

    Smaller batches first, which change no answer, then the disk, then narrow weights, which round.
    """
    process = 0  # what is free is beside it
    tokens = what.batch_tokens
    while tokens > _LEAST and footprint(module, replace(what, batch_tokens=tokens), process).needed > free:
        tokens //= 2
    tried = [(f"--batch-tokens {tokens}", module, replace(what, batch_tokens=tokens))]
    if not what.gradients and not what.disk:
        tried.append(("?device_map=disk after the model's name", module, replace(what, disk=True)))
    if next(module.parameters()).element_size() > 2:
        tried.append(("--dtype bfloat16", copy.deepcopy(module).bfloat16(), what))
    found = {typed: footprint(of, job, process).needed for typed, of, job in tried}
    return {typed: needed for typed, needed in found.items() if needed <= free}


def advice(found: Mapping[str, int]) -> str:
    """What `ways` found, as a sentence."""
    if not found:
        return "Use a smaller model, or end other programs."
    return f"Type {' or '.join(f'{typed} ({sized(size)})' for typed, size in found.items())}."


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


def sized(size: int) -> str:
    """A size for people: ``1.3 GB``, or ``67 MB`` where it is below 1 GB."""
    return f"{fixed(size / 1e9, 1)} GB" if size >= 10**9 else f"{fixed(size / 1e6, 0)} MB"
