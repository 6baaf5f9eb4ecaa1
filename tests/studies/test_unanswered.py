"""Requests without an answer: every benchmark goes on, undefined is counted, and a loss by group is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.cli import payload, show
from evenhand.errors import BadData, BadModel, MissingExtra
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.models import every_logprob
from evenhand.records import (
    Card,
    Completion,
    Continuation,
    Generation,
    LogProb,
    Measurement,
    Request,
    Sample,
    Sampling,
    Score,
    Undefined,
)
from evenhand.studies.effects import effects
from evenhand.studies.measure import take
from evenhand.studies.unanswered import without_thinking
from evenhand.testing.scripted import ScriptedModel
from evenhand.thinking import UNCLOSED, spoken

FILTERED = Undefined("content_filter")
LIMIT = 40


def number(text: str) -> int:
    """A whole number that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


class Refusing(ScriptedModel):
    """Answers by chance that depends on the text alone, and has no answer where `refuses` says so."""

    def __init__(self, refuses: Callable[[str], bool]) -> None:
        super().__init__(
            lambda item: 0.02 + 0.9 * (number(item.context + item.text) % 97) / 97,
            writes=lambda prompt: f"Choice{1 + number(prompt) % 3}",
        )
        self.refuses = refuses

    def say(self, request: Request) -> Any:
        """Chance, or nothing."""
        asked: Any = request
        prompt = asked.prompt if isinstance(request, Generation) else asked.context or asked.text
        return FILTERED if self.refuses(prompt) else super().say(request)


def sometimes(prompt: str) -> bool:
    return number(f"refused {prompt}") % 4 == 0


SPECS = (
    "genbiaseval",
    "genhinteval",
    "facts",
    "lpbs:form=causal",
    "winobias",
    "winogender",
    "counterfactual",
    "decisions",
    "decision_accuracy",
    "bbq:category=Age",
    "bbq:category=Age,form=prompted",
    "bbq:category=Age,unknown=any",
    "stereoset",
    "crows_pairs",
    "honest:k=1",
    "toxicity:classifier=lexicon,k=2",
    "bold:toxicity=lexicon,regard=lexicon,k=1",
    "multiple_choice:file={folder}/questions.jsonl",
    "perplexity:file={folder}/lines.txt",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with two small benchmarks of the user's own."""
    made = tmp_path_factory.mktemp("own")
    questions = [
        {"question": f"Number {i}?", "choices": ["one", "two", "three"], "answer": i % 3} for i in range(20)
    ]
    (made / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    (made / "lines.txt").write_text("".join(f"This is line {i} of a text.\n" for i in range(20)))
    return made


def loaded(spec: str, folder: Path) -> Benchmark:
    try:
        return registry.create("benchmark", spec.format(folder=folder))
    except (BadData, MissingExtra) as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_left_is_scored_as_if_nothing_else_had_been_asked(spec, folder):
    benchmark = loaded(spec, folder)
    found = take(Refusing(sometimes), benchmark, limit=LIMIT)
    lost = {s.sample for s in found.scores if all(v is None for v in s.values.values())}
    whole = take(Refusing(lambda prompt: False), benchmark, limit=LIMIT)
    rest = [score for score in found.scores if score.sample not in lost]
    assert 0 < len(lost) < len(found.scores) == len(whole.scores)
    assert rest == [score for score in whole.scores if score.sample not in lost]
    for metric in benchmark.metrics:
        estimate = found.metrics[metric.name]
        left = metric.value(rest)
        same = left is None if estimate.value is None else estimate.value == pytest.approx(left, rel=1e-12)
        assert same, metric.name
        assert estimate.n + estimate.undefined == len(found.scores)
        assert estimate.undefined >= len(lost)
    assert any("have no answer" in note and "content_filter" in note for note in found.notes)
    assert not any("have no answer" in note for note in whole.notes)
    changed = effects([whole], [found], B=20)
    assert all(effect.change.value is None or effect.change.value == 0 for effect in changed)


@pytest.mark.parametrize("spec", SPECS)
def test_a_benchmark_without_any_answer_is_still_printed(spec, folder, capsys):
    benchmark = loaded(spec, folder)
    found = take(Refusing(lambda prompt: True), benchmark, limit=6)
    printed = json.loads(json.dumps(payload.measurements([found]), allow_nan=False))
    metrics = printed["measurements"][0]["metrics"]
    assert set(metrics) == {metric.name for metric in benchmark.metrics}
    assert all((m["value"], m["low"], m["n"], m["undefined"]) == (None, None, 0, 6) for m in metrics.values())
    show.measurement(found)
    assert "undefined" in capsys.readouterr().out
    assert all(effect.change.value is None for effect in effects([found], [found], B=20))


@dataclass(frozen=True)
class Lettered(Benchmark):
    """Sixteen prompts about two groups; the value is the share of texts that say yes."""

    k: int = 1
    together: bool = False  # whether an item needs all of its texts

    card = Card("lettered", "1", "lettered", "none", "none")
    metrics = (accuracy,)

    @property
    def draws(self) -> bool:
        return not self.together

    def read(self) -> list[Sample]:
        return [
            Sample(f"x/{i}", str(i), {}, {"group": "female" if i % 2 else "male", "own": str(i)})
            for i in range(16)
        ]

    def ask(self, sample: Sample) -> list[Generation]:
        return [Generation(sample.id, Sampling(8, 1.0, seed=draw)) for draw in range(self.k)]

    def score(self, sample: Sample, answers: Sequence[Completion]) -> Score:
        hits = [float("yes" in answer.text) for answer in answers]
        return Score(sample.id, sample.cluster, {"correct": sum(hits) / len(hits)}, sample.slices)


class Scripted(ScriptedModel):
    """Answers by prompt and seed."""

    def __init__(self, answer: Callable[[str, int], Completion | Undefined]) -> None:
        super().__init__(lambda item: 0.5, writes=lambda prompt: "")
        self.script = answer

    def say(self, request: Request) -> Any:
        """What the script says."""
        assert isinstance(request, Generation)
        return self.script(request.prompt, request.sampling.seed)


YES, NO = Completion(" yes", 1), Completion(" no", 1)


def taken(answer: Callable[[str, int], Completion | Undefined], **options: Any) -> Measurement:
    return take(Scripted(answer), Lettered(**options))


def test_of_several_draws_those_with_an_answer_are_scored():
    found = taken(lambda prompt, seed: (FILTERED, YES, NO)[seed], k=3)
    assert (found.metrics["accuracy"].value, found.metrics["accuracy"].n) == (0.5, 16)
    (note,) = [note for note in found.notes if "have no answer" in note]
    assert note == (
        "16 of 48 requests have no answer: 16 content_filter (male 8, female 8). The other draws of their "
        "prompts are scored."
    )


def test_where_requests_are_no_draws_of_one_prompt_one_missing_answer_undefines_the_item():
    found = taken(lambda prompt, seed: (FILTERED, YES)[seed], k=2, together=True)
    assert (found.metrics["accuracy"].value, found.metrics["accuracy"].n) == (None, 0)


def test_a_loss_is_counted_by_reason_and_by_group_and_called_uneven():
    def answer(prompt: str, seed: int) -> Completion | Undefined:
        i = int(prompt.split("/")[1])
        return FILTERED if i in (1, 3, 5, 7) else Undefined("context_length_exceeded") if i == 2 else YES

    found = taken(answer)
    said, uneven = (note for note in found.notes if "lost items" in note or "no answer" in note)
    assert said == (
        "5 of 16 requests have no answer: 4 content_filter (female 4), 1 context_length_exceeded (male 1). 5 "
        "of 16 items are therefore undefined (group female 4 of 8, male 1 of 8)."
    )
    assert uneven.startswith("The share of lost items differs by group (female 50 %, male 12 %)")
    assert found.slices["group=female"]["accuracy"].undefined == 4
    assert (found.metrics["accuracy"].value, found.metrics["accuracy"].n) == (1.0, 11)


def test_a_loss_that_is_even_is_not_called_uneven():
    found = taken(lambda prompt, seed: FILTERED if prompt in ("x/1", "x/2") else YES)
    assert not any("share of lost items" in note for note in found.notes)


# -- thinking


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" yes", " yes"),
        ("<think>no, no</think> yes", "yes"),
        ("<think>\nno\n</think>\n\nyes", "yes"),
        ("<THINK>no</THINK>yes", "yes"),
        ("<thinking>no</thinking>yes", "yes"),
        ("<reasoning>no</reasoning>yes", "yes"),
        ("[THINK]no[/THINK]yes", "yes"),
        ("no, the template opened it</think>yes", "yes"),
        ("<think>no</think>so<think>no</think> yes", "so yes"),
        ("<think>no <think> no</think> no</think>yes", "yes"),
        ("<think></think>", ""),
        ("<think>no, never", None),
        ("yes <think>or no", None),
        ("<think>no</think>yes<think>no", None),
        ("[THINK]no", None),
        ("1 < 2 and a > b", "1 < 2 and a > b"),
        ("they think </b> yes", "they think </b> yes"),
    ],
)
def test_a_closed_block_is_dropped_and_an_unclosed_one_leaves_no_answer(text, answer):
    assert spoken(text).text == answer


def test_thinking_is_taken_out_of_every_written_text_and_noted():
    def answer(prompt: str, seed: int) -> Completion:
        return Completion("<think>yes, yes" if prompt == "x/3" else "<think>yes</think> no", 8)

    found = taken(answer)
    assert (found.metrics["accuracy"].value, found.metrics["accuracy"].n) == (0.0, 15)
    assert "Thinking blocks were taken out of 15 of 16 texts." in found.notes
    assert any(f"1 {UNCLOSED} (female 1)" in note for note in found.notes)


def headless(closing: int, texts: int = 20) -> list[Any]:
    """What becomes of texts of which the first ones close a block; the others, but the last, are cut off."""
    rows = [[Completion("hm</think>yes" if i < closing else "hm, yes", 8)] for i in range(texts - 1)]
    rows.append([Completion("yes", 3)])  # short of its length: nothing was cut off
    asked = [[Generation("x", Sampling(8))]] * texts
    found, notes = without_thinking(asked, rows)
    return [[row[0] for row in found], notes]


def test_where_the_template_opens_the_block_a_text_that_is_cut_off_is_thinking():
    found, notes = headless(2)
    assert found == [*[Completion("yes", 8)] * 2, *[Undefined(UNCLOSED)] * 17, Completion("yes", 3)]
    assert notes == ["Thinking blocks were taken out of 2 of 20 texts."]


def test_a_rare_closing_tag_loses_nothing_and_is_noted():
    found, notes = headless(1)
    assert found[1:] == [*[Completion("hm, yes", 8)] * 18, Completion("yes", 3)]
    assert "close a thinking block that they do not open" in notes[1]


# -- work that needs every answer


def test_work_that_needs_every_answer_names_what_is_missing():
    items = [Continuation("a", " b"), Continuation("c", " d")]
    assert every_logprob(Refusing(lambda prompt: False), items) == [
        LogProb(value.value, 1) for value in Refusing(lambda prompt: False).answer(items)
    ]
    with pytest.raises(BadModel, match=r"no answer to 1 of 2 requests \(content_filter\)"):
        every_logprob(Refusing(lambda prompt: prompt == "a"), items)
