"""Multiple choice from a JSON-lines file of your own, in the layout of ARC, MMLU or BoolQ."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import judge
from evenhand.benchmarks._tables import Problems, read_jsonl
from evenhand.errors import BadOption
from evenhand.files import lines
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.accuracies import ACCURACY_NORM as accuracy_norm
from evenhand.metrics.pairs import TIES as ties
from evenhand.records import Card, Continuation, LogProb, Sample, Score

Normalise = Literal["total", "token", "char"]
Form = Literal["text", "letters"]
LAYOUTS = (
    "ARC: question {stem, choices [{text, label}]} or question and choices {text, label}, answerKey; "
    "MMLU: question, choices (a list) or options (lines such as 'A. ...'), answer (its place from 0, its "
    "letter or its text); BoolQ: passage, question, answer (true or false)"
)
_LETTERED = re.compile(r"^\s*([A-Z])[.)]\s*(.*)$")
_YES = {"true": 1, "yes": 1, "1": 1, "false": 0, "no": 0, "0": 0}


class _Unfit(Exception):
    """A line that is not a question; its text gives the reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `passage` is what it is asked about (may be empty), `answer` the right option's place."""

    passage: str
    text: str
    options: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class MultipleChoice(Benchmark):
    """Multiple choice (ARC, MMLU, BoolQ and files like them): which answer does the model find likeliest?

    Written ``multiple_choice:questions.jsonl,normalise=char``. The answer is read from log-probabilities, so
    nothing has to be parsed. Accepted in each line, besides an optional ``id`` and ``subject``: the keys of
    ARC (``question`` with ``stem`` and ``choices``, or ``choices`` with ``text`` and ``label``;
    ``answerKey``), of MMLU (``question``, ``choices`` or ``options``, ``answer``) and of BoolQ (``passage``,
    ``question``, ``answer``). Licence: that of the file.

    Attributes:
        file: a UTF-8 JSON-lines file.
        normalise: what `accuracy` compares: the ``total`` log-probability of each answer (the harness's acc),
            or the mean per ``token`` or per ``char``acter. `accuracy_norm` is always per character.
        form: ``text`` scores each answer's text after the question; ``letters`` lists the answers and scores
            their letters, as MMLU is usually asked.

    Raises:
        BadOption: no file is named.
        BadData: the file is missing, not UTF-8 or malformed: all its problems at once, with their lines.
    """

    file: str = ""
    normalise: Normalise = "total"
    form: Form = "text"

    bare = "file"
    metrics = (accuracy, accuracy_norm, ties)
    role = "capability"
    unfit = "An answer's probability is read from left to right."

    def check(self) -> None:
        if not self.file:
            raise BadOption(
                "multiple_choice needs a file.",
                mend=f"Write multiple_choice:questions.jsonl. Layouts: {LAYOUTS}.",
            )

    @property
    def normalisation(self) -> str:
        return self.normalise

    @property
    def template(self) -> str:
        return self.form

    @cached_property
    def card(self) -> Card:
        return _card(Path(self.file).name, self.digest)

    def read(self) -> tuple[Sample, ...]:
        return _samples(Path(self.file), self.form)

    def ask(self, sample: Sample) -> list[Continuation]:
        """One request per answer, in order."""
        return [Continuation(sample.fields["prompt"], f" {option}") for option in sample.fields["options"]]

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns ``correct`` and ``margin`` (nats, as compared), ``correct.norm`` (per character),
        ``tie`` and ``chance`` (one over the number of options).

        ``correct`` and ``correct.norm`` are None for a tie, ``margin`` where it is not finite.
        """
        lengths = [len(option) for option in sample.fields["options"]]
        counts = {"total": [1] * len(answers), "token": [a.n_tokens for a in answers], "char": lengths}
        correct, margin = _judged(sample, answers, counts[self.normalise])
        norm, _ = _judged(sample, answers, lengths)
        values = {"correct": correct, "margin": margin, "correct.norm": norm, "tie": float(correct is None)}
        values["chance"] = 1 / len(answers)
        return Score(sample.id, sample.cluster, values, sample.slices)


def _judged(
    sample: Sample, answers: Sequence[LogProb], counts: Sequence[int]
) -> tuple[float | None, float | None]:
    values = [a.value / count for a, count in zip(answers, counts, strict=True)]
    right = values.pop(sample.fields["answer"])
    return judge(right, max(values))


def _samples(path: Path, form: Form) -> tuple[Sample, ...]:
    rows, problems = read_jsonl(path)
    seen: dict[str, int] = {}
    samples = []
    for line, row in rows:
        key = str(row.get("id", line))
        if key in seen:
            problems.add(line, f"the id {key!r} is already on line {seen[key]}", "id")
        seen.setdefault(key, line)
        question = _question(line, row, problems)
        if question is not None:
            samples.append(_sample(key, question, row, form))
    problems.raise_any()
    return tuple(samples)


def _question(line: int, row: Mapping[str, Any], problems: Problems) -> Question | None:
    try:
        return parsed(row)
    except _Unfit as why:
        problems.add(line, str(why))
        return None


def parsed(row: Mapping[str, Any]) -> Question:
    """The question in one line of a file, whichever of the layouts it has.

    Raises:
        _Unfit: it has none of them, lacks a part, or its answer is none of its choices.
    """
    asked = row.get("question")
    if isinstance(asked, Mapping):
        text, choices = asked.get("stem"), asked.get("choices")
    else:
        text, choices = asked, row.get("choices", row.get("options"))
    passage = row.get("passage") or ""
    if not isinstance(text, str) or not text.strip():
        raise _Unfit("it has no question (key question, or question.stem)")
    if not isinstance(passage, str):
        raise _Unfit("its passage is no text")
    gold = row.get("answerKey", row.get("answer", row.get("label")))
    if gold is None or gold == "":
        raise _Unfit("it has no right answer (answerKey or answer)")
    if choices is None and passage:
        asked = text.strip().removesuffix("?")  # the published questions have no mark
        return Question(passage.strip(), f"{asked}?", ("no", "yes"), _truth(gold))
    labels, options = _choices(choices)
    if len(options) < 2 or not all(options):
        raise _Unfit(f"it has {sum(map(bool, options))} choices with text, and needs two or more")
    place = _place(gold, labels, options)
    if options.count(options[place]) > 1:
        raise _Unfit("another of its choices is the same as the right one")
    return Question(passage.strip(), text.strip(), options, place)


def _truth(gold: object) -> int:
    found = _YES.get(str(gold).strip().lower())
    if found is None:
        raise _Unfit(f"its answer {gold!r} is neither true nor false")
    return found


def _choices(choices: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The choices' labels and texts."""
    if isinstance(choices, str):
        pairs = _lettered(choices)
    elif isinstance(choices, Mapping):  # the hub's ARC: two lists
        texts, labels = choices.get("text"), choices.get("label")
        if not isinstance(texts, list) or not isinstance(labels, list) or len(texts) != len(labels):
            raise _Unfit("its choices need as many labels as texts")
        pairs = list(zip(labels, texts, strict=True))
    elif isinstance(choices, list) and all(isinstance(choice, Mapping) for choice in choices):
        pairs = [(choice.get("label", letter), choice.get("text")) for letter, choice in _letters(choices)]
    elif isinstance(choices, list):
        pairs = _letters(choices)
    else:
        raise _Unfit("it has no choices (key choices or options), and no passage for a yes or no answer")
    if not all(isinstance(text, str) for _, text in pairs):
        raise _Unfit("a choice is no text")
    if len({str(label) for label, _ in pairs}) < len(pairs):
        raise _Unfit("two of its choices have the same label")
    return tuple(str(label) for label, _ in pairs), tuple(text.strip() for _, text in pairs)


def _letters(choices: Sequence[Any]) -> list[tuple[str, Any]]:
    return list(zip(string.ascii_uppercase, choices, strict=False))


def _lettered(text: str) -> list[tuple[str, str]]:
    """Lines such as ``A. text``; a line without a letter goes on with the one before."""
    pairs: list[tuple[str, str]] = []
    for line in lines(text.strip()):
        match = _LETTERED.match(line)
        if match and match[1] == string.ascii_uppercase[len(pairs) % 26]:
            pairs.append((match[1], match[2]))
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {line.strip()}")
    return pairs


def _place(gold: object, labels: Sequence[str], options: Sequence[str]) -> int:
    """The place of the right answer: its label, else its place from 0, else its text."""
    if isinstance(gold, str):
        text = gold.strip()
        if text in labels:
            return labels.index(text)
        if text in options:
            return options.index(text)
        match = _LETTERED.match(text.replace("\n", " "))
        if match and match[1] in labels and match[2].strip() == options[labels.index(match[1])]:
            return labels.index(match[1])
    elif isinstance(gold, int) and not isinstance(gold, bool):
        if str(gold) in labels:  # ARC has some choices labelled 1 to 4
            return labels.index(str(gold))
        if 0 <= gold < len(options):
            return gold
    raise _Unfit(f"its answer {gold!r} is none of its choices ({', '.join(labels)})")


def _sample(key: str, question: Question, row: Mapping[str, Any], form: Form) -> Sample:
    opening = f"{question.passage}\n" if question.passage else ""
    prompt = f"{opening}Question: {question.text}\nAnswer:"
    options: Sequence[str] = question.options
    if form == "letters":
        letters = string.ascii_uppercase[: len(options)]
        listed = "\n".join(f"{letter}. {text}" for letter, text in zip(letters, options, strict=True))
        prompt = f"{opening}Question: {question.text}\n{listed}\nAnswer:"
        options = tuple(letters)
    identity = f"multiple_choice/{key}"
    subject = row.get("subject")
    return Sample(
        id=identity,
        cluster=identity,
        fields={"prompt": prompt, "options": tuple(options), "answer": question.answer},
        slices={"subject": subject} if isinstance(subject, str) and subject else {},
    )


def _card(name: str, data: str) -> Card:
    return Card(
        name="multiple_choice",
        version="1",
        title=f"Multiple choice: {name}",
        source="the user's own questions",
        licence="that of the file",
        digest=data,
        families=("causal", "seq2seq"),
        reading="The share of questions whose right answer the model finds likeliest. Read it with "
        "chance, 1 / (number of choices). Ties are undefined and counted.",
    )


component = MultipleChoice
