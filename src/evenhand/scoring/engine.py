"""`Scorer`: requests in, log-probabilities out, and a report of how they were obtained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from evenhand.architectures import is_recurrent
from evenhand.progress import task
from evenhand.records import Continuation, LogProb
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import Padding, SelectedHead, device_of, evaluating, run_rows
from evenhand.scoring.memory import ran_out
from evenhand.scoring.plan import Plan, Row, make_plan
from evenhand.scoring.probe import Path, choose, settle
from evenhand.scoring.shared import Shared, Tally
from evenhand.scoring.sharing import Group, Sharing, find_groups, sharing_on
from evenhand.scoring.tokens import Encoder, shown
from evenhand.scoring.trees import refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class ScoringReport:
    """How the newest call of `Scorer.logprobs` was carried out.

    `path` is ``left`` or ``right`` padding, or ``equal`` (batches of one length), and `why` gives the reason.
    `asked` counts the tokens of all requests run one by one, `run` those that were run, including padding.
    `probe` is the padding's disagreement as a share of the spread, None if no batch needed padding. `head` is
    the dtype of the language-model head's product, `precision` torch's setting for float32 products
    (``medium`` rounds them to bfloat16). `plan` is the digest of the workload.

    `groups` common prefixes ran once, and `shared` of the `rows` were read after them; `run`, `forwards` and
    `head_rows` include these, `probed` counts the tokens of their test, whose disagreement is `sharing_probe`
    (None if nothing was tested). `sharing` gives the reason why prefixes were shared or not; `repeated`
    counts the rows that ran their prefix again for a reason that lies in the model.
    """

    path: Path
    why: str
    requests: int = 0
    duplicates: int = 0
    served: int = 0
    rows: int = 0
    asked: int = 0
    run: int = 0
    forwards: int = 0
    head_rows: int = 0
    halvings: int = 0
    batch_tokens: int = 0
    probe: float | None = None
    dtype: str = ""
    head: str = "float32"
    precision: str = "highest"
    plan: str = ""
    sharing: str = ""
    groups: int = 0
    shared: int = 0
    repeated: int = 0
    probed: int = 0
    sharing_probe: float | None = None


@dataclass(frozen=True, slots=True)
class _Unit:
    """A row and the part ``low:high`` of its wanted predictions that one forward pass answers."""

    row: Row
    low: int
    high: int

    @property
    def positions(self) -> list[int]:
        return sorted({position for position, _ in self.row.wanted[self.low : self.high]})

    def halves(self) -> list[_Unit]:
        """The unit split into two parts of its predictions; empty if there is only one prediction."""
        if self.high - self.low == 1:
            return []
        middle = self.low + (self.high - self.low) // 2
        return [_Unit(self.row, self.low, middle), _Unit(self.row, middle, self.high)]


class Scorer:
    """Scores requests with one model and its tokenizer; the model is left exactly as it was found.

    `batch_tokens` limits rows x longest row of a batch; it shrinks when memory runs out and stays small.
    `padding` is the first side to try; recurrent architectures always start on the right. With `probe`,
    the first workload of mixed lengths tests the padding and tries left, right, equal lengths in this order.

    `share` decides when a common prefix of many requests (few-shot demonstrations) runs once for all of them:
    ``auto`` by the device, None never. Where an architecture is not supported, hooks are set on the model, or
    the test at first use fails, whole rows run, and the report says so. Nothing computed is kept from one
    call to the next, so weights may change in between.
    """

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_tokens: int = 2048,
        padding: Padding = "left",
        probe: bool = True,
        share: Sharing | Literal["auto"] | None = "auto",
    ) -> None:
        config = getattr(module, "config", None)
        sharing = sharing_on(device_of(module).type) if share == "auto" else share
        self._module = module
        self.encoder = Encoder.of(module, tokenizer)
        self._tokenizer = tokenizer
        self._room = Room(batch_tokens)
        self._untested = probe
        self._sharing = sharing
        self._shared = Shared(module, sharing or Sharing(), room=batch_tokens, probe=probe)
        recurrent = is_recurrent(config)
        self._report = ScoringReport(
            path="right" if recurrent else padding,
            why="the architecture is recurrent" if recurrent else f"{padding} padding was asked for",
            batch_tokens=batch_tokens,
        )

    def report(self) -> ScoringReport:
        """The report of the newest call."""
        return self._report

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """log P(text | context) in nats for each request, in order; each distinct one is computed once.

        Raises:
            BadData, BadModel: a request cannot be tokenised correctly (see `Encoder.encode`), or the model
                answers with NaN or an infinity.
            OutOfMemory: one row alone does not fit.
        """
        plan = make_plan(self.encoder.encode(items))
        values = self.run(plan, causal=True)
        return [LogProb(float(values[list(slots)].sum()), len(slots)) for slots in plan.slots]

    def run(self, plan: Plan, *, causal: bool = False) -> NDArray[np.float64]:
        """The log-probabilities in nats that `plan` requests, [plan.size], each in its slot.

        With `causal`, the prediction at a position does not depend on later tokens, so rows may share a
        common prefix.

        Raises:
            BadModel: the model answers with NaN or an infinity.
            OutOfMemory: one row alone does not fit.
        """
        self._report = self._fresh_report(plan, len(plan.slots))
        values = np.empty(plan.size)
        if plan.rows:
            groups = self._groups(plan) if causal else []
            with evaluating(self._module), SelectedHead(self._module) as head, torch.no_grad():
                self._report = replace(self._report, head=self._head_dtype(head))
                with task("scoring", len(plan.rows), unit="row") as advance:
                    rows = self._run_groups(groups, plan, head, values, advance)
                    self._settle_padding(rows, head)
                    self._run(rows, head, values, advance)
        return values

    def _groups(self, plan: Plan) -> list[Group]:
        """The groups of rows to read after a shared prefix; the reason is written to the report."""
        groups = find_groups(plan.rows, self._sharing) if self._sharing else []
        why = "sharing is switched off" if self._sharing is None else "no prefix is long and frequent enough"
        if groups:
            why = self._shared.fault or refusal(self._module, cached=True) or ""
        repeated = sum(len(group.rows) for group in groups) if why else 0
        self._report = replace(self._report, sharing=why or "beginnings are shared", repeated=repeated)
        return [] if why else groups

    def _run_groups(
        self,
        groups: Sequence[Group],
        plan: Plan,
        head: SelectedHead,
        values: NDArray[np.float64],
        advance: Callable[[int], None],
    ) -> Sequence[Row]:
        """Answer the rows of `groups`; returns the plan's rows that still have to run, long ones first."""
        if not groups:
            return plan.rows

        def answered(row: Row) -> None:
            self._check_finite(row, values[row.slot : row.slot + len(row.wanted)])
            advance(1)

        tally = self._shared.run(groups, head, values, answered)
        self._note(tally)
        done = {row.slot for group in groups for row in group.rows} - {row.slot for row in tally.left}
        return [row for row in plan.rows if row.slot not in done]

    def _note(self, tally: Tally) -> None:
        report = self._report
        self._report = replace(
            report,
            sharing=self._shared.fault or report.sharing,
            sharing_probe=self._shared.error,
            repeated=len(tally.left) if self._shared.fault else 0,
            groups=tally.groups,
            shared=tally.rows,
            probed=tally.probed,
            run=report.run + tally.run,
            forwards=report.forwards + tally.forwards,
            head_rows=report.head_rows + tally.head_rows,
            halvings=report.halvings + tally.halvings,
        )

    def _fresh_report(self, plan: Plan, requests: int) -> ScoringReport:
        kept = self._report
        return ScoringReport(
            path=kept.path,
            why=kept.why,
            probe=kept.probe,
            requests=requests,
            duplicates=plan.duplicates,
            served=plan.served,
            rows=len(plan.rows),
            asked=plan.asked,
            batch_tokens=self._room.tokens,
            dtype=str(next(self._module.parameters()).dtype).removeprefix("torch."),
            precision=torch.get_float32_matmul_precision(),
            plan=plan.digest(),
        )

    def _head_dtype(self, head: SelectedHead) -> str:
        return "float32" if head.float32 and self._report.dtype != "float64" else self._report.dtype

    def _settle_padding(self, remaining: Sequence[Row], head: SelectedHead) -> None:
        rows = choose(remaining) if remaining else []
        if not self._untested or len(rows) < 2:
            return
        try:
            settled = settle(self._module, head, rows, self._report.path)
        except Exception as problem:
            if not ran_out(problem):
                raise
            return  # too large to test at once: a later, smaller workload settles it
        self._untested = False
        self._report = replace(self._report, path=settled.path, why=settled.why, probe=settled.error)

    def _run(
        self,
        rows: Sequence[Row],
        head: SelectedHead,
        values: NDArray[np.float64],
        advance: Callable[[int], None],
    ) -> None:
        equal = self._report.path == "equal"
        whole = [_Unit(row, 0, len(row.wanted)) for row in rows]
        before, self._room.heads = self._room.halvings, head.room

        def load(unit: _Unit) -> Load:
            width = len(unit.row.ids)
            return Load(width, heads=len(unit.positions), like=width if equal else None)

        def work(batch: list[_Unit]) -> list[NDArray[np.float64]]:
            return self._forward(batch, head)

        for batch, numbers in in_batches(whole, load, self._room, work, split=_Unit.halves):
            for unit, found in zip(batch, numbers, strict=True):
                values[unit.row.slot + unit.low : unit.row.slot + unit.high] = found
                advance(unit.high == len(unit.row.wanted))
        halvings = self._report.halvings + self._room.halvings - before
        self._report = replace(self._report, halvings=halvings, batch_tokens=self._room.tokens)

    def _forward(self, batch: list[_Unit], head: SelectedHead) -> list[NDArray[np.float64]]:
        positions = [unit.positions for unit in batch]
        padding: Padding = "left" if self._report.path == "left" else "right"
        logits = run_rows(self._module, head, [unit.row.ids for unit in batch], positions, padding=padding)
        # logits: [R, vocabulary], R the distinct positions of all units; T answers are read from them.
        self._count(batch, len(logits))
        index = {(i, p): r for r, (i, p) in enumerate((i, p) for i, ps in enumerate(positions) for p in ps)}
        pairs = [
            (index[i, position], target)
            for i, unit in enumerate(batch)
            for position, target in unit.row.wanted[unit.low : unit.high]
        ]
        rows, targets = torch.tensor(pairs, device=logits.device).T  # [T] each
        found = (logits[rows, targets] - logits.logsumexp(-1)[rows]).double().cpu().numpy()  # [T]
        sizes = np.cumsum([unit.high - unit.low for unit in batch])[:-1]
        numbers = np.split(found, sizes)
        for unit, part in zip(batch, numbers, strict=True):
            self._check_finite(unit.row, part)
        return numbers

    def _count(self, batch: list[_Unit], head_rows: int) -> None:
        tokens = len(batch) * len(batch[0].row.ids)
        report = self._report
        self._report = replace(
            report,
            run=report.run + tokens,
            forwards=report.forwards + 1,
            head_rows=report.head_rows + head_rows,
        )

    def _check_finite(self, row: Row, numbers: NDArray[np.float64]) -> None:
        where = lambda: f" after {shown(str(self._tokenizer.decode(list(row.ids))))}"  # noqa: E731
        check_finite(self._module, torch.from_numpy(numbers), where)
