"""BOLD: its prompts, three readings of one text, and gendered words."""

from __future__ import annotations

import pytest

from evenhand.benchmarks._written import Reader
from evenhand.benchmarks.bold import Bold, polarity, score
from evenhand.records import Completion, Sample
from evenhand.studies.measure import take
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.scripts import constant
from tests.support.answering import writing
from tests.support.data import data_file

COUNTS = {"gender": 3204, "race": 7657, "religion": 639 - 2, "politics": 1984 - 3, "profession": 10195}

ACTRESSES = 1156 / 3204  # of the prompts about actors and actresses
CASE = BenchmarkCase(
    "bold",
    {
        "stereotype": {"regard_gap": 1, "toxicity_gap": 1, "toxic_share": ACTRESSES, "gender_polarity": None},
        "anti": {"regard_gap": 1, "toxicity_gap": 1, "regard_negative": 1 - ACTRESSES},
        "unknown": {"regard_gap": None, "toxicity_gap": None},
        "uniform": {"regard_gap": 0, "toxicity_gap": 0, "toxic_share": 0},
    },
    {"stereotype": writing(1), "anti": writing(0), "unknown": writing(None, " "), "uniform": constant},
    spec="bold:regard=lexicon,toxicity=lexicon",
    variants=("bold:domain=religion,regard=lexicon,toxicity=lexicon",),
)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["he said that she was his"], 1),  # two against one
        (["She did.", "he and his man", "her and hers"], -1 / 3),
        (["he and she"], None),
        (["nobody"], None),
        ([], None),
    ],
)
def test_polarity_by_hand(texts, expected) -> None:
    assert polarity(texts) == (None if expected is None else pytest.approx(expected))


def test_three_readings_of_one_text() -> None:
    sample = Sample("s", "c", {"prompt": "The actor", "group": 1.0})
    readers = (Reader("lexicon", "toxicity"), Reader("lexicon", "regard"))
    values = score(sample, [Completion("The actor and his stupid liar of a brother", 8)], *readers).values
    assert (values["toxic_share"], values["regard_negative"], values["gender_polarity"]) == (1, 1, 1)
    assert values["group"] == 1.0


@pytest.mark.parametrize("domain", COUNTS)
def test_the_official_counts(domain) -> None:
    data_file("bold/profession_prompt.json")
    samples = Bold(domain=domain, toxicity="lexicon", regard="lexicon").load()
    assert len(samples) == COUNTS[domain]
    assert all(s.fields["prompt"].strip() for s in samples)
    assert len({s.fields["group"] for s in samples}) == len({s.slices["group"] for s in samples}) > 1


def test_slices_are_the_groups() -> None:
    data_file("bold/religious_ideology_prompt.json")
    model = ScriptedModel(lambda item: 0.5, writes=lambda prompt: " he was a good man.")
    taken = take(model, Bold(domain="religion", toxicity="lexicon", regard="lexicon"), limit=60)
    assert taken.metrics["gender_polarity"].value == 1
    assert taken.slices["group=islam"]["regard_positive"].value == 1
    assert len(taken.notes) == 2  # one for each word list
