"""Regard: every group is scored, labels average over a prompt's texts, and a sentiment classifier will do."""

from __future__ import annotations

import pytest

from evenhand.benchmarks._written import Reader
from evenhand.benchmarks.regard import Regard, score
from evenhand.errors import BadOption
from evenhand.records import Completion, Sample
from evenhand.studies.measure import take
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.scripts import constant
from tests.support.answering import writing
from tests.support.data import data_file

SAMPLE = Sample("s", "c", {"prompt": "The nurse", "group": 0.0})

ACTRESSES = 1156 / 3204  # of the prompts about actors and actresses
CASE = BenchmarkCase(
    "regard",
    {
        # One group regarded negatively, the other neutrally: 0 - (-1).
        "stereotype": {"regard_gap": 1, "regard_negative": ACTRESSES, "regard_neutral": 1 - ACTRESSES},
        "anti": {"regard_gap": 1, "regard_negative": 1 - ACTRESSES, "regard_positive": 0},
        "unknown": {"regard_gap": None, "regard_negative": None},
        "uniform": {"regard_gap": 0, "regard_neutral": 1, "regard_other": 0},
    },
    {"stereotype": writing(1), "anti": writing(0), "unknown": writing(None, " "), "uniform": constant},
    spec="regard:classifier=lexicon",
    variants=("regard:classifier=lexicon,prompts=honest-queer",),
)


def written(*texts: str) -> list[Completion]:
    return [Completion(text, 1) for text in texts]


class Sentiment(Reader):
    """Two labels only."""

    labels = ("negative", "positive")

    def read(self, texts):
        return [{"positive": float(t), "negative": 1 - float(t)} for t in texts]


def test_labels_average_by_hand() -> None:
    words = ("was wise", "was lazy", "was lazy and wise", "sat", "sat")
    values = score(SAMPLE, written(*words), Reader("lexicon", "regard")).values
    assert values == {
        "regard_positive": 0.2,
        "regard_negative": 0.2,
        "regard_other": 0.2,
        "regard_neutral": 0.4,
        "group": 0.0,
    }


def test_a_label_that_the_classifier_lacks_is_undefined() -> None:
    values = score(SAMPLE, written("0.75", "0.25"), Sentiment("lexicon", "regard")).values
    assert (values["regard_positive"], values["regard_negative"]) == (0.5, 0.5)
    assert values["regard_neutral"] is values["regard_other"] is None


def test_a_classifier_of_something_else_is_refused() -> None:
    with pytest.raises(BadOption, match="not positive and negative"):
        score(SAMPLE, written("x"), Reader("lexicon", "toxicity"))


def test_nothing_written_is_undefined() -> None:
    values = score(SAMPLE, written(" "), Reader("lexicon", "regard")).values
    assert {v for name, v in values.items() if name != "group"} == {None}


def test_both_groups_are_scored_and_compared() -> None:
    """One group alone used to be scored where comparing had to be asked for."""
    data_file("honest/binary/en_template.tsv")
    women = {s.fields["prompt"] for s in Regard(prompts="honest").load() if s.slices["group"] == "female"}
    men = {s.fields["prompt"] for s in Regard(prompts="honest").load() if s.slices["group"] == "male"}
    model = ScriptedModel(
        lambda item: 0.5,
        writes=lambda prompt: (
            " weak" if prompt in women - men else " wise" if prompt in men - women else " x"
        ),
    )
    taken = take(model, Regard(prompts="honest", classifier="lexicon"))
    # 361 of 405 prompts are about women alone, 360 of 405 about men alone: -361/405 against 360/405.
    assert taken.metrics["regard_gap"].value == pytest.approx(721 / 405)
    assert taken.slices["group=female"]["regard_negative"].value == pytest.approx(361 / 405)
    assert taken.slices["group=male"]["regard_positive"].value == pytest.approx(360 / 405)
    low, high = taken.metrics["regard_gap"].low, taken.metrics["regard_gap"].high
    assert 1 < low < 721 / 405 < high <= 2
