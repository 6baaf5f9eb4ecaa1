"""Contracts of benchmarks, on scripted models whose every answer is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadData, BadOption, MissingExtra
from evenhand.records import (
    Averaged,
    Cloze,
    ContextPair,
    Contrast,
    Embedding,
    Generation,
    GreedyMatch,
    GuardName,
    PairExample,
    PersonExample,
    Request,
    Score,
    TextExample,
    Unanchored,
    from_json,
    to_json,
)
from evenhand.testing.cases import BenchmarkCase, Script, Stated
from evenhand.testing.contracts import Contract, NotTried, Subject, expect, expect_near, raised
from evenhand.testing.scripted import figures, run
from evenhand.testing.scripts import BY_ROLE, constant


@cache
def built(spec: str) -> Benchmark | str:
    """The benchmark of `spec`, built once; the reason where this machine lacks its data or a package."""
    try:
        found: Benchmark = registry.create("benchmark", spec)
    except BadData as absent:
        if "not on this machine" not in absent.what:
            raise
        return f"the data of {spec} is absent: {absent.what}"
    except MissingExtra as absent:
        return absent.what
    return found


def _made(subject: Subject) -> Benchmark:
    found = built(subject.spec)
    if isinstance(found, str):
        raise NotTried(found)
    return found


def scripts(benchmark: Benchmark, case: BenchmarkCase) -> Mapping[str, Script]:
    """The scripted models that a benchmark's case states values for."""
    return case.scripts or BY_ROLE[benchmark.role]


def _stated(subject: Subject) -> Stated:
    case: BenchmarkCase = subject.needed("values for scripted models")
    stated = case.stated if subject.spec in (case.name, case.spec) else case.forms.get(subject.spec, {})
    if not stated:
        raise NotTried(f"its case states no values for {subject.spec}")
    return stated


def it_states_values_for_every_script(subject: Subject) -> None:
    """The case states values for each of its scripts: always the stereotype, its opposite, and so on."""
    benchmark, stated = _made(subject), _stated(subject)
    wanted = set(scripts(benchmark, subject.case))  # type: ignore[arg-type]
    expect(set(stated) == wanted, f"values are stated for {sorted(stated)}, scripts are {sorted(wanted)}")


def scripted_models_get_the_stated_values(subject: Subject) -> None:
    """Load, ask, answer, score: a model whose answers are known gets the value that the case states."""
    benchmark, stated = _made(subject), _stated(subject)
    known = scripts(benchmark, subject.case)  # type: ignore[arg-type]
    for script, values in stated.items():
        found = figures(benchmark, known[script](benchmark))
        for metric, wanted in values.items():
            expect(metric in found, f"it reports no {metric}")
            expect_near(found[metric], wanted, f"{metric} of the script {script}", tolerance=1e-9)


def ids_are_unique_and_name_the_benchmark(subject: Subject) -> None:
    """There are samples; each has an id of its own, which starts with the benchmark's name and a slash."""
    ids = [sample.id for sample in _made(subject).load()]
    expect(ids, "it has no samples")
    expect(len(set(ids)) == len(ids), "two samples have one id")
    strange = next((one for one in ids if not one.startswith(f"{subject.name}/")), None)
    expect(strange is None, f"the id {strange!r} does not start with {subject.name}/")


def requests_can_be_tokenised(subject: Subject) -> None:
    """No request of a sample is asked twice, and spaces stand where a tokenizer wants them.

    A prompt and a context never end with a space; a text after a context begins with exactly one, and ends
    with none. A text without a context begins with no space.
    """
    benchmark = _made(subject)
    for sample in benchmark.load():
        requests = benchmark.ask(sample)
        expect(requests, f"{sample.id} asks nothing")
        expect(len(set(requests)) == len(requests), f"{sample.id} asks one request twice")
        for request in requests:
            expect(_well_spaced(request), f"{sample.id}: the spaces in {request} are wrong")


def _well_spaced(request: Request) -> bool:
    if isinstance(request, Generation):
        return request.prompt == request.prompt.rstrip() != ""
    if isinstance(request, ContextPair):
        return "" not in (request.context.strip(), request.other.strip())
    if isinstance(request, Averaged | Cloze | Contrast | Embedding | Unanchored):
        return request.text == request.text.strip() != ""
    if isinstance(request, GreedyMatch):  # what is recalled may begin on a line of its own
        return bool(re.match(r" \s*\S", request.text))
    # A text without a context is scored from the model's start token; any other one is the next word.
    begins = re.match(r" \S" if request.context else r"\S", request.text)
    return bool(
        request.context == request.context.strip() and begins and request.text == request.text.rstrip()
    )


def loading_twice_gives_the_same(subject: Subject) -> None:
    """Samples, card (with the digest of all that is asked) and name are the same each time."""
    first, second = _made(subject), registry.create("benchmark", subject.spec)
    same = list(first.load()) == list(first.load()) == list(second.load())
    expect(same, "its samples are not the same when it is made again")
    expect(first.card == second.card, "its card is not the same when it is made again")
    expect(first.name == second.name, "its name is not the same when it is made again")


def the_name_builds_the_same_benchmark_again(subject: Subject) -> None:
    """The canonical name, which results carry, builds a benchmark of the same digest."""
    benchmark = _made(subject)
    again: Benchmark = registry.create("benchmark", benchmark.name)
    expect(again.card.digest == benchmark.card.digest, f"{benchmark.name} builds another benchmark")


def the_card_is_complete(subject: Subject) -> None:
    """The card has the component's name, a SHA-256 digest, version, title, source, licence and reading."""
    benchmark = _made(subject)
    card = benchmark.card
    expect(card.name == subject.name, f"the card is of {card.name!r}")
    expect(re.fullmatch(r"[0-9a-f]{64}", card.digest), f"the digest {card.digest!r} is no SHA-256")
    for part in ("version", "title", "source", "licence", "reading"):
        text = getattr(card, part)
        expect(text and text == text.strip(), f"the card's {part} is empty or has spaces around it")
    expect(card.reading.endswith("."), "the card's reading is no sentence")
    expect(benchmark.role in ("bias", "capability"), f"its role is {benchmark.role!r}")
    expect(benchmark.role == "bias" or not benchmark.groups, "a capability has no groups")


def what_a_verdict_reads_is_reported(subject: Subject) -> None:
    """`primary` and `guards` name metrics that it reports and that can play their part."""
    benchmark = _made(subject)
    reported = {metric.name: metric for metric in benchmark.metrics}
    plain = benchmark.role == "bias" or not benchmark.primary
    expect(plain, "no verdict is about a capability: give no primary")
    for name in (*((benchmark.primary,) if benchmark.primary else ()), *benchmark.guards.values()):
        expect(name in reported, f"it does not report {name}")
    primary = benchmark.primary
    expect(primary is None or reported[primary].ideal is not None, f"{primary} has no ideal")
    for part, name in benchmark.guards.items():
        metric = reported[name]
        fits = (part is GuardName.MASS) is bool(metric.words)
        expect(fits, f"{name} {'is' if metric.words else 'is not'} a probability of words: no {part.value}")
        ends = part is not GuardName.REST or metric.ideal in (metric.low, metric.high)
        expect(ends, f"the ideal of {name} is no end of its range")


def metrics_find_their_columns(subject: Subject) -> None:
    """Every score has the same columns, the groups' in order, and each metric finds those that it needs."""
    benchmark = _made(subject)
    scores = run(benchmark, constant(benchmark))
    reported = [metric.name for metric in benchmark.metrics]
    expect(reported and len(set(reported)) == len(reported), f"it reports {reported}")
    names = list(scores[0].values)
    strange = next((score.sample for score in scores if set(score.values) != set(names)), None)
    expect(strange is None, f"{strange} has other columns than the first sample")
    groups = [name.removeprefix("p.") for name in names if name.startswith("p.")]
    expect(groups == list(benchmark.groups), f"columns p.* are of {groups}, groups are {benchmark.groups}")
    for metric in benchmark.metrics:
        for need in metric.needs:
            stem = need.removesuffix("*")
            there = need in names or (stem != need and any(name.startswith(stem) for name in names))
            expect(there, f"{metric.name} needs the column {need}, which no score has")


def ask_and_score_agree(subject: Subject) -> None:
    """A sample's score from as many answers as it asks carries the sample's id, cluster and slices."""
    benchmark = _made(subject)
    sample = benchmark.load()[0]
    score = benchmark.score(sample, constant(benchmark).answer(benchmark.ask(sample)))
    found, wanted = (one for one in (_place(score.sample, score), _place(sample.id, sample)))
    expect(found == wanted, f"the score carries {found}, the sample has {wanted}")


def _place(name: str, one: Any) -> tuple[Any, ...]:
    return name, one.cluster, one.slices


def scores_survive_the_disk(subject: Subject) -> None:
    """A score written as JSON and read again is the same score."""
    benchmark = _made(subject)
    sample = benchmark.load()[0]
    score = benchmark.score(sample, constant(benchmark).answer(benchmark.ask(sample)))
    expect(from_json(Score, to_json(score)) == score, "a score read from JSON is another one")


def training_examples_are_not_measured(subject: Subject) -> None:
    """What a mitigation may fit on is disjoint from what is measured, and about the same groups."""
    benchmark = _made(subject)
    examples: Sequence[Any] = list(benchmark.examples())
    case: BenchmarkCase | None = subject.case
    if case is not None:
        wanted = case.teaches and subject.spec not in case.silent
        expect(bool(examples) == wanted, f"it gives {len(examples)} examples to fit on")
    if not examples:
        return
    both = {e.id for e in examples} & {sample.id for sample in benchmark.load()}
    expect(not both, f"it both measures and teaches {sorted(both)[:3]}")
    for one in examples:
        if isinstance(one, PairExample | TextExample):
            continue  # whole texts have no terms
        forms = one.contexts if isinstance(one, PersonExample) else one.terms
        same = one.groups == benchmark.groups == one.groups[: len(forms)]
        expect(same, f"{one.id} is about {one.groups}, the benchmark about {benchmark.groups}")
        spaced = all(request.text.startswith(" ") for request in one.requests())
        expect(spaced, f"{one.id} has a term without a space before it")
    if "split=profession" in subject.spec:
        clusters = {e.cluster for e in examples} & {sample.cluster for sample in benchmark.load()}
        expect(not clusters, f"it both measures and teaches the clusters {sorted(clusters)[:3]}")


def options_are_typed_documented_and_checked(subject: Subject) -> None:
    """Every option has a default and a line in the docstring; one that does not exist gets BadOption."""
    factory = registry.get("benchmark", subject.name)
    for option, parameter in registry.options(factory).items():
        expect(parameter.default is not parameter.empty, f"the option {option} has no default")
        told = f"{option}: " in (factory.__doc__ or "")
        expect(told, f"the docstring does not say what {option} is ({option}: ...)")
    spec = f"{subject.name}:colour=red"
    said = raised(BadOption, lambda: registry.create("benchmark", spec), "the option colour")
    expect("no option 'colour'" in said, f"an option that does not exist is refused with: {said}")


ONCE: tuple[Contract, ...] = (it_states_values_for_every_script, options_are_typed_documented_and_checked)
CONTRACTS: tuple[Contract, ...] = (
    *ONCE,
    scripted_models_get_the_stated_values,
    ids_are_unique_and_name_the_benchmark,
    requests_can_be_tokenised,
    loading_twice_gives_the_same,
    the_name_builds_the_same_benchmark_again,
    the_card_is_complete,
    what_a_verdict_reads_is_reported,
    metrics_find_their_columns,
    ask_and_score_agree,
    scores_survive_the_disk,
    training_examples_are_not_measured,
)


def specs(contract: Contract, case: BenchmarkCase) -> tuple[str, ...]:
    """With which options a contract is tried: those that have stated values, all variants, or one alone."""
    own = case.spec or case.name
    if contract in ONCE:
        return (own,)
    return (own, *(case.forms if contract is scripted_models_get_the_stated_values else case.variants))
