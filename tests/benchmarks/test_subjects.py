"""Subjects: neither what is likely in itself nor its length gives an answer away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from evenhand.benchmarks.subjects import Subjects
from evenhand.lexicons import professions
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel, figures, run

CASE = BenchmarkCase(
    "subjects", {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}}
)


def test_one_text_after_four_openings_and_four_texts_after_one() -> None:
    benchmark = Subjects()
    samples = {sample.id: sample for sample in benchmark.load()}
    place, task = samples["subjects/baker/place"], samples["subjects/baker/task"]
    found, made = benchmark.ask(place), benchmark.ask(task)
    assert {request.text for request in found} == {" in a kitchen with a hot oven"}
    assert found[place.fields["answer"]].context == "A baker can usually be found"
    assert {request.context for request in made} == {"The job of a baker is to"}
    assert made[task.fields["answer"]].text == " make bread and cakes"
    assert len({r.context for r in found}) == len({r.text for r in made}) == 4
    assert (task.cluster, task.slices) == ("baker", {"kind": "task", "field": "food"})


def test_every_profession_is_a_cluster_of_four() -> None:
    samples = Subjects().load()
    assert len(samples) == 4 * 262 == 1048
    assert {s.cluster for s in samples} == {p.name for p in professions()}
    assert {s.slices["kind"] for s in samples} == {"place", "tool", "task", "name"}


def test_a_model_that_reads_the_text_alone_knows_no_place() -> None:
    # Whatever it thinks of a text, all four openings are followed by the same one: no answer can be told.
    model = ScriptedModel(lambda item: 1 / (1 + len(item.text)))
    scores = [score for score in run(Subjects(), model) if score.slices["kind"] in ("place", "tool")]
    assert len(scores) == 2 * 262
    assert {score.values["correct"] for score in scores} == {None}
    assert all(score.values[f"share.{i}"] == 0.25 for score in scores for i in range(4))


def test_a_model_that_guesses_is_at_chance() -> None:
    # A hash of what is read decides. Of 1048 guesses 262 are right, give or take 4 x 14 = 4 standard errors
    # (sqrt(1048 x .25 x .75) = 14).
    def guess(item):
        return (1 + int(hashlib.sha256(f"{item.context}{item.text}".encode()).hexdigest()[:8], 16)) / 2**33

    found = figures(Subjects(), ScriptedModel(guess))["accuracy"]
    assert found is not None
    assert abs(found - 0.25) < 56 / 1048


@pytest.mark.parametrize("best", [min, max])
def test_the_shortest_or_the_longest_text_is_seldom_right(best: Callable[[list[int]], int]) -> None:
    # A model that takes it, or one of several at random, is right less often than one that guesses (.25).
    for kind in ("task", "name"):
        gained = 0.0
        for sample in (s for s in Subjects().load() if s.slices["kind"] == kind):
            lengths = [len(option) for option in sample.fields["options"]]
            if lengths[sample.fields["answer"]] == best(lengths):
                gained += 1 / lengths.count(best(lengths))
        assert 0.125 < gained / 262 < 0.25
