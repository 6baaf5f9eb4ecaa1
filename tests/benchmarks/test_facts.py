"""Facts: what is right, what is a tie, and how options of unlike length compare."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from evenhand.benchmarks._common import judge
from evenhand.benchmarks.facts import Facts
from evenhand.records import LogProb, Sample, Value
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel, figures, run

SAMPLE = Sample("q", "q", {"prompt": "The sky is", "options": (" red", " blue", " dark green"), "answer": 1})

CASE = BenchmarkCase(
    "facts",
    {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}},
    variants=("facts:set=world", "facts:normalise=token"),
)


def logs(*values: float, tokens: tuple[int, ...] = (1, 1, 1)) -> list[LogProb]:
    return [LogProb(value, n) for value, n in zip(values, tokens, strict=True)]


def told(values: Mapping[str, Value]) -> dict[str, Value]:
    """The columns apart from the options' shares."""
    return {name: value for name, value in values.items() if not name.startswith("share.")}


def test_right_answer_and_margin_by_hand() -> None:
    # p = 0.2, 0.6, 0.1: right against the best wrong one is ln(0.6 / 0.2) = ln 3.
    values = Facts().score(SAMPLE, logs(math.log(0.2), math.log(0.6), math.log(0.1))).values
    # Together they have .9, so their shares are 2/9, 6/9 and 1/9.
    assert told(values) == {"correct": 1.0, "margin": pytest.approx(math.log(3)), "chance": 1 / 3}
    assert [values[f"share.{i}"] for i in range(3)] == pytest.approx([2 / 9, 6 / 9, 1 / 9])


def test_wrong_answer_and_margin_by_hand() -> None:
    values = Facts().score(SAMPLE, logs(math.log(0.2), math.log(0.1), math.log(0.5))).values
    assert told(values) == {"correct": 0.0, "margin": pytest.approx(-math.log(5)), "chance": 1 / 3}


def test_a_tie_with_the_best_wrong_option_is_undefined() -> None:
    values = Facts().score(SAMPLE, logs(-2.0, -2.0, -5.0)).values
    assert told(values) == {
        "correct": None,
        "margin": 0.0,
        "chance": 1 / 3,
    }


def test_a_tie_between_wrong_options_is_no_tie() -> None:
    assert Facts().score(SAMPLE, logs(-2.0, -1.0, -2.0)).values["correct"] == 1.0
    assert Facts().score(SAMPLE, logs(-2.0, -3.0, -2.0)).values["correct"] == 0.0


def test_impossible_options_leave_no_infinite_value() -> None:
    assert judge(-1.0, -math.inf) == (1.0, None)
    assert judge(-math.inf, -1.0) == (0.0, None)
    assert judge(-math.inf, -math.inf) == (None, None)


def test_normalisation_changes_which_option_wins() -> None:
    # Totals -2 against -3: right. A token of the long option costs only 1.5: wrong.
    answers = logs(-9.0, -2.0, -3.0, tokens=(1, 1, 2))
    total, token = (Facts(normalise=how).score(SAMPLE, answers).values for how in ("total", "token"))
    assert told(total) == {
        "correct": 1.0,
        "margin": 1.0,
        "chance": 1 / 3,
    }
    assert told(token) == {
        "correct": 0.0,
        "margin": -0.5,
        "chance": 1 / 3,
    }


@pytest.mark.parametrize(("name", "n"), [("lab", 300), ("world", 150)])
def test_sets_are_large_enough(name, n) -> None:
    samples = Facts(set=name).load()
    assert len(samples) >= n
    assert all(sample.cluster == sample.id for sample in samples)
    assert all(sample.slices["topic"] for sample in samples)


def test_one_question_in_full() -> None:
    benchmark = Facts(set="world")
    sample = next(s for s in benchmark.load() if s.id == "facts/world/capitals/japan")
    requests = benchmark.ask(sample)
    assert {r.context for r in requests} == {"The capital of Japan is"}
    assert {r.text for r in requests} == {" Tokyo", " Beijing", " Seoul", " Bangkok"}
    assert requests[sample.fields["answer"]].text == " Tokyo"


def test_a_model_that_likes_the_first_letter_of_the_alphabet_by_hand() -> None:
    benchmark = Facts(set="world")
    model = ScriptedModel(lambda item: 1 / (2 + ord(item.text[1])))
    # Its choice is the option that starts with the earliest letter; ties in the letter are undefined.
    expected = []
    for sample in benchmark.load():
        letters = [ord(option[1]) for option in sample.fields["options"]]
        right = letters.pop(sample.fields["answer"])
        expected.append(None if right == min(letters) else float(right < min(letters)))
    assert [s.values["correct"] for s in run(benchmark, model)] == expected
    assert None in expected
    defined = [value for value in expected if value is not None]
    assert figures(benchmark, model)["accuracy"] == pytest.approx(sum(defined) / len(defined))


def test_names_and_protocol() -> None:
    assert Facts().name == "facts"
    assert Facts(set="world", normalise="token").name == "facts:normalise=token,set=world"
    assert (Facts().normalisation, Facts(normalise="token").normalisation) == ("total", "token")
    assert Facts().role == "capability"
