"""Perplexity: how likely the model finds ordinary text, of your own or built in."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, BadOption
from evenhand.files import lines, read_text
from evenhand.lexicons import everyday, people
from evenhand.metrics.likelihoods import PERPLEXITY as metric
from evenhand.records import Card, Continuation, LogProb, Sample, Score, Value

_FILE = "Name a readable text file, or leave file= out for the built-in text."

_RECORDS = frozenset({".jsonl", ".ndjson", ".json"})
Text = Literal["everyday", "people", "lab"]

SOURCES = {
    "everyday": "60 plain English sentences by the evenhand developers",
    "people": "80 plain English sentences about women and men by the evenhand developers",
    "lab": "evenhand.lab.facts: sentences of the lab's language that its models were not trained on",
}


@dataclass(frozen=True)
class Perplexity(Benchmark):
    """Perplexity of a text, one line at a time, each from the model's start token: exp(NLL / tokens).

    A per-token figure: compare only models with the same tokenizer. Licence: the built-in texts Apache-2.0.

    Attributes:
        file: a UTF-8 text file of your own; empty takes the built-in `text`.
        text: ``everyday``, plain English without gendered words; ``people``, plain English with them, as many
            sentences about women as about men; ``lab``, held-out sentences of the lab's language.
        window: 0 scores every line that is not blank on its own; a number of words reads the whole text as
            one and scores it in pieces of that length, for running text whose lines or paragraphs are long.

    Raises:
        BadData: the file is missing, empty, unreadable or not UTF-8.
        BadOption: `window` is negative, `file` is one of JSON records, or both `file` and another `text` are
            asked for.
    """

    file: str = ""
    text: Text = "everyday"
    window: int = 0

    metrics = (metric,)
    role = "capability"
    normalisation = "token"
    unfit = (
        "Perplexity is made of the probabilities of whole texts from left to right, which such a model does "
        "not give."
    )

    def check(self) -> None:
        if self.window < 0:
            raise BadOption(
                f"perplexity:window={self.window} is negative.", mend="Use 0 for lines, or a number of words."
            )
        if self.file and self.text != "everyday":
            raise BadOption(
                f"perplexity has both file={self.file} and text={self.text}.", mend="Give one of them."
            )
        if Path(self.file).suffix.lower() in _RECORDS:
            raise BadOption(
                f"perplexity:file={self.file} names records, and perplexity scores every line as it is, "
                "with its braces and keys.",
                mend="Write the texts alone into a .txt file, one per line.",
            )

    @property
    def template(self) -> str:
        return f"windows of {self.window} words" if self.window else "lines"

    @property
    def _origin(self) -> str:
        return f"file:{Path(self.file).name}" if self.file else self.text

    @cached_property
    def card(self) -> Card:
        source = "the user's own text" if self.file else SOURCES[self.text]
        return _card(self._origin, source, self.digest)

    def read(self) -> tuple[Sample, ...]:
        text = read_text(Path(self.file), mend=_FILE) if self.file else _built_in(self.text)
        return _samples(self._origin, pieces(text, self.window))

    def ask(self, sample: Sample) -> list[Continuation]:
        """The whole text after nothing: the scorer conditions on the model's start token."""
        return [Continuation("", sample.fields["text"])]

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns ``nll`` (nats) and ``tokens``; both None where the model scores no token of the text.

        Raises:
            BadModel: the model gives the text no probability at all; its perplexity would be infinite.
        """
        (answer,) = answers
        if math.isinf(answer.value):
            raise BadModel(
                f"The model gives no probability at all to the text {sample.fields['text'][:60]!r}, so that "
                "its perplexity is infinite.",
                mend="Check the model or the recorded answers: a working language model gives every text a "
                "probability above 0.",
            )
        scored = answer.n_tokens > 0
        values: dict[str, Value] = {
            "nll": -answer.value if scored else None,
            "tokens": float(answer.n_tokens) if scored else None,
        }
        return Score(sample.id, sample.cluster, values, sample.slices)


def pieces(text: str, window: int = 0) -> list[str]:
    """What is scored as a whole: the lines that are not blank, or pieces of `window` words of all text."""
    if not window:
        return [line.strip() for line in lines(text) if line.strip()]
    words = text.split()
    return [" ".join(words[start : start + window]) for start in range(0, len(words), window)]


def _built_in(text: Text) -> str:
    if text == "everyday":
        return "\n".join(everyday())
    if text == "people":
        return "\n".join(people())
    from evenhand.lab.facts import neutral_text

    return neutral_text()


def _samples(name: str, texts: Sequence[str]) -> tuple[Sample, ...]:
    """Ids are made from the text itself; a repeated text gets a number."""
    seen: Counter[str] = Counter()
    samples = []
    for text in texts:
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        seen[key] += 1
        again = f"-{seen[key]}" if seen[key] > 1 else ""
        sample = f"perplexity/{name}/{key}{again}"
        samples.append(Sample(sample, sample, {"text": text}))
    return tuple(samples)


def _card(name: str, source: str, data: str) -> Card:
    return Card(
        name="perplexity",
        version="1",
        title=f"Perplexity per token ({name})",
        source=source,
        licence="the user's own" if name.startswith("file:") else "Apache-2.0",
        digest=data,
        reading=(
            "The model is on average as uncertain as in a choice among this many equally likely "
            "tokens; lower is better. It counts the tokens of the model's own tokenizer, so it compares "
            "treated with untreated, not one model with another."
        ),
    )


component = Perplexity
