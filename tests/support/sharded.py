"""One process of `tests/real/test_sharded.py`, started by torchrun: a fit by all processes beside one alone.

The first process prints one JSON object: how far the two fits are apart, and how many numbers it held.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as processes
from torch.distributed.tensor import DTensor

from evenhand.errors import BadModel
from evenhand.mitigations.full_finetune import FullFinetune
from evenhand.models import together
from evenhand.models.loading import KINDS
from evenhand.models.together import Named
from evenhand.opening import open_model
from evenhand.records import Example
from evenhand.training import finetune, fitting, sharded

EXAMPLES = [
    Example(f"{noun}{i}", noun, f"The {noun} {done} because", ("male", "female"), ((" he",), (" she",)))
    for i, done in enumerate(("smiled", "left", "sat down slowly"))
    for noun in ("nurse", "carpenter", "teacher", "doctor", "boy")
]  # 15, in batches of 4: the last one has 3, and with 4 processes one of them has no row of it

REQUESTS = [request for example in EXAMPLES for request in example.requests()]


def opened(named: Named) -> Any:
    """The model with weights of the dtype asked for; in float64 two orders of a sum agree to 1e-15."""
    model: Any = open_model(named.uri)
    model.module.to(getattr(torch, sys.argv[3]))
    made = KINDS[model.family](model.module, model.tokenizer, named.uri)
    made.named = named
    return made


def held(parameters: Any) -> dict[str, int]:
    """The numbers of the parameters, and those that this process holds."""
    own = [p.to_local() if isinstance(p, DTensor) else p for p in parameters]
    return {"whole": sum(p.numel() for p in parameters), "held": sum(p.numel() for p in own)}


def main() -> None:
    sharded.LEAST = 0  # tiny models are dealt out as large ones are
    uri, size = sys.argv[1], int(sys.argv[2])
    model = opened(Named(uri))
    method = FullFinetune(epochs=2, batch=4)
    seen: list[dict[str, int]] = []
    minimise = fitting.minimise  # type: ignore[attr-defined]

    def counted(loss: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(held(parameters))
        return minimise(loss, parameters, *args, **kwargs)

    fitting.minimise = counted  # type: ignore[attr-defined]
    before = {name: p.detach().clone() for name, p in model.module.named_parameters()}
    alone = [method.fit(model, EXAMPLES, sites=None, seed=seed) for seed in (0, 1)]
    alone.append(method.sham(seed=3).fit(model, EXAMPLES, sites=None, seed=3))
    with together.leading(size):
        many = [method.fit(model, EXAMPLES, sites=None, seed=seed) for seed in (0, 1)]
        many.append(method.sham(seed=3).fit(model, EXAMPLES, sites=None, seed=3))
        refused = ""
        finetune.learning_rate = lambda *_: float("inf")
        try:
            method.fit(model, EXAMPLES, sites=None, seed=0)
        except BadModel as error:
            refused = str(error)
        answers = model.answer(REQUESTS)
    answered = []
    for one in (*alone, *many):
        with one.applied(model) as treated:
            answered.append([a.value for a in treated.answer_alone(REQUESTS)])
    found = {
        "figures": max(
            abs(a - b)
            for one, other in zip(answered[:3], answered[3:], strict=True)
            for a, b in zip(one, other, strict=True)
        ),
        "apart": [
            max(float((a.weights[name] - b.weights[name]).abs().max()) for name in a.weights)
            for a, b in zip(alone, many, strict=True)
        ],
        "moved": [
            max(float((before[name] - value).abs().max()) for name, value in t.weights.items()) for t in many
        ],
        "losses": [[t.about.details["first_loss"], t.about.details["last_loss"]] for t in (*alone, *many)],
        "names": [sorted(t.weights) == sorted(before) for t in many],
        "kept": all(torch.equal(before[name], p) for name, p in model.module.named_parameters()),
        "held": seen,
        "refused": refused,
        "answers": len(answers),
    }
    print(json.dumps(found))


def run(first: Callable[[], None]) -> None:
    """Be one of the processes: `first` is what the first one does, and the others answer it."""
    rank = int(os.environ["RANK"])
    if rank == 0:
        first()
    else:
        together.serve(rank, int(sys.argv[2]), opened)
        assert not processes.is_initialized()


if __name__ == "__main__":
    run(main)
