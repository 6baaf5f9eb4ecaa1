"""Reading log-probabilities off one forward pass without ever holding the whole table of logits.

The body of the model runs once; its language-model head then runs on a part of the wanted rows at a time.
That is right where the head is one linear map with at most a known scaling or soft-capping after it, which
every call tests on its first rows; elsewhere the model's own forward pass makes the logits, in passes with as
many wanted rows as fit.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.architectures.reading import text_config
from evenhand.scoring.forward import SelectedHead, device_of, run_inputs, run_selected
from evenhand.scoring.report import Tally

Where = Sequence[tuple[int, int]]
Finish = Callable[[Tensor], Tensor]
_SHOWN = 4  # head rows of the first pass that the model itself finishes


class Reader:
    """Runs forward passes of one call and counts them in `tally`; `head` must be entered, gradients off."""

    def __init__(self, module: nn.Module, head: SelectedHead, tally: Tally) -> None:
        self.module = module
        self.head = head
        self.tally = tally
        self._finish = _finish_of(text_config(getattr(module, "config", None))) if head.plain else None
        self._shown = False
        self._buffer: Tensor | None = None

    @property
    def room(self) -> int:
        """The most head rows that one pass may want."""
        return self.head.room if self._finish is None else sys.maxsize

    def read(self, inputs: Mapping[str, Any], where: Where) -> Reading:
        """One pass over `inputs`, to be read at the R (batch row, place) pairs `where`.

        Raises:
            BadModel: the model's forward pass bypasses its head.
        """
        hidden = self._hidden(inputs, where) if self._finish is not None else None
        if hidden is None:
            return self.whole(inputs, where)
        self.count(inputs, len(where))
        return _States(self, hidden)

    def whole(self, inputs: Mapping[str, Any], where: Where) -> Reading:
        """As `read`, but of the model's own logits; one pass if `head.room` allows for all places."""
        return _Tables(self, inputs, where)

    def count(self, inputs: Mapping[str, Any], head_rows: int) -> None:
        """Count a pass over `inputs` that reads `head_rows`."""
        self.tally.run += inputs["input_ids"].numel()
        self.tally.forwards += 1
        self.tally.head_rows += head_rows

    def finished(self, hidden: Tensor) -> Tensor:
        """Logits [n, vocabulary] of hidden states [n, width], in a table that the next call overwrites."""
        assert self._finish is not None
        weight, bias = self.head.wide()
        if self._buffer is None or len(self._buffer) < len(hidden):  # a new table for each part costs more
            self._buffer = torch.empty(len(hidden), len(weight), dtype=weight.dtype, device=weight.device)
        out = self._buffer[: len(hidden)]
        states = hidden.to(weight.dtype)
        if bias is None:
            torch.mm(states, weight.T, out=out)
        else:
            torch.addmm(bias, states, weight.T, out=out)
        return self._finish(out)

    def _hidden(self, inputs: Mapping[str, Any], where: Where) -> Tensor | None:
        """The head's inputs [R, width]; None if the model makes other logits of them than `finished`."""
        # The head itself runs on one row at least: a model may not like an empty one.
        logits, hidden = run_selected(
            self.module, self.head, inputs, where, keep=1 if self._shown else min(_SHOWN, len(where))
        )
        if self._shown:
            return hidden
        own = self.finished(hidden[: len(logits)])
        self._shown = True
        theirs = logits.to(own.dtype)
        spread = float(theirs.std()) if theirs.isfinite().all() else 1.0
        if torch.allclose(own, theirs, rtol=1e-5, atol=1e-4 * spread, equal_nan=True):
            return hidden
        self._finish = self._buffer = None
        return None


class Reading(ABC):
    """What one pass tells at the R places where it was read."""

    def __init__(self, reader: Reader, rows: int) -> None:
        self._reader = reader
        self._rows = rows
        self.device = device_of(reader.module)

    @abstractmethod
    def logits(self, chosen: Sequence[int]) -> Tensor:
        """Logits [n, vocabulary] at n of the R places, no more than a pass may have."""

    def log_probs(self, rows: Tensor, targets: Tensor) -> Tensor:
        """log P(target) in nats, [T], of T `targets` at places `rows`, which are sorted and in 0..R-1."""
        step = self._reader.head.room
        edges = torch.arange(0, self._rows + step, step).clamp_max(self._rows)  # of the parts of the R places
        cuts = torch.searchsorted(rows.cpu().contiguous(), edges).tolist()
        found = [
            _log_softmax_at(self._part(low, high), rows[first:last] - low, targets[first:last])
            for low, high, first, last in zip(
                edges[:-1].tolist(), edges[1:].tolist(), cuts, cuts[1:], strict=False
            )
        ]
        return torch.cat(found)

    @abstractmethod
    def _part(self, low: int, high: int) -> Tensor:
        """Logits [high - low, vocabulary] at the places low:high, which the caller may overwrite."""


class _States(Reading):
    """Of the hidden states [R, width] before the head."""

    def __init__(self, reader: Reader, hidden: Tensor) -> None:
        super().__init__(reader, len(hidden))
        self._hidden = hidden

    def logits(self, chosen: Sequence[int]) -> Tensor:
        return self._reader.finished(self._hidden[list(chosen)]).clone()

    def _part(self, low: int, high: int) -> Tensor:
        return self._reader.finished(self._hidden[low:high])


class _Tables(Reading):
    """Of the model's own logits; a pass over the same inputs for each part of the places."""

    def __init__(self, reader: Reader, inputs: Mapping[str, Any], where: Where) -> None:
        super().__init__(reader, len(where))
        self._inputs = inputs
        self._where = where
        self._whole = self._run(where) if len(where) <= reader.head.room else None

    def logits(self, chosen: Sequence[int]) -> Tensor:
        if self._whole is not None:
            return self._whole[list(chosen)]
        return self._run([self._where[i] for i in chosen])

    def _part(self, low: int, high: int) -> Tensor:
        if self._whole is not None:
            return self._whole.clone()
        return self._run(self._where[low:high])

    def _run(self, where: Where) -> Tensor:
        made = run_inputs(self._reader.module, self._reader.head, self._inputs, where)
        self._reader.count(self._inputs, len(where))
        return made


def _log_softmax_at(table: Tensor, rows: Tensor, targets: Tensor) -> Tensor:
    """The log-softmax of `table` [n, vocabulary] at T (row, target) pairs; the table is overwritten."""
    found = table[rows, targets]
    top = table.amax(-1)  # [n]
    total = top + table.sub_(top[:, None]).exp_().sum(-1).log()
    return found - total[rows]


def _finish_of(config: Any) -> Finish:
    """What the configuration says is done with the product of the head; the result may overwrite it."""
    # A scale may be a name (MPT's "inv_sqrt_d_model"): then the first rows show that the model does more.
    cap, times, part = (
        value if isinstance(value := getattr(config, name, None), (int, float)) else None
        for name in ("final_logit_softcapping", "logit_scale", "logits_scaling")
    )

    def finish(logits: Tensor) -> Tensor:
        if times:
            logits = logits.mul_(times)
        if part:
            logits = logits.div_(part)
        return logits.div_(cap).tanh_().mul_(cap) if cap else logits

    return finish
