"""One process of `tests/real/test_parts.py`, started by torchrun: models in parts beside whole ones.

The first process prints one JSON object: for each model how far the answers are apart, and what was held.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from typing import Any

import torch

from evenhand.cli.launched import _open
from evenhand.errors import EnvironmentProblem, EvenhandError
from evenhand.models import together
from evenhand.opening import open_model
from evenhand.records import (
    Completion,
    ContextPair,
    Continuation,
    Generation,
    GreedyMatch,
    Sampling,
    Unanchored,
)
from evenhand.scoring.offloaded import held_here

NOUNS = ("nurse", "carpenter", "teacher", "doctor", "boy")
REQUESTS = [
    request
    for i, noun in enumerate(NOUNS)
    for request in (
        Continuation(f"The {noun} smiled because", " he"),
        Continuation(f"The {noun} smiled because", " she was late"),
        Continuation(f"The {noun} left", " and she sat down slowly."),
        Unanchored(f"The {noun} sat down slowly."),
        GreedyMatch(f"The {noun} said that", " he"),
        ContextPair(f"The {noun} said that", "The girl said that"),
        Generation(f"The {noun} said that", Sampling(max_tokens=8)),
        Generation(f"The {noun} said that", Sampling(max_tokens=8, temperature=1.0, seed=i)),
    )
]


def _beside(folder: str, dtype: str) -> dict[str, Any]:
    """The model in parts, opened and asked by all processes, beside the whole one in this process."""
    parted: Any = open_model(f"{folder}?tp=auto", dtype=dtype)
    answers = parted.answer(REQUESTS)
    again = parted.answer(REQUESTS)
    whole: Any = open_model(folder, dtype=dtype)
    apart: dict[str, float] = defaultdict(float)
    texts = []
    for request, one, other in zip(REQUESTS, answers, whole.answer_alone(REQUESTS), strict=True):
        if isinstance(one, Completion):
            texts.append(one == other)
            continue
        values = [getattr(a, "bits" if isinstance(request, ContextPair) else "value") for a in (one, other)]
        kind = type(request).__name__
        apart[kind] = max(apart[kind], abs(values[0] - values[1]))
    every = list(parted.module.parameters())
    return {
        "digest": parted.spec.digest == whole.spec.digest,
        "settings": parted.spec.settings == whole.spec.settings,
        "path": [parted.scoring().path, whole.scoring().path],
        "apart": apart,
        "again": answers == again,
        "texts": texts,
        "can": sorted(parted.can),
        "dtype": [parted.spec.dtype, whole.spec.dtype],
        "parameters": [parted.spec.parameters, whole.spec.parameters],
        "held": sum(held_here(p).numel() for p in every),
        "notes": parted.notes(),
    }


def main() -> None:
    size, *folders = sys.argv[1:]
    found: dict[str, Any] = {}
    with together.leading(int(size)):
        for given in folders:
            folder, _, dtype = given.partition("#")
            found[given] = _beside(folder, dtype or "float32")
        first: Any = open_model(f"{folders[0]}?tp=auto")
        open_model(f"{folders[0]}?tp=auto", dtype="bfloat16")
        try:
            first.answer(REQUESTS)
        except EnvironmentProblem as error:
            found["second"] = str(error)
    print(json.dumps(found))


def refused() -> None:
    """Open the models that are named after the word ``refused``, and print what is said of each."""
    said = []
    with together.leading(int(sys.argv[1])):
        for uri in sys.argv[3:]:
            try:
                open_model(uri)
            except EvenhandError as error:
                said.append([type(error).__name__, str(error)])
    print(json.dumps(said))


if __name__ == "__main__":
    torch.manual_seed(0)
    rank = int(os.environ["RANK"])
    if rank:
        together.serve(rank, int(sys.argv[1]), _open)
    elif sys.argv[2] == "refused":
        refused()
    else:
        main()
