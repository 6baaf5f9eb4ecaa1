"""Measuring: ask a model everything a benchmark wants to know, score it, and keep every item."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice

from evenhand import stats
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, UsageError
from evenhand.models import Model
from evenhand.records import (
    Capability,
    Estimate,
    Measurement,
    Protocol,
    Request,
    Response,
    Sample,
    Score,
)

RESAMPLES = 1000


def take(model: Model, benchmark: Benchmark, *, seed: int = 0, limit: int | None = None) -> Measurement:
    """One benchmark on one model.

    `seed` decides the intervals and, with `limit`, which items are taken; a limited measurement says so in
    its protocol and is not reportable.

    Raises:
        BadModel: the model gives no log-probabilities, or not for this benchmark's words.
        UsageError: the limit is below 1.
    """
    if Capability.LOGPROBS not in model.can:
        raise BadModel(
            f"{model.spec.uri} gives no log-probabilities, which {benchmark.name} needs.",
            mend="Choose a model that does (hf: or lab:).",
        )
    samples = _limited(benchmark.load(), limit, seed)
    asked = [benchmark.ask(sample) for sample in samples]
    answers = _answers(model, asked)
    scores = [benchmark.score(*row) for row in zip(samples, answers, strict=True)]
    return Measurement(
        model=model.spec,
        benchmark=benchmark.name,
        card=benchmark.card,
        protocol=protocol(model, benchmark, seed=seed, limit=limit),
        n=len(scores),
        metrics=_estimates(benchmark, scores, seed),
        slices=_slices(benchmark, scores, seed),
        scores=tuple(scores),
        notes=(*_split_terms(benchmark, asked, answers), *model.notes()),
    )


def protocol(model: Model, benchmark: Benchmark, *, seed: int, limit: int | None) -> Protocol:
    """The conditions under which `take` measures."""
    limited = limit is not None and limit < len(benchmark.load())
    return Protocol(
        data=benchmark.card.digest,
        normalisation=benchmark.normalisation,
        template=benchmark.template,
        dtype=model.spec.dtype,
        seed=seed,
        limited=limited,
        limit=limit if limited else None,
    )


def _limited(samples: Sequence[Sample], limit: int | None, seed: int) -> Sequence[Sample]:
    if limit is None or limit >= len(samples):
        return samples
    if limit < 1:
        raise UsageError(f"--limit {limit} leaves nothing to measure.", mend="Write a number of at least 1.")
    chosen = sorted(random.Random(seed).sample(range(len(samples)), limit))
    return [samples[i] for i in chosen]


def _answers(model: Model, asked: Sequence[Sequence[Request]]) -> list[list[Response]]:
    flat = iter(model.logprobs([request for requests in asked for request in requests]))
    return [list(islice(flat, len(requests))) for requests in asked]


def _split_terms(
    benchmark: Benchmark, asked: Sequence[Sequence[Request]], answers: Sequence[Sequence[Response]]
) -> list[str]:
    """What to say when a term is several tokens: its figure is an upper bound (decision 6)."""
    if not benchmark.groups:
        return []
    split = {
        request.text: answer.n_tokens
        for requests, found in zip(asked, answers, strict=True)
        for request, answer in zip(requests, found, strict=True)
        if answer.n_tokens > 1
    }
    if not split:
        return []
    terms = ", ".join(f"{text!r} into {n} tokens" for text, n in sorted(split.items()))
    return [
        f"This tokenizer splits {terms}. Such a term is scored by the chain rule; its tokens may also begin "
        "a longer word, so its probability is an upper bound. Prefer a model whose tokenizer keeps the terms "
        "whole where figures are compared between models."
    ]


def _estimates(benchmark: Benchmark, scores: Sequence[Score], seed: int) -> dict[str, Estimate]:
    weights = stats.resamples([s.cluster for s in scores], len(scores), RESAMPLES, seed)
    return {m.name: stats.estimate(m, scores, weights=weights) for m in benchmark.metrics}


def _slices(benchmark: Benchmark, scores: Sequence[Score], seed: int) -> dict[str, dict[str, Estimate]]:
    groups: dict[str, list[Score]] = {}
    for score in scores:
        for key, value in score.slices.items():
            groups.setdefault(f"{key}={value}", []).append(score)
    return {name: _estimates(benchmark, members, seed) for name, members in sorted(groups.items())}
