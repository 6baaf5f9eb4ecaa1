"""LAMBADA: the last word by hand, the official passages, and faults of a file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from evenhand.benchmarks.lambada import DATA, Lambada
from evenhand.errors import BadData, BadModel
from evenhand.records import GreedyMatch, MatchedLogProb
from evenhand.studies.measure import take
from evenhand.testing import BenchmarkCase, tiny
from evenhand.testing.scripts import constant, right
from tests.support.data import data_file

CASE = BenchmarkCase(
    "lambada",
    {
        "right": {"accuracy": 1, "word_perplexity": 1},
        "wrong": {"accuracy": 0, "word_perplexity": 1000},
        "uniform": {"accuracy": 0, "word_perplexity": 512},
    },
    {
        "right": right,
        "wrong": lambda benchmark: constant(share=0.001),
        "uniform": lambda benchmark: constant(share=1 / 512),
    },
)


def passages(folder: Path, *texts: object) -> str:
    place = folder / "passages.jsonl"
    place.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return str(place)


def test_the_word_after_the_last_space_by_hand(tmp_path) -> None:
    benchmark = Lambada(file=passages(tmp_path, "The nurse was late", "She sat on the\n\nold table"))
    first, second = benchmark.load()
    assert benchmark.ask(first) == [GreedyMatch("The nurse was", " late")]
    assert benchmark.ask(second) == [GreedyMatch("She sat on the\n\nold", " table")]
    # Words of probability 1/2 and 1/8, the first the likeliest: accuracy 1/2, perplexity sqrt(2 * 8) = 4.
    scores = [
        benchmark.score(first, [MatchedLogProb(math.log(1 / 2), 1, True)]),
        benchmark.score(second, [MatchedLogProb(math.log(1 / 8), 2, False)]),
    ]
    accuracy, perplexity = benchmark.metrics
    assert accuracy.value(scores) == 0.5
    assert perplexity.value(scores) == pytest.approx(4)


def test_the_official_passages() -> None:
    data_file(DATA)
    benchmark = Lambada()
    samples = benchmark.load()
    assert len(samples) == 5153
    assert benchmark.ask(samples[0])[0].text == " signs"
    assert len({sample.id for sample in samples}) == 5153
    assert len({sample.fields["prompt"] for sample in samples}) == 5151  # two passages stand there twice


def test_a_model_measured(tmp_path) -> None:
    model = tiny.model("llama")
    benchmark = Lambada(file=passages(tmp_path, "The nurse smiled because she was late", "The door was open"))
    measured = take(model, benchmark)
    answers = model.answer([request for sample in benchmark.load() for request in benchmark.ask(sample)])
    nll = -sum(answer.value for answer in answers) / 2
    assert measured.metrics["word_perplexity"].value == pytest.approx(math.exp(nll))
    assert measured.metrics["accuracy"].value == sum(answer.greedy for answer in answers) / 2


def test_all_faults_of_a_file_at_once(tmp_path) -> None:
    with pytest.raises(BadData) as caught:
        Lambada(file=passages(tmp_path, "The nurse was late", "word", 3, "  "))
    for line in (2, 3, 4):
        assert f"line {line}, column 'text'" in str(caught.value)
    assert "line 1" not in str(caught.value)


def test_a_word_without_probability_is_refused(tmp_path) -> None:
    benchmark = Lambada(file=passages(tmp_path, "The nurse was late"))
    (sample,) = benchmark.load()
    with pytest.raises(BadModel, match="no probability at all"):
        benchmark.score(sample, [MatchedLogProb(-math.inf, 1, False)])


def test_a_masked_model_is_refused_with_the_reason(tmp_path) -> None:
    model = tiny.model("gpt2")
    masked = type(
        "Masked", (), {"spec": model.spec.__class__("hf:x", "d", family="masked"), "can": model.can}
    )()
    with pytest.raises(BadModel, match="from left to right"):
        take(masked, Lambada(file=passages(tmp_path, "The nurse was late")))
