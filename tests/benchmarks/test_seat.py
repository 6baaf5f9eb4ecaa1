"""SEAT and WEAT: the published tests, an independent reference on a tiny model, and malformed files."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from evenhand import sources
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._associations import about, permutation_tests, read_test
from evenhand.benchmarks.seat import TESTS, Seat
from evenhand.benchmarks.weat import TESTS as WORDS
from evenhand.benchmarks.weat import Weat
from evenhand.errors import BadData, BadModel
from evenhand.models.masked import MaskedModel
from evenhand.records import Score, Vector
from evenhand.studies.measure import take
from evenhand.testing import BenchmarkCase, tiny
from evenhand.testing.cases import Script
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.scripts import constant
from tests.metrics.test_associations import reference
from tests.support import families
from tests.support.data import data_file

OWN = {
    "targ1": {"category": "Male", "examples": ["He is late.", "The doctor left."]},
    "targ2": {"category": "Female", "examples": ["She is late.", "The nurse left."]},
    "attr1": {"category": "Work", "examples": ["It is a carp.", "The carpenter smiled."]},
    "attr2": {
        "category": "Home",
        "examples": ["It was late.", "She left because it was late.", "He smiled."],
    },
}


def poles(*, anti: bool = False) -> Script:
    """Texts about men, careers and sciences lie at one pole, the others at the other.

    With `anti` careers and sciences change places with families and arts.
    """
    first, men = {"MaleNames", "MaleTerms", "Career", "Math", "Science"}, {"MaleNames", "MaleTerms"}
    people = men | {"FemaleNames", "FemaleTerms"}

    def script(benchmark: Benchmark) -> ScriptedModel:
        places = {}
        for name in {sample.slices["test"] for sample in benchmark.load()}:
            test = read_test(sources.path(f"seat/{name}.jsonl"))
            for category, texts in zip(test.categories, (test.X, test.Y, test.A, test.B), strict=True):
                near = (category in first) != (anti and category not in people)
                places |= dict.fromkeys(texts, (1.0, 0.0) if near else (0.0, 1.0))
        return ScriptedModel(lambda item: 0.5, embeds=places.__getitem__)

    return script


SCRIPTS = {"stereotype": poles(), "anti": poles(anti=True), "uniform": constant}


def stated(d: float) -> dict[str, dict[str, float | None]]:
    """The values of the three scripts where the effect is `d`."""
    return {
        "stereotype": {"weat_effect": d, "weat_magnitude": d},
        "anti": {"weat_effect": -d, "weat_magnitude": d},
        "uniform": {"weat_effect": None, "weat_magnitude": None},
    }


# With all of X at one pole and all of Y at the other, s is 1 and -1: d = 2 / sqrt(2n / (2n - 1)); the mean
# over the six tests, n the texts of a target.
D_SEAT = sum(2 * math.sqrt((2 * n - 1) / (2 * n)) for n in (64, 80, 72, 72, 56, 56)) / 6
D_WEAT = 2 * math.sqrt(15 / 16)
CASES = (
    BenchmarkCase(
        "seat",
        stated(D_SEAT),
        SCRIPTS,
        variants=("seat:tests=religion",),
        teaches=True,
        silent=("seat:tests=religion",),
    ),
    BenchmarkCase(
        "weat",
        stated(D_WEAT),
        SCRIPTS,
        variants=("weat:tests=age",),
        teaches=True,
        silent=("weat:tests=age",),
    ),
)


@pytest.fixture
def own(tmp_path) -> Path:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(OWN, indent=1))
    return path


@torch.no_grad()
def embedded(module, tokenizer, texts) -> list[list[float]]:
    rows = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        rows.append(module.base_model(input_ids=ids).last_hidden_state[0].mean(0).tolist())
    return rows


def test_equals_an_independent_reference_on_a_tiny_model(own) -> None:
    module = copy.deepcopy(families.module("bert")).double()
    model = MaskedModel(module, families.wordpiece(), "hf:tiny-bert")
    taken = take(model, Seat(file=str(own)))
    sets = [
        embedded(module, model.tokenizer, OWN[key]["examples"])
        for key in ("targ1", "targ2", "attr1", "attr2")
    ]
    d, p = reference(*sets)
    assert taken.metrics["weat_effect"].value == pytest.approx(d, abs=1e-9)
    assert taken.metrics["weat_magnitude"].value == pytest.approx(abs(d), abs=1e-9)
    assert taken.slices["test=own"]["weat_effect"].value == pytest.approx(d, abs=1e-9)
    assert f"own {p:.2g} ({p:.2g})" in taken.notes[0]


@pytest.mark.parametrize(
    "make", [lambda: families.masked("roberta"), lambda: families.seq2seq("t5"), tiny.model]
)
def test_every_family_can_take_it(own, make) -> None:
    taken = take(make(), Seat(file=str(own)))
    assert taken.n == 4
    assert taken.metrics["weat_effect"].value is not None


def test_a_model_without_hidden_states_is_refused(own) -> None:
    with pytest.raises(BadModel, match="does not give hidden"):
        take(ScriptedModel(lambda item: 0.5), Seat(file=str(own)))


def test_the_published_tests_have_their_sizes() -> None:
    for name in (*TESTS["gender"], *WORDS["gender"]):
        data_file(f"seat/{name}.jsonl")
    sentences, words = Seat(), Weat()
    sizes = Counter(sample.slices["test"] for sample in sentences.load())
    assert [sizes[name] for name in TESTS["gender"]] == [128, 160, 144, 144, 112, 112]
    assert Counter(sample.slices["test"] for sample in words.load()) == dict.fromkeys(WORDS["gender"], 16)
    first = sentences.load()[0]
    assert first.fields["text"] == "This is John."
    assert (first.id, first.cluster) == ("seat/sent-weat6/x000", "sent-weat6/john")
    assert len(sentences.ask(first)) == 1 + 101 + 112
    names = {s.cluster for s in sentences.load() if s.slices["test"] == "sent-weat6"}
    assert len(names) == 16
    assert {"sent-weat6/amy", "sent-weat6/kevin", "sent-weat6/diana"} <= names


def test_every_published_test_can_be_read() -> None:
    names = [e.name for e in sources.entries() if e.dataset == "seat" and e.name.endswith(".jsonl")]
    assert len(names) > 40
    for name in names:
        test = read_test(data_file(name))
        assert len(test.X) == len(test.Y)


def test_attributes_and_names() -> None:
    data_file("seat/sent-weat10.jsonl")
    assert Seat(tests="age").name == "seat:tests=age"
    assert {s.slices["test"] for s in Seat(tests="race").load()} == set(TESTS["race"])
    assert Seat().card.digest != Seat(tests="age").card.digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This is John.", "john"),
        ("The person's name is John.", "john"),
        ("The churches are here.", "church"),
        ("Crosses are things.", "cross"),
        ("These are technologies.", "technology"),
        ("They are European Americans.", "european american"),
        ("her", "her"),
    ],
)
def test_sentences_about_one_word_are_one_cluster(text, expected) -> None:
    assert about(text) == expected


def test_all_problems_of_a_file_at_once(tmp_path) -> None:
    broken = {**OWN, "targ2": {"examples": ["He is late.", "A.", "A."]}, "attr1": {"examples": []}}
    del broken["attr2"]
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps(broken))
    with pytest.raises(BadData) as caught:
        read_test(path)
    for part in (
        "targ2 has 'A.' more than once",
        "attr1 has no list",
        "attr2 has no list",
        "'He is late.' stands in both",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"targ1": "\\ud800"}', "is not Unicode text"),
        (b"[]", "no JSON object"),
        (b"\xff\xfe", "is not UTF-8 text: byte 0"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_test(tmp_path, content, message) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadData, match=message):
        read_test(path)
    with pytest.raises(BadData, match="cannot be read"):
        read_test(tmp_path / "none.jsonl")


def test_the_remark_has_one_p_a_test_and_holm_over_them() -> None:
    def item(i: int, s: float | None, target: float, test: str) -> Score:
        return Score(str(i), "c", {"association": s, "target": target, "test": 0.0}, {"test": test})

    # Each test: one x above one y, so p = 1/2; Holm doubles the smallest of two, and keeps order: 1 and 1.
    rows = [
        item(i, s, t, name)
        for i, (s, t, name) in enumerate([(1, 1, "a"), (0, 0, "a"), (1, 1, "b"), (0, 0, "b")])
    ]
    assert permutation_tests(rows)[0].endswith("a 0.5 (1), b 0.5 (1).")
    assert permutation_tests([item(0, None, 1, "a")]) == ()


def test_identical_vectors_are_undefined(own) -> None:
    class Flat(ScriptedModel):
        def say(self, request):
            return Vector((1.0, 1.0, 1.0))

    model = Flat(lambda item: 0.5)
    model.can = frozenset({"hidden"})
    taken = take(model, Seat(file=str(own)))
    assert taken.metrics["weat_effect"].value is None
    assert {score.values["association"] for score in taken.scores} == {0.0}
