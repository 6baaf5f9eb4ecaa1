"""What four projections do to SEAT on all-MiniLM-L6-v2, fitted on this package's pairs of gendered sentences.

``python perf/projections.py`` prints the table of docs/methods/leace.md. It needs the model and SEAT's files:
see `perf/real.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import cast

import numpy as np

from evenhand import registry
from evenhand.decimals import significant
from evenhand.errors import EvenhandError
from evenhand.metrics import Array
from evenhand.metrics.associations import effect_size, permutation_p
from evenhand.models import Model
from evenhand.opening import open_model
from evenhand.records import Embedding, Score, Vector
from evenhand.sources import folder_in_use
from evenhand.studies.measure import take
from real import DATA, MINILM, fetch

METHODS = ("leace", "inlp:rounds=1", "inlp:rounds=8", "mean_difference", "sentence_debias")
TESTS = ("sent-weat6", "sent-weat7", "sent-weat8")


def main(methods: Sequence[str] = METHODS) -> None:
    """Print one row a method."""
    model = open_model(f"hf:{fetch(MINILM)}")
    benchmark = registry.create("benchmark", "seat")
    texts = [Embedding(str(sample.fields["text"])) for sample in benchmark.load()]
    base = vectors(model, texts)
    print("| method | directions | probe | moved | SEAT-6 | SEAT-7 | SEAT-8 |\n|---|---|---|---|---|---|---|")
    row("none", "", "", "", take(model, benchmark).scores)
    for spec in methods:
        treatment = registry.create("mitigation", spec).fit(model, benchmark.examples(), sites=None, seed=0)
        said = treatment.about.details["sites"][0]
        with treatment.applied(model) as treated:
            after = vectors(treated, texts)
            scores = take(treated, benchmark).scores
        moved = (np.linalg.norm(after - base, axis=1) / np.linalg.norm(base, axis=1)).mean()
        probe = f"{said['probe_before']:.2f} → {said['probe_after']:.2f}"
        row(spec, str(said["directions"]), probe, f"{moved:.3f}", scores)


def vectors(model: Model, texts: Sequence[Embedding]) -> Array:
    """The vector of each text, [n, d]."""
    return np.array([answer.values for answer in cast(list[Vector], model.answer(texts))])


def row(method: str, directions: str, probe: str, moved: str, scores: Sequence[Score]) -> None:
    """One line: for each test d, the difference of mean cosines, and the one-sided permutation p."""
    cells = []
    for test in TESTS:
        found = [(s.values["association"], s.values["target"]) for s in scores if s.slices["test"] == test]
        first, second = ([float(a or 0.0) for a, target in found if target == side] for side in (1.0, 0.0))
        d, p = effect_size(first, second), permutation_p(first, second)
        raw = float(np.mean(first) - np.mean(second))
        cells.append(f"{d:.2f} ({raw:+.4f}, {significant(p or 0.0, 2)})")
    print(f"| {method} | {directions} | {probe} | {moved} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    try:
        with folder_in_use(DATA) if DATA.is_dir() else nullcontext():
            main(sys.argv[1:] or METHODS)
    except EvenhandError as error:
        sys.exit(str(error))
