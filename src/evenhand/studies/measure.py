"""Measuring: ask a model everything a benchmark wants to know, score it, and keep every item."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import cast

from evenhand import stats
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, UsageError
from evenhand.models import Asked, Comparer, Embedder, Filler, Keyed, Model
from evenhand.records import (
    Capability,
    Continuation,
    Estimate,
    Generation,
    LogProb,
    Measurement,
    Protocol,
    Request,
    Response,
    Sample,
    Score,
)
from evenhand.requests import Cloze, Contrast, Embedding, Shift, Vector

RESAMPLES = 1000
_NEEDS: Mapping[type, Capability] = {
    Continuation: Capability.LOGPROBS,
    Generation: Capability.GENERATE,
    Cloze: Capability.CLOZE,
    Contrast: Capability.CLOZE,
    Embedding: Capability.HIDDEN,
    Shift: Capability.WEIGHTS,
}
_CHAIN_RULE = "chain-rule/1"
_SCORERS: Mapping[str, str] = {"masked": "pseudo-likelihood/1", "seq2seq": "conditional/1"}


def take(model: Model, benchmark: Benchmark, *, seed: int = 0, limit: int | None = None) -> Measurement:
    """One benchmark on one model.

    `seed` decides the intervals and, with `limit`, which items are taken; a limited measurement says so in
    its protocol and is not reportable.

    Raises:
        BadModel: the model is of a family that the benchmark does not fit, does not give the kind of answers
            that it needs, or not for its words.
        UsageError: the limit is below 1.
    """
    _check_family(model, benchmark)
    samples = _limited(benchmark.load(), limit, seed)
    asked = [benchmark.ask(sample) for sample in samples]
    _check_can(model, benchmark, asked)
    if benchmark.ready is not None:
        benchmark.ready()
    answers = _answers(model, samples, asked)
    if benchmark.prepare is not None:
        benchmark.prepare(answers)
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
        notes=(
            *(benchmark.remarks(scores) if benchmark.remarks else ()),
            *_split_terms(benchmark, asked, answers),
            *model.notes(),
        ),
    )


def _check_family(model: Model, benchmark: Benchmark) -> None:
    fits = benchmark.card.families
    if model.spec.family not in fits:
        raise BadModel(
            f"{benchmark.name} fits {' and '.join(fits)} models, and {model.spec.uri} is a "
            f"{model.spec.family} model.{' ' + benchmark.unfit if benchmark.unfit else ''}",
            mend=f"Measure a {' or '.join(fits)} model, or choose another benchmark "
            "(`evenhand ls benchmarks`).",
        )


def _check_can(model: Model, benchmark: Benchmark, asked: Sequence[Sequence[Request]]) -> None:
    kinds = {type(request) for requests in asked for request in requests}
    missing = sorted({_NEEDS[kind] for kind in kinds} - model.can)
    if missing:
        raise BadModel(
            f"{model.spec.uri} does not give {', '.join(missing)}, which {benchmark.name} needs.",
            mend="Choose a model that does (hf: or lab:; an endpoint gives log-probabilities with "
            "?api=completions).",
        )


def protocol(model: Model, benchmark: Benchmark, *, seed: int, limit: int | None) -> Protocol:
    """The conditions under which `take` measures."""
    limited = limit is not None and limit < len(benchmark.load())
    return Protocol(
        data=benchmark.card.digest,
        scorer=_SCORERS.get(model.spec.family, _CHAIN_RULE),
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


def requests(benchmark: Benchmark, *, seed: int = 0, limit: int | None = None) -> list[Asked]:
    """Everything that `take` would ask under the same arguments, with its place, and no model needed.

    Raises:
        UsageError: the limit is below 1.
    """
    samples = _limited(benchmark.load(), limit, seed)
    return _placed(samples, [benchmark.ask(sample) for sample in samples])


def _placed(samples: Sequence[Sample], asked: Sequence[Sequence[Request]]) -> list[Asked]:
    return [
        Asked(sample.id, index, request)
        for sample, requests in zip(samples, asked, strict=True)
        for index, request in enumerate(requests)
    ]


def _answers(
    model: Model, samples: Sequence[Sample], asked: Sequence[Sequence[Request]]
) -> list[list[Response]]:
    """The answers in the shape of `asked`: each kind of request in one call, texts in one a sampling."""
    if isinstance(model, Keyed):
        kept = iter(model.answers(_placed(samples, asked)))
        return [list(islice(kept, len(requests))) for requests in asked]
    flat = [request for requests in asked for request in requests]
    answers: dict[int, Response] = {}
    scored = {i: request for i, request in enumerate(flat) if isinstance(request, Continuation)}
    answers.update(zip(scored, model.logprobs(list(scored.values())) if scored else [], strict=True))
    filled = {i: request for i, request in enumerate(flat) if isinstance(request, Cloze | Contrast)}
    if filled:
        answers.update(zip(filled, cast(Filler, model).fill(list(filled.values())), strict=True))
    answers.update(_vectors(model, {i: r.text for i, r in enumerate(flat) if isinstance(r, Embedding)}))
    moved = {i: request for i, request in enumerate(flat) if isinstance(request, Shift)}
    if moved:
        answers.update(zip(moved, cast(Comparer, model).shifts(list(moved.values())), strict=True))
    written = {i: request for i, request in enumerate(flat) if isinstance(request, Generation)}
    for sampling in dict.fromkeys(request.sampling for request in written.values()):
        same = {i: request.prompt for i, request in written.items() if request.sampling == sampling}
        answers.update(zip(same, model.generate(list(same.values()), sampling), strict=True))
    ordered = (answers[i] for i in range(len(flat)))
    return [list(islice(ordered, len(requests))) for requests in asked]


def _vectors(model: Model, asked: Mapping[int, str]) -> dict[int, Vector]:
    """The vector of each text in `asked`; texts asked for more than once share one."""
    if not asked:
        return {}
    texts = list(dict.fromkeys(asked.values()))
    found = cast(Embedder, model).hidden(texts).tolist()
    vectors = {text: Vector(tuple(values)) for text, values in zip(texts, found, strict=True)}
    return {i: vectors[text] for i, text in asked.items()}


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
        if isinstance(request, Continuation) and isinstance(answer, LogProb) and answer.n_tokens > 1
    }
    if not split:
        return []
    masked = any(
        answer.kind == "pseudo" for found in answers for answer in found if isinstance(answer, LogProb)
    )
    terms = ", ".join(f"{text!r} into {n} tokens" for text, n in sorted(split.items()))
    if masked:
        return [
            f"This tokenizer splits {terms}. The number of masks tells a masked model how many tokens such a "
            "term has, so its figure is not on one scale with a term of one token. Prefer a model whose "
            "tokenizer keeps the terms whole."
        ]
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
