"""`Scorer`: requests in, log-probabilities out, and a report of how they were obtained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from evenhand.architectures import is_recurrent
from evenhand.progress import task
from evenhand.records import Continuation, LogProb
from evenhand.scoring.activations import fused
from evenhand.scoring.batching import Room
from evenhand.scoring.call import Call
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import Padding, SelectedHead, device_of, evaluating
from evenhand.scoring.packed import TreeRoute
from evenhand.scoring.padded import PaddedRoute
from evenhand.scoring.plan import Plan, Row, make_plan
from evenhand.scoring.reading import Reader
from evenhand.scoring.report import ScoringReport, Tally, combined
from evenhand.scoring.shared import SharedRoute
from evenhand.scoring.sharing import Sharing, sharing_on
from evenhand.scoring.tokens import Encoder, shown
from evenhand.scoring.trees import refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


class Scorer:
    """Scores requests with one model and its tokenizer; the model is left exactly as it was found.

    Rows take the first of three routes that can answer them: after a beginning that many rows have in common
    and that runs once, as packed prefix trees, or whole in padded batches. The first two are for causal
    scoring by architectures that the tests cover, and each is compared with single rows at its first use;
    where an architecture is not supported, hooks are set on the model, or the comparison fails, the next
    route is taken, and the report says so. Nothing computed is kept from one call to the next, so weights may
    change in between.

    `batch_tokens` limits rows x longest row of a batch; it shrinks when memory runs out and stays small.
    `padding` is the first side to try; recurrent architectures always start on the right. With `probe`,
    the first padded workload of mixed lengths tests the padding and tries left, right, equal lengths in this
    order. `share` decides when a beginning (few-shot demonstrations) runs once and how large trees are:
    ``auto`` by the device, None for whole rows only.
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
        sharing = sharing_on(device_of(module).type) if share == "auto" else share
        recurrent = is_recurrent(getattr(module, "config", None))
        self._module = module
        self.encoder = Encoder.of(module, tokenizer)
        self._tokenizer = tokenizer
        self._room = Room(batch_tokens)
        self._shared = SharedRoute(module, sharing, batch_tokens, probe=probe)
        self._trees = TreeRoute(module, sharing.trees if sharing else (), self._room, probe=probe)
        self._padded = PaddedRoute(
            module,
            self._room,
            "right" if recurrent else padding,
            "the architecture is recurrent" if recurrent else f"{padding} padding was asked for",
            probe=probe,
        )
        self._report = ScoringReport(self._padded.path, self._padded.why, batch_tokens=batch_tokens)

    def report(self) -> ScoringReport:
        """The report of the newest call."""
        return self._report

    def account(self) -> ScoringReport:
        """The report of the newest call, as `take_over` takes it."""
        return self._report

    def take_over(self, accounts: Sequence[ScoringReport]) -> None:
        """Report the sum of calls that were shares of one."""
        self._report = combined(accounts)

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

        With `causal`, the prediction at a position does not depend on later tokens, so rows may share what
        they have in common.

        Raises:
            BadModel: the model answers with NaN or an infinity.
            OutOfMemory: one row alone does not fit.
        """
        values = np.empty(plan.size)
        tally, before, head_dtype = Tally(), self._room.halvings, self._head_dtype(None)
        self._begin()
        if plan.rows:
            with self._call(plan, values, tally, causal=causal) as call:
                head_dtype = self._head_dtype(call.head)
                self._answer(call, plan.rows, causal=causal)
        tally.halvings += self._room.halvings - before
        self._report = self._made(plan, tally, head_dtype)
        return values

    def _begin(self) -> None:
        """Forget what the routes say of an earlier call."""
        for route in (self._shared, self._trees):
            route.why = ""
        self._shared.repeated, self._trees.packable = 0, None

    def _answer(self, call: Call, rows: Sequence[Row], *, causal: bool) -> None:
        if causal:
            rows = self._shared.run(call, rows, packed=self._trees.largest(call))
            rows = self._trees.run(call, rows)
        self._padded.run(call, rows)

    @contextmanager
    def _call(self, plan: Plan, values: NDArray[np.float64], tally: Tally, *, causal: bool) -> Iterator[Call]:
        # Asked before the head gets its hooks: hooks are a reason.
        no_trees, no_cache = (refusal(self._module, cached=c) if causal else "" for c in (False, True))
        with (
            evaluating(self._module),
            fused(self._module),
            SelectedHead(self._module) as head,
            torch.no_grad(),
            task("scoring", len(plan.rows), unit="row") as advance,
        ):
            finished = self._finisher(plan, values, advance)
            yield Call(Reader(self._module, head, tally), values, tally, finished, no_trees, no_cache)

    def _finisher(
        self, plan: Plan, values: NDArray[np.float64], advance: Callable[[int], None]
    ) -> Callable[[Sequence[Row]], None]:
        ends = {row.end for row in plan.rows}

        def finished(rows: Sequence[Row]) -> None:
            for row in rows:
                self._check(row, values[row.slot : row.end])
            # Of a row whose answers took several passes the last part counts.
            advance(sum(row.end in ends for row in rows))

        return finished

    def _check(self, row: Row, answers: NDArray[np.float64]) -> None:
        """Refuse answers that are no numbers; raises `BadModel`, which names the text."""

        def where() -> str:
            return f" after {shown(str(self._tokenizer.decode(list(row.ids))))}"

        check_finite(self._module, torch.from_numpy(answers), where)

    def _made(self, plan: Plan, tally: Tally, head_dtype: str) -> ScoringReport:
        trees, padded, shared = self._trees, self._padded, self._shared
        packed = tally.packed > 0
        return ScoringReport(
            path="tree" if packed else padded.path,
            why=trees.why if packed else padded.why,
            probe=trees.error if packed else padded.error,
            requests=len(plan.slots),
            duplicates=plan.duplicates,
            served=plan.served,
            rows=len(plan.rows),
            asked=plan.asked,
            run=tally.run,
            forwards=tally.forwards,
            head_rows=tally.head_rows,
            halvings=tally.halvings,
            batch_tokens=self._room.tokens,
            dtype=self._dtype(),
            head=head_dtype,
            precision=torch.get_float32_matmul_precision(),
            plan=plan.digest(),
            packing=trees.why,
            trees=tally.trees,
            nodes=tally.nodes,
            packed=tally.packed,
            packable=trees.packable,
            sharing=shared.why,
            groups=tally.groups,
            shared=tally.shared,
            repeated=shared.repeated,
            probed=tally.probed,
            sharing_probe=shared.error,
        )

    def _dtype(self) -> str:
        return str(next(self._module.parameters()).dtype).removeprefix("torch.")

    def _head_dtype(self, head: SelectedHead | None) -> str:
        dtype = self._dtype()
        return "float32" if dtype != "float64" and (head is None or head.float32) else dtype
