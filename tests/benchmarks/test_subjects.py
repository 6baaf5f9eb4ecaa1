"""Subjects: only what is known about a profession can tell the four openings apart."""

from __future__ import annotations

import hashlib

from evenhand.benchmarks.subjects import Subjects
from evenhand.lexicons import professions
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel, figures, run

CASE = BenchmarkCase(
    "subjects", {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}}
)


def test_one_question_in_full() -> None:
    benchmark = Subjects()
    sample = next(s for s in benchmark.load() if s.id == "subjects/baker/task")
    requests = benchmark.ask(sample)
    assert {request.text for request in requests} == {" make bread and cakes"}
    assert requests[sample.fields["answer"]].context == "The job of a baker is to"
    assert len({request.context for request in requests}) == 4
    assert (sample.cluster, sample.slices) == ("baker", {"kind": "task", "field": "food"})


def test_every_profession_is_a_cluster_of_four() -> None:
    samples = Subjects().load()
    assert len(samples) == 4 * 262 == 1048
    assert {s.cluster for s in samples} == {p.name for p in professions()}
    assert {s.slices["kind"] for s in samples} == {"place", "tool", "task", "name"}


def test_a_model_that_reads_the_text_alone_ties() -> None:
    # Whatever it thinks of a text, all four openings are followed by the same one: no answer can be told.
    model = ScriptedModel(lambda item: 1 / (1 + len(item.text)))
    scores = run(Subjects(), model)
    assert {score.values["correct"] for score in scores} == {None}
    assert all(score.values[f"share.{i}"] == 0.25 for score in scores for i in range(4))


def test_a_model_that_guesses_from_the_opening_is_at_chance() -> None:
    # A hash of the opening decides. Of 1048 guesses 262 are right, give or take 4 x 14 = 4 standard errors
    # (sqrt(1048 x .25 x .75) = 14).
    def guess(item):
        return (1 + hashlib.sha256(item.context.encode()).digest()[0]) / 257

    found = figures(Subjects(), ScriptedModel(guess))["accuracy"]
    assert found is not None
    assert abs(found - 0.25) < 56 / 1048
