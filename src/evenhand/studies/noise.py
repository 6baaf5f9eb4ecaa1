"""How far log-probabilities of narrow weights move with the batch they are computed in.

Weights of bfloat16 or float16 round after every product, and how a product is summed depends on the other
rows of the batch. So one model measured twice in unlike batches differs from itself: a difference of that
size is no finding. float32 moves by about 1e-5 nats, which needs no note.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

from evenhand.decimals import significant
from evenhand.models import Model
from evenhand.progress import task
from evenhand.records import Ability, LogProb, Measurement, Request, Response

MOST = 64
"""Largest number of requests that are answered twice."""
_GROUPS = 8
_KINDS = (Ability.LOGPROBS, Ability.CLOZE)
_HEAD = "Noise of the dtype: "
_known: WeakKeyDictionary[object, dict[str, str]] = WeakKeyDictionary()


def said(model: Model, benchmark: str, requests: Iterable[Request]) -> tuple[str, ...]:
    """The note on the noise of a model with narrow weights; empty for other models, or without two requests.

    At most `MOST` of the `requests` are answered once together and once in `_GROUPS` batches. It is measured
    once a model: later benchmarks repeat the note, which names the benchmark whose requests were taken.
    """
    if not _narrow(model):
        return ()
    known = _known.setdefault(getattr(model, "module", model), {})
    if model.spec.identity not in known:
        chosen = _sample(list(dict.fromkeys(one for one in requests if one.needs in _KINDS)))
        moved = _moved(model, chosen) if len(chosen) > 1 else None
        if moved is None:
            return ()
        known[model.spec.identity] = (
            f"{_HEAD}the weights are {model.spec.dtype}, and one and the same request gets a log-probability "
            f"that moves by {significant(moved, 2)} nats with the other requests in its batch (root mean "
            f"square over {len(chosen)} requests of {benchmark}). A difference of this size is no finding."
        )
    return (known[model.spec.identity],)


def stated(measurements: Sequence[Measurement]) -> list[str]:
    """The notes on noise that stored `measurements` hold, each once."""
    return list(dict.fromkeys(n for m in measurements for n in m.notes if n.startswith(_HEAD)))


def _narrow(model: Model) -> bool:
    if Ability.WEIGHTS not in model.can:
        return False
    from evenhand.models.precision import NARROW  # with torch, which such a model has loaded

    return model.spec.dtype in NARROW


def _sample(requests: Sequence[Request]) -> list[Request]:
    """At most `MOST` of `requests`, evenly spread."""
    count = min(MOST, len(requests))
    return [requests[i * len(requests) // count] for i in range(count)]


def _moved(model: Model, requests: Sequence[Request]) -> float | None:
    """The root mean square of the log-probabilities' differences, in nats; None without two answers."""
    groups = [range(start, len(requests), _GROUPS) for start in range(min(_GROUPS, len(requests)))]
    apart: dict[int, Response] = {}
    with task("comparing batches", 1 + len(groups), unit="call", late=True) as advance:
        together = model.answer(requests)
        advance(1)
        for group in groups:
            apart |= zip(group, model.answer([requests[i] for i in group]), strict=True)
            advance(1)
    squares = [
        (a.value - b.value) ** 2
        for a, b in ((a, apart[place]) for place, a in enumerate(together))
        if isinstance(a, LogProb) and isinstance(b, LogProb)
    ]
    return math.sqrt(sum(squares) / len(squares)) if squares else None
