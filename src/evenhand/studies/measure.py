"""Measuring: send a benchmark's requests to a model, score the answers, and keep every item's score."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from evenhand import stats
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, UsageError
from evenhand.models import Asked, Chatter, Model, ask, described
from evenhand.provenance import made_by
from evenhand.records import (
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
    Undefined,
)
from evenhand.studies import chance, noise, unanswered
from evenhand.studies.fitness import doubts

RESAMPLES = 1000
_CHATTED = (
    "The prompts were put as a user's message in the model's chat template; the benchmark option chat=no "
    "puts them without a template."
)
_CHAIN_RULE = "chain-rule/1"
_SCORERS: Mapping[str, str] = {"masked": "pseudo-likelihood/1", "seq2seq": "conditional/1"}


def take(model: Model, benchmark: Benchmark, *, seed: int = 0, limit: int | None = None) -> Measurement:
    """One benchmark on one model.

    `seed` determines the intervals and, with `limit`, which items are taken; a limited measurement is marked
    in its protocol and is not reportable.

    Raises:
        BadModel: the benchmark does not fit the model's family, or the model does not give the kind of
            answers that the benchmark needs, or not for its words.
        UsageError: the limit is below 1.
    """
    check_family(model, benchmark)
    chat = _chat(model, benchmark)
    scores, said = _scored(model, benchmark, chat, seed=seed, limit=limit)
    slices = _tables(benchmark, scores, {"": list(range(len(scores))), **_places(scores)}, seed)
    figures = slices.pop("")
    taken = Measurement(
        model=model.spec,
        benchmark=benchmark.name,
        card=benchmark.card,
        protocol=_protocol(model, benchmark, chat, seed=seed, limit=limit),
        n=len(scores),
        metrics=figures,
        slices=slices,
        scores=scores,
        role=benchmark.role,
        primary=benchmark.primary,
        guards=benchmark.guards,
        needs=tuple(benchmark.needs),
        made_by=made_by(model.spec),
        notes=(
            *chance.said(benchmark.name, figures, scores),
            *said,
            *([_CHATTED] if chat.message else []),
            *([f"The weights are {model.spec.origin}."] if model.spec.origin else []),
            *model.notes(),
        ),
    )
    doubt = doubts(taken).get("")
    return replace(taken, notes=(f"{benchmark.name}: {doubt}", *taken.notes)) if doubt else taken


def _scored(
    model: Model, benchmark: Benchmark, chat: _Chat, *, seed: int, limit: int | None
) -> tuple[tuple[Score, ...], list[str]]:
    """Every item's score, and notes on the answers; requests and answers are freed when it returns."""
    samples = _limited(benchmark.load(), limit, seed)
    asked = [benchmark.ask(sample) for sample in samples]
    check_can(model, benchmark, chain.from_iterable(asked))
    benchmark.fits(model)
    benchmark.ready()
    put = [[chat.put(one) for one in requests] for requests in asked]
    noisy = noise.said(model, benchmark.name, (one for requests in put for one in requests))
    answers, said = unanswered.without_thinking(asked, _answers(model, samples, put))
    benchmark.prepare([[a for a in row if not isinstance(a, Undefined)] for row in answers])
    scores, known = unanswered.score(benchmark, samples, asked, answers)
    answered = [score for score, there in zip(scores, known, strict=True) if there]
    remarks = benchmark.remarks(answered) if answered or not scores else ()
    return tuple(scores), [
        *remarks,
        *_split_terms(benchmark, asked, answers),
        *said,
        *unanswered.loss(samples, answers, known),
        *noisy,
    ]


def fits_family(model: Model, benchmark: Benchmark) -> bool:
    """Whether the benchmark can be asked of models of this family."""
    return model.spec.family in benchmark.card.families


def check_family(model: Model, benchmark: Benchmark) -> None:
    """Refuse a model of a family that the benchmark does not fit.

    Raises:
        BadModel: it is of such a family.
    """
    fits = benchmark.card.families
    if not fits_family(model, benchmark):
        raise BadModel(
            f"{benchmark.name} fits {' and '.join(fits)} models, and {model.spec.uri} is "
            f"{described(model.spec)}.{' ' + benchmark.unfit if benchmark.unfit else ''}",
            mend=f"Measure a {' or '.join(fits)} model, or choose another benchmark "
            "(`evenhand ls benchmarks`).",
        )


def check_can(model: Model, benchmark: Benchmark, asked: Iterable[Request]) -> None:
    """Refuse a model that does not give what requests of the benchmark ask for.

    Raises:
        BadModel: it does not.
    """
    needs = {request.needs for request in asked}
    missing = sorted(need.gives for need in needs - model.can)
    if missing:
        raise BadModel(
            f"{model.spec.uri} does not give {', '.join(missing)}, which {benchmark.name} needs.",
            mend="Choose a model that does (hf: or lab:; an endpoint gives log-probabilities with "
            "?api=completions before the #, as in openai:http://localhost:8000/v1?api=completions#model).",
        )


def protocol(model: Model, benchmark: Benchmark, *, seed: int, limit: int | None) -> Protocol:
    """The conditions under which `take` measures."""
    return _protocol(model, benchmark, _chat(model, benchmark), seed=seed, limit=limit)


def _protocol(model: Model, benchmark: Benchmark, chat: _Chat, *, seed: int, limit: int | None) -> Protocol:
    limited = limit is not None and limit < len(benchmark.load())
    template = "; ".join(filter(None, (chat.said, benchmark.template)))
    return Protocol(
        data=benchmark.card.digest,
        scorer=_SCORERS.get(model.spec.family, _CHAIN_RULE),
        normalisation=benchmark.normalisation,
        template=template,
        dtype=model.spec.dtype,
        seed=seed,
        limited=limited,
        limit=limit if limited else None,
        read_by=benchmark.read_by,
    )


@dataclass(frozen=True, slots=True)
class _Chat:
    """The user's `message` that prompts become (``{prompt}`` in it), and how the protocol says so.

    Both are empty where prompts are used as they are: the benchmark or the model needs no template.
    """

    message: str = ""
    said: str = ""

    def put(self, request: Request) -> Request:
        """The request as the model receives it."""
        if not self.message or not isinstance(request, Generation):
            return request
        return replace(request, prompt=self.message.replace("{prompt}", request.prompt), chat=True)


def _chat(model: Model, benchmark: Benchmark) -> _Chat:
    template = model.chat_template if benchmark.message and isinstance(model, Chatter) else None
    if template is None:
        return _Chat()
    from evenhand.scoring.chat import named

    return _Chat(benchmark.message, f"{named(template)}, the user's message being {benchmark.message!r}")


def _limited(samples: Sequence[Sample], limit: int | None, seed: int) -> Sequence[Sample]:
    if limit is None or limit >= len(samples):
        return samples
    if limit < 1:
        raise UsageError(f"--limit {limit} leaves nothing to measure.", mend="Write a number of at least 1.")
    chosen = sorted(random.Random(seed).sample(range(len(samples)), limit))
    return [samples[i] for i in chosen]


def requests(benchmark: Benchmark, *, seed: int = 0, limit: int | None = None) -> list[Asked]:
    """Every request that `take` would send with the same arguments, with its place; no model is needed.

    Raises:
        UsageError: the limit is below 1.
    """
    samples = _limited(benchmark.load(), limit, seed)
    return list(_placed(samples, [benchmark.ask(sample) for sample in samples]))


def _placed(samples: Sequence[Sample], asked: Sequence[Sequence[Request]]) -> Iterator[Asked]:
    return (
        Asked(sample.id, index, request)
        for sample, requests in zip(samples, asked, strict=True)
        for index, request in enumerate(requests)
    )


def _answers(
    model: Model, samples: Sequence[Sample], asked: Sequence[Sequence[Request]]
) -> list[list[Response]]:
    """The answers in the shape of `asked`."""
    ordered = iter(ask(model, list(_placed(samples, asked))))
    return [list(islice(ordered, len(requests))) for requests in asked]


def _split_terms(
    benchmark: Benchmark, asked: Sequence[Sequence[Request]], answers: Sequence[Sequence[Response]]
) -> list[str]:
    """The note when a term is several tokens: its probability is then an upper bound (decision 6)."""
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
            f"This tokenizer splits {terms}. The number of masks shows a masked model how many tokens such a "
            "term has, so its figure is not on the same scale as that of a term of one token. Prefer a model "
            "whose tokenizer keeps the terms whole."
        ]
    return [
        f"This tokenizer splits {terms}. Such a term is scored by the chain rule; its tokens may also begin "
        "a longer word, so its probability is an upper bound. Prefer a model whose tokenizer keeps the terms "
        "whole where figures are compared between models."
    ]


def crossing(benchmarks: Sequence[Benchmark], by: Sequence[str]) -> None:
    """Check that the items of at least one benchmark have all slices in `by`, two or more.

    Raises:
        UsageError: fewer than two, or none has them; the message says which there are.
    """
    if len(set(by)) < 2:
        raise UsageError(
            f"--by {','.join(by)} names fewer than two slices to cross; single slices are always given.",
            mend="Write two or more, such as --by task,domain.",
        )
    there = {b.name: list(dict.fromkeys(key for s in b.load() for key in s.slices)) for b in benchmarks}
    if not any(set(by) <= set(keys) for keys in there.values()):
        listed = "; ".join(f"{name} has {', '.join(keys) or 'none'}" for name, keys in there.items())
        raise UsageError(
            f"No benchmark has all the slices {', '.join(by)}.", mend=f"Available slices: {listed}."
        )


def crossed(measurement: Measurement, benchmark: Benchmark, by: Sequence[str]) -> Measurement:
    """`measurement` with a slice for every combination of the slices `by` that some item has.

    Their keys join those of the single slices: ``scale=word & definitional=no``. Items that lack one of the
    slices are in none of them.
    """
    places: dict[str, list[int]] = {}
    for place, score in enumerate(measurement.scores):
        if set(by) <= set(score.slices):
            places.setdefault(" & ".join(f"{key}={score.slices[key]}" for key in by), []).append(place)
    found = _tables(benchmark, measurement.scores, places, measurement.protocol.seed)
    return replace(measurement, slices={**measurement.slices, **found})


def _places(scores: Sequence[Score]) -> dict[str, list[int]]:
    """The places of the items of every slice."""
    places: dict[str, list[int]] = {}
    for place, score in enumerate(scores):
        for key, value in score.slices.items():
            places.setdefault(f"{key}={value}", []).append(place)
    return places


def _tables(
    benchmark: Benchmark, scores: Sequence[Score], places: Mapping[str, Sequence[int]], seed: int
) -> dict[str, dict[str, Estimate]]:
    return stats.estimates_by_slice(
        benchmark.metrics, scores, dict(sorted(places.items())), seed=seed, B=RESAMPLES
    )
