"""Peak memory of scoring sentences with a large vocabulary, beside a batch's full logits."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from evenhand.records import Continuation

from . import inputs
from .harness import Case, Numbers, Peer, Skip
from .inputs import Setting
from .scoring import CLOSE_SUM, answers

VOCABULARY = 151_936
ROWS, WORDS = 32, 60
_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def peak(way: Callable[[], Numbers]) -> tuple[float, Numbers]:
    """Megabytes that a call holds at most above what was held before it.

    Raises:
        Skip: this system does not reset its high-water mark.
    """
    gc.collect()
    _give_back()
    try:
        _RESET.write_text("5")
    except OSError:
        raise Skip("the system does not reset a process's peak of memory") from None
    before = _held("VmRSS")
    found = way()
    return max(1e-3, (_held("VmHWM") - before) / 1e3), found


def _give_back() -> None:
    """Return freed memory to the system: what is kept for the next allocation would hide that one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _held(what: str) -> int:
    """A line of /proc/self/status, in kilobytes."""
    lines = (line.split() for line in _STATUS.read_text().splitlines())
    return next(int(words[1]) for words in lines if words[0] == f"{what}:")


@torch.no_grad()
def full_logits(model: Any, items: Sequence[Continuation]) -> Numbers:
    """One padded batch, the float32 log-softmax of every position, as the harness computes it."""
    rows = [[model.tokenizer.eos_token_id, *model.tokenizer(i.text).input_ids] for i in items]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=model.module.device)
    table = model.module(ids[:, :-1]).logits.float().log_softmax(-1)  # [B, T, V]
    found = table.gather(2, ids[:, 1:, None])[..., 0]  # [B, T]
    return [float(one[: len(row) - 1].sum()) for one, row in zip(found, rows, strict=True)]


def sentences(setting: Setting) -> Case:
    """log P of a batch of sentences with a vocabulary of 151 936 tokens."""
    asked = inputs.few_shot(ROWS, shots=0)
    words = [item.context.split() for item in asked[:: len(asked) // ROWS]][:ROWS]
    items = [Continuation("", " ".join((line * 4)[:WORDS])) for line in words]
    model = inputs.causal(
        Setting("small", setting.device), [item.text for item in items], vocabulary=VOCABULARY
    )
    peak(lambda: [])  # a system that cannot say is met before the model runs
    return Case(
        "memory",
        f"Peak memory, {ROWS} sentences of {WORDS} words, {VOCABULARY} tokens in the vocabulary",
        answers(model, items),
        (Peer("full logits of a batch", lambda _: full_logits(model, items), target=4),),
        CLOSE_SUM,
        unit="MB",
    )


CASES: Mapping[str, Callable[[Setting], Case]] = {"memory": sentences}
