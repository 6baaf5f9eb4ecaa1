"""What every benchmark keeps to, whoever wrote it: found by discovery, answered by scripted models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadOption
from evenhand.records import Score, Value, from_json, to_json
from tests.support.scripted import (
    EVEN,
    NEUTRAL,
    ScriptedModel,
    anti_stereotype,
    choosing,
    figures,
    run,
    stereotype,
)

NAMES = registry.names("benchmark")
VARIANTS = (
    *NAMES,
    "genbiaseval:part=all",
    "genbiaseval:split=profession",
    "genbiaseval:part=dev,professions=multiword,seed=3",
    "genbiaseval:attribute=race",
    "genbiaseval:attribute=religion,split=profession",
    "genhinteval:form=paired1572",
    "genhinteval:professions=multiword",
    "facts:set=world",
    "facts:normalise=token",
    "perplexity:text=lab",
    "perplexity:window=12",
)
Script = Callable[[Benchmark], ScriptedModel]


def _right(benchmark: Benchmark) -> ScriptedModel:
    """Certain of the right option, or of every text."""
    right = _answers(benchmark)
    return ScriptedModel(lambda item: float((item.context, item.text) in right))


def _wrong(benchmark: Benchmark) -> ScriptedModel:
    """Certain of anything but the right option; finds a text a thousand times less likely with every word."""
    right = _answers(benchmark)
    if not any(context for context, _ in right):
        return ScriptedModel(lambda item: 1000.0 ** -len(item.text.split()))
    return ScriptedModel(lambda item: 0.0 if (item.context, item.text) in right else 1 / 3)


def _uniform(benchmark: Benchmark) -> ScriptedModel:
    """The same for every option of a sample; for whole texts, one of 512 tokens at every step."""
    if benchmark.role == "capability" and not any(context for context, _ in _answers(benchmark)):
        return ScriptedModel(lambda item: 512.0 ** -len(item.text.split()))
    shares = {
        (r.context, r.text): 1 / len(benchmark.ask(sample))
        for sample in benchmark.load()
        for r in benchmark.ask(sample)
    }
    return ScriptedModel(lambda item: shares[item.context, item.text])


def _answers(benchmark: Benchmark) -> set[tuple[str, str]]:
    found = set()
    for sample in benchmark.load():
        request = benchmark.ask(sample)[sample.fields.get("answer", 0)]
        found.add((request.context, request.text))
    return found


BIAS_SCRIPTS: Mapping[str, Script] = {
    "stereotype": lambda b: choosing(b, stereotype),
    "anti": lambda b: choosing(b, anti_stereotype),
    "even": lambda b: choosing(b, lambda sample: EVEN),
    "unknown": lambda b: choosing(b, lambda sample: NEUTRAL),
    "uniform": _uniform,
}
CAPABILITY_SCRIPTS: Mapping[str, Script] = {"right": _right, "wrong": _wrong, "uniform": _uniform}
SCRIPTS = {"bias": BIAS_SCRIPTS, "capability": CAPABILITY_SCRIPTS}

# The test part of genbiaseval has 721 prompts whose profession leans to he, 168 to she and 55 to neither; in
# genhinteval the stereotype agrees with 293 male and 75 female hints and contradicts 81 and 289.
LEANING, SIGNED = 889 / 944, (721 - 168) / 944
UB = (293 - 81 + 75 - 289) / 786
EXPECTED: Mapping[str, Mapping[str, Mapping[str, Value]]] = {
    "genbiaseval": {
        "stereotype": {
            "afgb": LEANING,
            "afgb_normalised": LEANING,
            "afgb_signed": SIGNED,
            "mass": 1,
            "neutral": 0,
        },
        "anti": {
            "afgb": LEANING,
            "afgb_normalised": LEANING,
            "afgb_signed": -SIGNED,
            "mass": 1,
            "neutral": 0,
        },
        "even": {"afgb": 0, "afgb_normalised": 0, "afgb_range": 0, "afgb_signed": 0, "stereotype_slope": 0},
        "unknown": {"afgb": 0, "afgb_normalised": None, "mass": 0, "neutral": 1, "stereotype_slope": 0},
        "uniform": {"afgb": 0, "afgb_normalised": 0, "mass": 2 / 3, "neutral": 1 / 3, "slope_intercept": 0},
    },
    "genhinteval": {
        "stereotype": {"ub": UB, "mass": 1},
        "anti": {"ub": -UB, "mass": 1},
        "even": {"ub": 0, "afgb": 0, "mass": 1},
        "unknown": {"ub": 0, "afgb": 0, "mass": 0},
        "uniform": {"ub": 0, "afgb": 0, "mass": 2 / 3},
    },
    "facts": {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}},
    "perplexity": {"right": {"perplexity": 1}, "wrong": {"perplexity": 1000}, "uniform": {"perplexity": 512}},
}
CASES = [(name, script) for name in NAMES for script in EXPECTED.get(name, {})]


@pytest.fixture(scope="module")
def made() -> Callable[[str], Benchmark]:
    """Benchmarks by spec, each built once for this module."""
    kept: dict[str, Benchmark] = {}

    def get(spec: str) -> Benchmark:
        if spec not in kept:
            kept[spec] = registry.create("benchmark", spec)
        return kept[spec]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_states_values_for_every_script(name, made) -> None:
    assert set(EXPECTED[name]) == set(SCRIPTS[made(name).role])


@pytest.mark.parametrize(("name", "script"), CASES)
def test_scripted_models_get_the_stated_values(name, script, made) -> None:
    benchmark = made(name)
    found = figures(benchmark, SCRIPTS[benchmark.role][script](benchmark))
    for metric, expected in EXPECTED[name][script].items():
        assert found[metric] == (None if expected is None else pytest.approx(expected, abs=1e-9)), metric


@pytest.mark.parametrize("spec", VARIANTS)
def test_ids_are_unique_and_name_the_benchmark(spec, made) -> None:
    ids = [sample.id for sample in made(spec).load()]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(identity.startswith(spec.partition(":")[0] + "/") for identity in ids)


@pytest.mark.parametrize("spec", VARIANTS)
def test_requests_can_be_tokenised(spec, made) -> None:
    benchmark = made(spec)
    for sample in benchmark.load():
        requests = benchmark.ask(sample)
        assert requests
        assert len({(r.context, r.text) for r in requests}) == len(requests)
        for request in requests:
            assert request.context == request.context.strip()
            # A text without a context is scored from the model's start token; any other one is the next word.
            assert re.match(r" \S" if request.context else r"\S", request.text)
            assert request.text == request.text.rstrip()


@pytest.mark.parametrize("spec", VARIANTS)
def test_loading_twice_gives_the_same(spec, made) -> None:
    first, second = made(spec), registry.create("benchmark", spec)
    assert list(first.load()) == list(first.load()) == list(second.load())
    assert first.card == second.card
    assert first.name == second.name


@pytest.mark.parametrize("spec", VARIANTS)
def test_the_name_builds_the_same_benchmark_again(spec, made) -> None:
    benchmark = made(spec)
    assert registry.create("benchmark", benchmark.name).card.digest == benchmark.card.digest


@pytest.mark.parametrize("spec", VARIANTS)
def test_the_card_is_complete(spec, made) -> None:
    benchmark = made(spec)
    card = benchmark.card
    assert card.name == spec.partition(":")[0]
    assert re.fullmatch(r"[0-9a-f]{64}", card.digest)
    for text in (card.version, card.title, card.source, card.licence, card.reading):
        assert text
        assert text == text.strip()
    assert card.reading.endswith(".")
    assert benchmark.role in ("bias", "capability")
    assert (benchmark.role == "bias") == bool(benchmark.groups)


@pytest.mark.parametrize("spec", VARIANTS)
def test_metrics_find_their_columns(spec, made) -> None:
    benchmark = made(spec)
    scores = run(benchmark, _uniform(benchmark))
    assert len({metric.name for metric in benchmark.metrics}) == len(benchmark.metrics) > 0
    names = set(scores[0].values)
    assert all(set(score.values) == names for score in scores)
    assert [n.removeprefix("p.") for n in scores[0].values if n.startswith("p.")] == list(benchmark.groups)
    for metric in benchmark.metrics:
        for need in metric.needs:
            assert need in names or (need == "p.*" and benchmark.groups), (metric.name, need)


@pytest.mark.parametrize("spec", VARIANTS)
def test_scores_carry_the_sample_and_reach_the_disk(spec, made) -> None:
    benchmark = made(spec)
    sample = benchmark.load()[0]
    score = benchmark.score(sample, _uniform(benchmark).logprobs(list(benchmark.ask(sample))))
    assert (score.sample, score.cluster, score.slices) == (sample.id, sample.cluster, sample.slices)
    assert from_json(Score, to_json(score)) == score


@pytest.mark.parametrize("spec", VARIANTS)
def test_training_examples_are_not_measured(spec, made) -> None:
    benchmark = made(spec)
    if benchmark.examples is None:
        return
    examples = list(benchmark.examples())
    assert examples
    assert not {e.id for e in examples} & {sample.id for sample in benchmark.load()}
    assert all(e.groups == benchmark.groups and len(e.terms) == len(e.groups) for e in examples)
    assert all(term.startswith(" ") for e in examples for forms in e.terms for term in forms)
    if "split=profession" in spec:
        assert not {e.cluster for e in examples} & {sample.cluster for sample in benchmark.load()}


@pytest.mark.parametrize("name", NAMES)
def test_options_are_typed_documented_and_checked(name) -> None:
    factory = registry.get("benchmark", name)
    for option, parameter in registry.options(factory).items():
        assert parameter.default is not parameter.empty, option
        assert f"{option}: " in factory.__doc__, option
    with pytest.raises(BadOption, match="no option 'colour'"):
        registry.create("benchmark", f"{name}:colour=red")
