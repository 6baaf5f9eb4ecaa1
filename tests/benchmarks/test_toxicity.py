"""Toxicity: several texts a prompt, groups, labels, and what the report says of a word list."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from evenhand.benchmarks._written import Reader, stripped, toxic_label
from evenhand.benchmarks.toxicity import Toxicity, score
from evenhand.errors import BadOption, NotComparable
from evenhand.models.classifier import open_classifier
from evenhand.records import Completion, Sample
from evenhand.studies.cells import Cells
from evenhand.studies.measure import take
from evenhand.studies.pairing import check_protocols
from evenhand.studies.store import Store
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.scripts import constant
from tests.models.test_classifier import saved
from tests.support.answering import writing
from tests.support.data import data_file

SAMPLE = Sample("s", "c", {"prompt": "The nurse", "group": 1.0}, {"group": "b"})

ACTRESSES = 1156 / 3204  # of the prompts about actors and actresses
CASE = BenchmarkCase(
    "toxicity",
    {
        "stereotype": {"toxicity": ACTRESSES, "toxic_share": ACTRESSES, "toxicity_gap": 1},
        "anti": {"toxicity": 1 - ACTRESSES, "toxicity_gap": 1},
        "unknown": {"toxicity": None, "toxic_share": None, "toxicity_max": None, "toxicity_gap": None},
        "uniform": {"toxicity": 0, "toxicity_max": 0, "toxicity_gap": 0},
    },
    {"stereotype": writing(1), "anti": writing(0), "unknown": writing(None, " "), "uniform": constant},
    spec="toxicity:classifier=lexicon",
    variants=("toxicity:classifier=lexicon,k=2,prompts=nontoxic",),
)


def written(*texts: str) -> list[Completion]:
    return [Completion(text, len(text.split())) for text in texts]


class Fixed(Reader):
    """Reads the probability that stands in the text."""

    labels = ("nothate", "hate")

    def read(self, texts):
        return [{"nothate": 1 - float(t), "hate": float(t)} for t in texts]


def test_mean_maximum_and_share_by_hand() -> None:
    found = score(SAMPLE, written(" 0.1", "0.5", "0.9", " "), Fixed("lexicon", "toxicity")).values
    # The blank one is left out; two of three reach 0.5.
    assert found == {
        "toxicity": pytest.approx(0.5),
        "toxicity_max": 0.9,
        "toxic_share": pytest.approx(2 / 3),
        "group": 1.0,
    }


def test_nothing_written_is_undefined() -> None:
    values = score(SAMPLE, written("", "The nurse"), Fixed("lexicon", "toxicity")).values
    assert values == {"toxicity": None, "toxicity_max": None, "toxic_share": None, "group": 1.0}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (" smiled.", "smiled."),
        ("The nurse smiled.", "smiled."),
        ("  The nurse", ""),
        ("the nurse", "the nurse"),
    ],
)
def test_a_repeated_prompt_is_not_scored(text, left) -> None:
    assert stripped("The nurse", text) == left


def test_the_label_is_the_usual_one_or_the_one_asked_for() -> None:
    assert toxic_label(("nothate", "hate")) == "hate"
    assert toxic_label(("toxic", "obscene"), "Obscene") == "obscene"
    with pytest.raises(BadOption, match="no label 'insult'"):
        toxic_label(("toxic",), "insult")
    with pytest.raises(BadOption, match="No label of the classifier says toxic"):
        toxic_label(("label_0", "label_1"))


def prompts_file(folder) -> str:
    lines = [
        '{"prompt": "The nurse", "group": "women", "cluster": "1", "id": "a"}',
        '{"prompt": "The doctor", "group": "men", "cluster": "2", "id": "b"}',
        '{"prompt": "The chair"}',
    ]
    path = folder / "prompts.jsonl"
    path.write_text("\n".join(lines))
    return str(path)


def test_a_file_of_ones_own_with_a_real_classifier(tmp_path) -> None:
    folder = saved(tmp_path / "classifier")
    benchmark = Toxicity(file=prompts_file(tmp_path), classifier=f"hf:{folder}", k=2)
    model = ScriptedModel(lambda item: 0.5, writes=lambda prompt: f" and {prompt} smiled")
    taken = take(model, benchmark)
    assert [s.sample for s in taken.scores] == ["toxicity/file/a", "toxicity/file/b", "toxicity/file/3"]
    assert [s.values["group"] for s in taken.scores] == [0, 1, None]
    assert all(0 < s.values["toxicity"] < 1 for s in taken.scores)
    first, second, third = (s.values["toxicity"] for s in taken.scores)
    assert taken.metrics["toxicity_gap"].value == pytest.approx(abs(first - second))
    assert taken.notes == (f"The most toxic text of all has {max(first, second, third):.3f}.",)


def test_a_replaced_classifier_measures_anew_and_does_not_compare(tmp_path) -> None:
    """A classifier's folder keeps its name when its weights are trained further."""
    folder = saved(tmp_path / "classifier")
    benchmark = Toxicity(file=prompts_file(tmp_path), classifier=f"hf:{folder}")
    written: list[str] = []
    model = ScriptedModel(lambda item: 0.5, writes=lambda prompt: written.append(prompt) or f"{prompt} sat")
    cells = Cells(model, Store(tmp_path / "store"), seed=0, limit=None)
    (first,) = cells.base([benchmark])
    assert cells.base([benchmark]) == (first,)
    assert len(written) == 3
    trained = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        trained.classifier.bias[1] += 1.0
    trained.save_pretrained(folder)
    open_classifier.cache_clear()  # as a new process would
    (again,) = cells.base([replace(benchmark)])
    assert len(written) == 6
    assert again.metrics["toxicity"].value > first.metrics["toxicity"].value
    with pytest.raises(NotComparable, match="read_by"):
        check_protocols(first, again)


def test_a_classifier_without_the_label_is_found_before_anything_is_asked(tmp_path) -> None:
    folder = saved(tmp_path / "classifier", labels={0: "LABEL_0", 1: "LABEL_1"})
    benchmark = Toxicity(file=prompts_file(tmp_path), classifier=f"hf:{folder}")
    asked = []
    model = ScriptedModel(lambda item: 0.5, writes=lambda prompt: asked.append(prompt) or "x")
    with pytest.raises(BadOption, match="label_0, label_1"):
        take(model, benchmark)
    assert asked == []


def test_a_word_list_says_what_it_is(tmp_path) -> None:
    model = ScriptedModel(lambda item: 0.5, writes=lambda prompt: " was an idiot")
    taken = take(model, Toxicity(file=prompts_file(tmp_path), classifier="lexicon"))
    assert taken.metrics["toxicity"].value == 1
    assert "word list" in taken.notes[0]
    assert taken.protocol.normalisation == "read by lexicon"


def test_texts_are_read_once_and_together(tmp_path, monkeypatch) -> None:
    benchmark = Toxicity(file=prompts_file(tmp_path), classifier="lexicon", k=2)
    reads = []
    from evenhand.models.classifier import ToxicWords

    own = ToxicWords.classify
    monkeypatch.setattr(
        ToxicWords, "classify", lambda self, texts: reads.append(list(texts)) or own(self, texts)
    )
    take(ScriptedModel(lambda item: 0.5, writes=lambda prompt: f" after {prompt}"), benchmark)
    assert reads == [["after The nurse", "after The doctor", "after The chair"]]


def test_groups_of_the_data_sets() -> None:
    data_file("bold/gender_prompt.json")
    data_file("real_toxicity_prompts/toxic.jsonl")
    actors = Toxicity().load()
    assert len(actors) == 3204
    assert {s.slices["group"] for s in actors} == {"American_actors", "American_actresses"}
    assert all(s.fields["group"] is None for s in Toxicity(prompts="toxic").load())
    assert not any(s.fields["prompt"].endswith(" ") for s in actors)
    assert len({s.cluster for s in actors}) == 1587 + 776  # the articles


def test_one_origin_at_a_time() -> None:
    with pytest.raises(BadOption, match="Both file=x and prompts=toxic"):
        Toxicity(prompts="toxic", file="x")


def test_what_is_no_classifier_is_refused_at_once() -> None:
    with pytest.raises(BadOption, match="names no classifier"):
        Toxicity(classifier="perspective")
