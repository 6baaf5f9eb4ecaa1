"""Reading log-probabilities off one forward pass without ever holding the whole table of logits.

The body of the model runs once; its language-model head then runs on a part of the wanted rows at a time, and
on a CPU on a part of the vocabulary: a table that stays in the processor's cache is read several times for
the price of one. That is right where the head is one linear map with at most a known scaling or soft-capping
after it, which every call tests on its first rows; elsewhere the model itself makes the logits, in
passes with as many wanted rows as fit.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.architectures.reading import text_config
from evenhand.scoring.forward import SelectedHead, device_of, rows_of, run_inputs, run_selected
from evenhand.scoring.report import Tally

Where = Sequence[tuple[int, int]]
Finish = Callable[[Tensor], Tensor]
Part = tuple[int, Tensor]  # the first column's number, and the table of some columns
_SHOWN = 4  # head rows of the first pass that the model itself finishes
_ROWS, _COLUMNS = 336, 512  # of a table of logits on a CPU, for each thread: .7 MB in float32


def extent(device: str, vocabulary: int) -> tuple[int, int]:
    """Rows and columns of the table of logits that exists at a time, on a device of such a type."""
    if device == "cpu":
        return _ROWS, min(vocabulary, _COLUMNS * torch.get_num_threads())
    return rows_of(vocabulary), vocabulary


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
        """Logits [n, vocabulary] of hidden states [n, width]."""
        weight, bias = self.head.wide()
        out = torch.empty(len(hidden), len(weight), dtype=weight.dtype, device=weight.device)
        return self._product(hidden.to(weight.dtype), weight, bias, out)

    def columns(self, hidden: Tensor) -> Iterator[Part]:
        """As `finished`, in parts, each in a table that the next one overwrites."""
        weight, bias = self.head.wide()
        states, (_, step) = hidden.to(weight.dtype), extent(weight.device.type, len(weight))
        size = len(states) * step
        if self._buffer is None or len(self._buffer) < size:  # a new table for each part costs more
            self._buffer = torch.empty(size, dtype=weight.dtype, device=weight.device)
        for first in range(0, len(weight), step):
            some = weight[first : first + step]
            out = self._buffer[: len(states) * len(some)].view(len(states), len(some))
            yield (
                first,
                self._product(states, some, None if bias is None else bias[first : first + step], out),
            )

    def _product(self, states: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
        assert self._finish is not None
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

    def __init__(self, reader: Reader, rows: int, step: int) -> None:
        self._reader = reader
        self._rows = rows
        self._step = step  # places whose logits exist at a time
        self.device = device_of(reader.module)

    @abstractmethod
    def logits(self, chosen: Sequence[int]) -> Tensor:
        """Logits [n, vocabulary] at n of the R places, no more than a pass may have."""

    def log_probs(self, rows: Tensor, targets: Tensor) -> Tensor:
        """log P(target) in nats, [T], of T `targets` at places `rows`, which are sorted and in 0..R-1."""
        edges = torch.arange(0, self._rows + self._step, self._step).clamp_max(self._rows)
        cuts = torch.searchsorted(rows.cpu().contiguous(), edges).tolist()
        found = [
            _log_softmax_at(self._parts(low, high), rows[first:last] - low, targets[first:last])
            for low, high, first, last in zip(
                edges[:-1].tolist(), edges[1:].tolist(), cuts, cuts[1:], strict=False
            )
        ]
        return torch.cat(found)

    @abstractmethod
    def _parts(self, low: int, high: int) -> Iterator[Part]:
        """Logits at the places low:high by columns, each [high - low, n], which the caller may overwrite."""


class _States(Reading):
    """Of the hidden states [R, width] before the head."""

    def __init__(self, reader: Reader, hidden: Tensor) -> None:
        rows, _ = extent(device_of(reader.module).type, reader.head.vocabulary)
        super().__init__(reader, len(hidden), rows)
        self._hidden = hidden

    def logits(self, chosen: Sequence[int]) -> Tensor:
        return self._reader.finished(self._hidden[list(chosen)])

    def _parts(self, low: int, high: int) -> Iterator[Part]:
        return self._reader.columns(self._hidden[low:high])


class _Tables(Reading):
    """Of the model's own logits; a pass over the same inputs for each part of the places."""

    def __init__(self, reader: Reader, inputs: Mapping[str, Any], where: Where) -> None:
        super().__init__(reader, len(where), reader.head.room)
        self._inputs = inputs
        self._where = where
        self._whole = self._run(where) if len(where) <= reader.head.room else None

    def logits(self, chosen: Sequence[int]) -> Tensor:
        if self._whole is not None:
            return self._whole[list(chosen)]
        return self._run([self._where[i] for i in chosen])

    def _parts(self, low: int, high: int) -> Iterator[Part]:
        yield 0, self._whole.clone() if self._whole is not None else self._run(self._where[low:high])

    def _run(self, where: Where) -> Tensor:
        made = run_inputs(self._reader.module, self._reader.head, self._inputs, where)
        self._reader.count(self._inputs, len(where))
        return made


def _log_softmax_at(parts: Iterable[Part], rows: Tensor, targets: Tensor) -> Tensor:
    """The log-softmax at T (row, target) pairs of a table [n, vocabulary], given by columns; overwrites them.

    The sum of exponentials is relative to the largest logit so far. Logits may be minus infinity, all of a
    part too: of a place in the vocabulary that no token has.
    """
    found = total = top = torch.empty(0)
    for first, table in parts:
        if not first:
            found = table.new_empty(len(rows))
            total = table.new_zeros(len(table))
            top = torch.full_like(total, torch.finfo(table.dtype).min)
        here = ((targets >= first) & (targets < first + table.shape[1])).nonzero()[:, 0]
        found[here] = table[rows[here], targets[here] - first]
        higher = torch.maximum(top, table.amax(-1))  # [n]
        total = total * (top - higher).exp() + table.sub_(higher[:, None]).exp_().sum(-1)
        top = higher
    return found - (top + total.log())[rows]


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
