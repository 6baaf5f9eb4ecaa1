"""log P(text) where only the first token sees the start token, as in StereoSet's published code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evenhand.records import Continuation, LogProb, Unanchored
from evenhand.scoring.engine import Scorer
from evenhand.scoring.plan import make_plan
from evenhand.scoring.runners import Runner
from evenhand.scoring.tokens import Encoded


class Scoring(Protocol):
    """A causal model with its engine."""

    scorer: Scorer


def run(model: Scoring, items: Sequence[Unanchored]) -> list[LogProb]:
    """log P(text) in nats, in order; see `unanchored`."""
    return unanchored(model.scorer, [item.text for item in items])


def unanchored(scorer: Scorer, texts: Sequence[str]) -> list[LogProb]:
    """log P(text) in nats for each text, in order.

    The first token follows the start token, the others follow the text before them without it. Without
    a start token there is nothing to leave out.

    Raises:
        EvenhandError: as for `Scorer.logprobs`.
    """
    items = [Continuation("", text) for text in texts]
    if not scorer.encoder.marked:
        return scorer.logprobs(items)
    whole = scorer.encoder.encode(items)
    first = [Encoded(one.ids[: one.start + 1], one.start) for one in whole]
    rest = [Encoded(one.ids[one.start :], 1) for one in whole if len(one.ids) > one.start + 1]
    plan = make_plan([*first, *rest])
    values = scorer.run(plan, causal=True)
    sums = [float(values[list(slots)].sum()) for slots in plan.slots]
    later = iter(sums[len(whole) :])
    sizes = [len(one.ids) - one.start for one in whole]
    return [
        LogProb(one + (next(later) if size > 1 else 0.0), size)
        for one, size in zip(sums, sizes, strict=False)
    ]


runner = Runner((Unanchored,), run)
