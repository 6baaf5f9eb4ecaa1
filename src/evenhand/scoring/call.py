"""What the routes of the engine share: one call's passes, answers and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

from evenhand.scoring.forward import SelectedHead
from evenhand.scoring.plan import Row
from evenhand.scoring.reading import Reader, Reading
from evenhand.scoring.report import Tally

Answers = Sequence[tuple[int, int, int]]
"""(index of a place, target id, slot of the answer), sorted."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: where answers go (`values`, by slot), what reads them, and what is counted.

    `finished` is to be called with the rows of each pass, when their answers are written and can be trusted,
    all at once: progress that advanced row by row would show the first one's rate. `no_trees` and
    `no_cache` are None, or the reason why the model as it is now reads no packed trees, and none after a
    beginning that is kept.
    """

    reader: Reader
    values: NDArray[Any]
    tally: Tally
    finished: Callable[[Sequence[Row]], None]
    no_trees: str | None = None
    no_cache: str | None = None

    @property
    def head(self) -> SelectedHead:
        """The language-model head, entered."""
        return self.reader.head

    def read(self, inputs: Mapping[str, Any], where: Sequence[tuple[int, int]], answers: Answers) -> Reading:
        """Write the `answers` of one pass over `inputs`, read at the places `where`."""
        reading = self.reader.read(inputs, where)
        self.write(reading, answers)
        return reading

    def write(self, reading: Reading, answers: Answers) -> None:
        """Write `answers` from what was read."""
        rows, targets, slots = torch.tensor(answers, device=reading.device).T  # [T] each
        found = reading.log_probs(rows, targets)  # [T], nats
        self.values[slots.cpu().numpy()] = found.double().cpu().numpy()


class Route(Protocol):
    """A way to answer rows of a plan."""

    def run(self, call: Call, rows: Sequence[Row]) -> Sequence[Row]:
        """Answer those of `rows` that the way is made for; returns the others, in the same order.

        Raises:
            BadModel: the model answers with NaN or an infinity.
            OutOfMemory: one row alone does not fit.
        """
        ...
