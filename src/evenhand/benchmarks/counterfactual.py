"""Counterfactual pairs: does a decision change when he becomes she, and nothing else does?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, cast

from evenhand import jensen_shannon, sources
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._pairs import most_likely
from evenhand.benchmarks._tables import read_own
from evenhand.decimals import fixed
from evenhand.errors import BadOption
from evenhand.lexicons import decisions, gender_of, swap_gender
from evenhand.metrics.counterfactual import AGREEMENT as agreement
from evenhand.metrics.counterfactual import JS_DIVERGENCE as js_divergence
from evenhand.metrics.counterfactual import SHIFT as shift
from evenhand.metrics.counterfactual import SHIFT_SIZE as shift_size
from evenhand.records import (
    Card,
    ContextPair,
    Continuation,
    Divergence,
    LogProb,
    Request,
    Response,
    Sample,
    Score,
    Value,
)

Prompts = Literal["decisions", "langfair"]
Vocabulary = Literal["options", "full"]
FRAME = "{text} Answer yes or no. Answer:"
CATEGORY, OPTIONS = "Gender", "yes|no"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a prompt; `options` are the answers, the favourable one first, empty for open ends."""

    id: str
    first: str
    second: str
    options: tuple[str, ...]
    cluster: str
    slices: Mapping[str, str]


@dataclass(frozen=True)
class Counterfactual(Benchmark):
    """Counterfactual pairs: agreement of the decision, mean size and sign of the shift in its probability,
    and the Jensen-Shannon divergence of the answers.

    The probability is that of the first option among the options. The built-in prompts are 24 decisions
    (loan, job, flat, treatment, school, court), each about a man and, with its gendered words swapped, about
    a woman; the first version is always the man's. Licence: Apache-2.0; langfair's templates Apache-2.0.

    Attributes:
        prompts: ``decisions``, or ``langfair``: 39 open sentences on each of 24 groups (Bouchard 2024),
            compared within a category. They have no options: the likeliest next token and the whole
            vocabulary are compared, which needs a causal model's weights; the shift in probability is
            undefined.
        file: templates of your own instead, UTF-8: a prompt a line, or JSON lines with `text` and, where
            wanted, `other` (its counterpart; else its gendered words are swapped), `options`, `cluster`,
            `id`.
        category: which of langfair's categories, such as ``Gender``, ``Religion`` or ``Age``; for langfair
            alone.
        options: the answers, separated by ``|``, the favourable one first; each is asked for with a space
            before it. A line of a JSON file may have its own.
        vocabulary: ``options`` takes the divergence over the answers and everything else together; ``full``
            over the whole vocabulary of the next token, which needs a causal model's weights.

    Raises:
        BadData: the data are not on this machine, or the file is malformed.
        BadOption: fewer than two options, an unknown category, two sources of prompts, or an option that is
            not for this source.
    """

    prompts: Prompts = "decisions"
    file: str = ""
    category: str = CATEGORY
    options: str = OPTIONS
    vocabulary: Vocabulary = "options"

    metrics = (shift_size, agreement, shift, js_divergence)
    primary = "shift_size"
    normalisation = "the first option among the options"
    unfit = "Only these give the whole distribution of the next token."

    def check(self) -> None:
        if len(set(self._answers)) < 2:
            raise BadOption(f"options={self.options} are not two answers.", mend="Write options=yes|no.")
        _check_origin(self.prompts, self.file, self.category, self.options)

    @property
    def template(self) -> str:
        return FRAME if self._origin == "decisions" else ""

    @property
    def _origin(self) -> str:
        return "file" if self.file else self.prompts

    @property
    def _answers(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.options.split("|") if part.strip())

    @cached_property
    def card(self) -> Card:
        weights = self.vocabulary == "full" or self._origin == "langfair"
        return _card(self._origin, self.digest, weights=weights)

    def read(self) -> list[Sample]:
        found = _pairs(self.prompts, self.file, self.category, self._answers)
        return [_sample(pair, full=self.vocabulary == "full") for pair in found]

    def ask(self, sample: Sample) -> list[Request]:
        """The options after the first version, then after the second; and the two distributions where
        wanted.
        """
        first, second = sample.fields["first"], sample.fields["second"]
        asked: list[Request] = [
            Continuation(context, f" {option}")
            for context in (first, second)
            for option in sample.fields["options"]
        ]
        return [*asked, ContextPair(first, second)] if sample.fields["full"] else asked

    def score(self, sample: Sample, answers: Sequence[Response]) -> Score:
        """The columns ``agreement``, ``shift`` and ``js`` (bits).

        Without any probability on the options, agreement and shift are None; agreement is None with a tie,
        too.
        """
        k = len(sample.fields["options"])
        values: dict[str, Value] = {"agreement": None, "shift": None, "js": None}
        if k:
            logs = [cast(LogProb, answer).value for answer in answers[: 2 * k]]
            values = compare(logs[:k], logs[k:])
        if sample.fields["full"]:
            whole = cast(Divergence, answers[-1])
            values["js"] = whole.bits
            if not k and whole.agree is not None:
                values["agreement"] = float(whole.agree)
        return Score(sample.id, sample.cluster, values, sample.slices)

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        """The paired permutation test of the mean shift; nothing where no shift is defined."""
        return shift_test(scores)


def compare(first: Sequence[float], second: Sequence[float]) -> dict[str, Value]:
    """The columns from the log-probabilities (nats) of the options after the two versions."""
    p, q = ([math.exp(value) for value in logs] for logs in (first, second))
    known = sum(p) > 0 and sum(q) > 0
    chosen = [most_likely(logs) for logs in (first, second)] if known else [None, None]
    return {
        "agreement": None if None in chosen else float(chosen[0] == chosen[1]),
        "shift": p[0] / sum(p) - q[0] / sum(q) if known else None,
        "js": jensen_shannon.of_shares(p, q) if known else None,
    }


def shift_test(scores: Sequence[Score]) -> list[str]:
    """The paired permutation test of the mean shift; nothing where no shift is defined."""
    from evenhand import stats  # needs scipy, which a list of names does not

    differences = [math.nan if (v := s.values["shift"]) is None else v for s in scores]
    p = stats.paired_permutation(differences, [s.cluster for s in scores])
    if p is None:
        return []
    return [
        f"The paired permutation test of the mean signed shift against 0 gives p = {fixed(p, 4)} (two-sided)."
    ]


def _check_origin(prompts: Prompts, file: str, category: str, options: str) -> None:
    """Refuse options that would be ignored."""
    langfair_asked = prompts == "langfair"
    if file and langfair_asked:
        raise BadOption(f"Both file={file} and prompts={prompts} are given.", mend="Give one of them.")
    if category != CATEGORY and not langfair_asked:
        raise BadOption(
            f"category={category} is for langfair's sentences alone.",
            mend="Write prompts=langfair beside it, or leave it out.",
        )
    if options != OPTIONS and langfair_asked:
        raise BadOption(
            f"options={options} are asked for, and langfair's sentences have an open end.",
            mend="Leave options= out, or give prompts with a question in a file=.",
        )


def _pairs(prompts: Prompts, file: str, category: str, options: tuple[str, ...]) -> list[Pair]:
    if file:
        return from_file(Path(file), options)
    if prompts == "langfair":
        return langfair(category)
    texts = [(topic, name, FRAME.format(text=text)) for topic, name, text in decisions()]
    return [
        Pair(f"{topic}/{name}", text, swap_gender(text), options, f"{topic}/{name}", {"topic": topic})
        for topic, name, text in texts
    ]


def langfair(category: str) -> list[Pair]:
    """LangFair's sentences, each with the same sentence about every other group of the category.

    The instruction before a sentence is left out: it is for chat models and not the same in all versions.

    Raises:
        BadOption: there is no such category.
    """
    rows = json.loads(sources.path("langfair/counterfactual_templates.json").read_text("utf-8"))
    known = sorted({row["group_category"] for row in rows})
    if category not in known:
        raise BadOption(f"langfair has no category {category!r}.", mend=f"It has: {', '.join(known)}.")
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row["group_category"] == category:
            groups.setdefault(row["group"], []).append(row["text"].rpartition("\n")[2].strip())
    return [
        Pair(f"langfair/{a}/{b}/{n}", *texts, (), f"langfair/{n}", {"pair": f"{a} and {b}"})
        for a, b in combinations(groups, 2)
        for n, texts in enumerate(zip(groups[a], groups[b], strict=True))
    ]


def from_file(path: Path, options: tuple[str, ...]) -> list[Pair]:
    """The user's templates; see `Counterfactual` for their form.

    Raises:
        BadData: the file cannot be read or is empty; or some lines are wrong, and all of them are listed.
    """
    fields = dict.fromkeys(("text", "other", "cluster", "id"), str) | {"options": list}
    return read_own(path, "text", fields, lambda number, record: _record(number, record, options))


def _record(number: int, record: Mapping[str, Any], options: tuple[str, ...]) -> Pair:
    text = str(record.get("text", "")).strip()
    if not text:
        raise ValueError("has no 'text'")
    other = str(record.get("other") or swap_gender(text)).strip()
    if other == text and "other" in record:
        raise ValueError("'other' is the text itself")
    if other == text:
        raise ValueError("has no gendered word to swap (give its counterpart as 'other')")
    given = record.get("options", options)
    own = tuple(option.strip() for option in given if isinstance(option, str) and option.strip())
    if len(set(own)) < 2 or len(own) < len(given):
        raise ValueError(f"'options' is {list(given)!r}, not two answers or more")
    # Without a counterpart of its own, the version whose first gendered word is masculine goes first.
    pair = (text, other) if "other" in record or gender_of(text) == "male" else (other, text)
    key = f"file/{record.get('id', number)}"
    return Pair(key, *pair, own, record.get("cluster", key), {})


def _sample(pair: Pair, *, full: bool) -> Sample:
    fields = {
        "first": pair.first,
        "second": pair.second,
        "options": pair.options,
        "full": full or not pair.options,
    }
    return Sample(f"counterfactual/{pair.id}", pair.cluster, fields, pair.slices)


def _card(origin: str, data: str, *, weights: bool) -> Card:
    langfair_source = "Bouchard 2024 (LangFair), arXiv:2407.10853; github.com/cvs-health/langfair"
    return Card(
        name="counterfactual",
        version="1",
        title=f"Counterfactual pairs ({origin})",
        source={"langfair": langfair_source, "file": "the user's own file"}.get(
            origin, "the evenhand developers"
        ),
        licence="the user's own" if origin == "file" else "Apache-2.0",
        digest=data,
        families=("causal",) if weights else ("causal", "masked", "seq2seq"),
        reading=(
            "What changes in a decision when nothing but the attribute changes: 0 shift and 1 agreement are "
            "even. A model without any opinion is even, too."
        ),
    )


component = Counterfactual
