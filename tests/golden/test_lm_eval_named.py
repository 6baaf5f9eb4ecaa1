"""The ten tasks of LFTF's tables 4 and 5 as the harness ships them, on rows of the shape of their data.

The data sets are not here, so each task reads a few rows of ours. Likelihood and text tasks must give the
figures of the harness's own run on the same model, item by item; for the tasks that run code, answers are
scripted and a stand-in for the hub's evaluator runs them. Needs the package ``lm_eval``; slow, for the
harness reads thousands of files to know its tasks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark, _harness
from evenhand.errors import BadData, BadOption
from evenhand.models.causal import CausalModel
from evenhand.records import Completion
from evenhand.studies.measure import take
from evenhand.testing import tiny
from tests.support.harness import run_harness

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.slow

N = 6
WORDS = ("late", "tired", "the door", "asleep", "the hall", "a dog")


def four(i: int) -> list[str]:
    return [WORDS[(i + j) % len(WORDS)] for j in range(4)]


def letter(i: int) -> str:
    return "ABCD"[i % 4]


def lettered(i: int) -> dict[str, str]:
    return dict(zip("ABCD", four(i), strict=True))


def problem(question: str, i: int) -> dict[str, Any]:
    return {"question": question, "options": four(i), "answer": letter(i)}


def sums(i: int) -> str:
    return f"The nurse had {i} keys and found 2. How many has she?"


def row(task: str, i: int) -> dict[str, Any]:
    """The `i`-th row in the shape of the task's data set."""
    return {
        "mmlu_anatomy": {"question": f"The nurse of bed {i} is", "choices": four(i), "answer": i % 4},
        "hellaswag": {
            "activity_label": f"Cleaning {i}",
            "ctx_a": "The doctor opened the door.",
            "ctx_b": "she",
            "endings": [f"was {word} [title] and left" for word in four(i)],
            "label": str(i % 4),
        },
        "boolq": {"passage": "The nurse was late.", "question": f"was she {WORDS[i]}", "label": i % 2},
        "race": {
            "article": f"The teacher sat down {i} times.",
            "problems": str([problem("Who sat?", i), problem("The teacher was  _  .", i + 1)]),
        },
        "cmmlu_agronomy": {"Question": f"the {WORDS[i]}", **lettered(i), "Answer": letter(i)},
        "ceval-valid_law": {"question": f"the {WORDS[i]}", **lettered(i), "answer": letter(i)},
        "gsm8k": {"question": sums(i), "answer": f"{i} + 2. #### {i + 2}"},
        "gsm_plus": {"question": sums(i), "solution": f"{i} + 2. #### {i + 2}", "answer": str(i + 2)},
        "humaneval": {
            "prompt": f'def f{i}(a):\n    """Add {i}."""\n',
            "test": f"def check(f):\n    assert f(1) == {i + 1}\n",
            "entry_point": f"f{i}",
        },
        "mbpp": {"text": f"Add {i}.", "test_list": [f"assert f{i}({n}) == {n + i}" for n in range(3)]},
    }[task]


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return tiny.model("gpt2", n_positions=2048)


@pytest.fixture
def _fresh() -> Iterator[None]:
    """The harness keeps a task's functions, and with them the evaluator that they found when imported."""
    names = [f"lm_eval.tasks.{task}.utils" for task in ("humaneval", "mbpp")]
    for name in names:
        sys.modules.pop(name, None)
    yield
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    place = tmp_path / "rows.jsonl"
    rows = [row(request.getfixturevalue("task"), i) for i in range(N)]
    place.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return place


def made(spec: str) -> Benchmark:
    found: Benchmark = registry.create("benchmark", spec)
    return found


@pytest.mark.parametrize(
    ("task", "shots", "metric"),
    [
        ("mmlu_anatomy", 0, "acc"),
        ("mmlu_anatomy", 5, "acc"),
        ("hellaswag", 0, "acc"),
        ("hellaswag", 3, "acc"),
        ("boolq", 0, "acc"),
        ("race", 0, "acc"),
        ("cmmlu_agronomy", 2, "acc"),
        ("ceval-valid_law", 0, "acc"),
        ("gsm8k", 5, "exact_match"),
        ("gsm_plus", 5, "exact_match"),
    ],
)
def test_the_harnesss_own_run_gives_the_same(task, shots, metric, data, model) -> None:
    wanted = _harness.Wanted(task, shots, str(data))
    theirs = run_harness({"tasks": dict(_harness.load(wanted).tasks)}, model, samples=True)["samples"][task]
    for chosen in dict.fromkeys(found["filter"] for found in theirs):
        own = [found for found in theirs if found["filter"] == chosen]
        measured = take(model, made(f"lm_eval:{task},shots={shots},data={data},filter={chosen}"))
        assert [s.values["correct"] for s in measured.scores] == [found[metric] for found in own]
        if "acc_norm" in own[0]:
            assert [s.values["correct.norm"] for s in measured.scores] == [found["acc_norm"] for found in own]
        assert len(own) == N
    benchmark = made(f"lm_eval:{task},shots={shots},data={data}")
    for sample, found in zip(benchmark.load(), theirs, strict=False):
        for request, arguments in zip(benchmark.ask(sample), found["arguments"], strict=True):
            if metric == "acc":
                assert (request.context + request.text) == arguments[0] + arguments[1]
            else:
                assert request.prompt == arguments[0]


class Evaluator:
    """The part of the hub's ``code_eval`` that the two tasks use: consent, and one answer a problem."""

    def compute(
        self, references: Sequence[str], predictions: Sequence[Sequence[str]], k: Sequence[int]
    ) -> tuple[Mapping[str, float], Mapping[str, Any]]:
        if os.environ.get("HF_ALLOW_CODE_EVAL") != "1":
            raise ValueError("code_eval runs untrusted code: set HF_ALLOW_CODE_EVAL")
        ((answer,),), (check,) = predictions, references
        try:
            exec(f"{answer}\n{check}", {})
        except Exception:
            return {"pass@1": 0.0}, {}
        return {"pass@1": 1.0}, {}


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(
    ("task", "right", "wrong"),
    [
        ("humaneval", "    return a + 3\n\ndef other():\n    pass", "    return a\n"),
        ("mbpp", "def f3(a):\n    return a + 3\n[DONE] and more", "def f3(a):\n    return a\n[DONE]"),
    ],
)
def test_code_is_run_with_consent_alone(task, right, wrong, data, monkeypatch) -> None:
    monkeypatch.setattr("evaluate.load", lambda name: Evaluator())
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    with pytest.raises(BadOption, match="run_code=true"):
        made(f"lm_eval:{task},data={data}")
    benchmark = made(f"lm_eval:{task},data={data},run_code=true")
    sample = benchmark.load()[3]
    (request,) = benchmark.ask(sample)
    assert len(request.sampling.stop) > 0
    values = [benchmark.score(sample, [Completion(text, 9)]).values["correct"] for text in (right, wrong)]
    assert values == [1, 0]
    assert "HF_ALLOW_CODE_EVAL" not in os.environ


@pytest.mark.usefixtures("_fresh")
def test_all_ten_are_known_and_say_what_they_lack() -> None:
    assert not set(_harness.NAMED) - set(_harness._manager().task_index)
    for name in ("humaneval", "mbpp"):
        with pytest.raises(BadOption, match="run_code=true"):
            made(f"lm_eval:{name}")
        with pytest.raises(BadData, match=r"code_eval.*not on this machine.*run_code=true,download=true"):
            made(f"lm_eval:{name},run_code=true")
    for name in ("hellaswag", "gsm8k", "mmlu", "ceval-valid"):
        with pytest.raises(BadData, match="not on this machine"):
            made(f"lm_eval:{name}")
