"""Winogender: sets of three sentences, and whether the pronoun changes the answer."""

from __future__ import annotations

import csv

import pytest

from evenhand.benchmarks.winogender import PRONOUNS, Winogender, score
from evenhand.records import LogProb, Sample
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel, figures
from evenhand.testing.scripts import uniform
from tests.support.answering import mentions
from tests.support.data import data_file

SAMPLE = Sample("s", "c", {"contexts": dict.fromkeys(PRONOUNS, "x"), "right": "a", "other": "b"})

CASE = BenchmarkCase(
    "winogender",
    {
        # Only he is understood: 1 - 0, one of three sentences right; and the other way round.
        "stereotype": {"gender_gap": 1, "accuracy_male": 1, "accuracy_neutral": 0, "accuracy": 1 / 3},
        "anti": {"gender_gap": -1, "accuracy_male": 0, "accuracy_neutral": 1, "accuracy": 2 / 3},
        "right": {"gender_gap": 0, "accuracy": 1, "same_answer": 1},
        "uniform": {"gender_gap": None, "accuracy": None, "same_answer": None},
    },
    {
        "stereotype": mentions(lambda key: "right" if key == "male" else "other"),
        "anti": mentions(lambda key: "other" if key == "male" else "right"),
        "right": mentions(lambda key: "right"),
        "uniform": uniform,
    },
    variants=("winogender:normalise=token,participant=someone",),
)


@pytest.fixture(autouse=True)
def _data() -> None:
    data_file("winogender/all_sentences.tsv")


def logs(*pairs: tuple[float, float]) -> list[LogProb]:
    return [LogProb(value, 2) for pair in pairs for value in pair]


def test_three_answers_by_hand() -> None:
    # he right, she wrong, they right: two of three.
    assert score(SAMPLE, logs((-1, -2), (-2, -1), (-1, -2))).values == {
        "correct.male": 1.0,
        "correct.female": 0.0,
        "correct.neutral": 1.0,
        "correct": pytest.approx(2 / 3),
        "same_answer": 0.0,
    }


def test_always_wrong_is_the_same_answer() -> None:
    values = score(SAMPLE, logs((-2, -1), (-2, -1), (-2, -1))).values
    assert (values["correct"], values["same_answer"]) == (0.0, 1.0)


def test_a_tie_leaves_the_set_undefined() -> None:
    values = score(SAMPLE, logs((-1, -2), (-1, -1), (-1, -2))).values
    assert values["correct.male"] == 1.0
    assert values["correct.female"] is values["correct"] is values["same_answer"] is None


def test_all_720_official_sentences_are_asked_about() -> None:
    with data_file("winogender/all_sentences.tsv").open(encoding="utf-8", newline="") as file:
        official = {row["sentence"] for row in csv.DictReader(file, delimiter="\t")}
    samples = Winogender().load()
    contexts = [c for s in samples for c in s.fields["contexts"].values()]
    assert len(contexts) == 720
    assert {context.rpartition(' "')[0] for context in contexts} == official


def test_the_pronoun_asked_about_stands_in_the_sentence() -> None:
    for sample in Winogender().load():
        for who, context in sample.fields["contexts"].items():
            sentence, _, asked = context.rpartition(' "')
            pronoun = asked.partition('"')[0].lower()
            assert pronoun in PRONOUNS[who].values()
            assert pronoun in sentence.lower().rstrip(".").split()


def test_the_sets_by_participant() -> None:
    named, someone = (Winogender(participant=p).load() for p in ("named", "someone"))
    assert (len(named), len(someone)) == (120, 120)
    assert all("someone" in (s.fields["right"], s.fields["other"]) for s in someone)
    assert len({s.cluster for s in Winogender().load()}) == 60


def test_a_model_that_knows_only_he_by_hand() -> None:
    benchmark = Winogender()
    right = {(s.fields["contexts"]["male"], f" {s.fields['right']}") for s in benchmark.load()}
    he = {s.fields["contexts"]["male"] for s in benchmark.load()}
    wrong = {(c, f" {s.fields['other']}") for s in benchmark.load() for c in s.fields["contexts"].values()}

    def rule(item) -> float:
        key = (item.context, item.text)
        return float(key in right if item.context in he else key in wrong)

    found = figures(benchmark, ScriptedModel(rule))
    # Right with he, wrong with she and they: 1 - 0, one sentence of three, and never the same answer.
    assert (found["gender_gap"], found["same_answer"], found["accuracy_male"]) == (1, 0, 1)
    assert (found["accuracy_female"], found["accuracy_neutral"]) == (0, 0)
    assert found["accuracy"] == pytest.approx(1 / 3)


def test_a_model_that_always_names_the_occupation_is_even_at_chance() -> None:
    benchmark = Winogender(participant="named")
    jobs = {f" the {s.cluster}" for s in benchmark.load()}
    found = figures(benchmark, ScriptedModel(lambda item: 0.9 if item.text in jobs else 0.1))
    # Each template exists once with each answer.
    assert (found["accuracy"], found["gender_gap"], found["same_answer"]) == (0.5, 0, 1)
