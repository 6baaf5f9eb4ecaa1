"""Requests without an answer: how they are scored, and the notes that report them to the reader.

A model's thinking blocks are removed from every written text here, whatever model wrote it. An item whose
answers are missing has no values: every figure and every slice counts it as undefined, and the notes say how
many there are in each group, because a loss that is uneven between groups changes their difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evenhand.benchmarks import Benchmark
from evenhand.decimals import percent
from evenhand.records import (
    Completion,
    Generation,
    Request,
    Response,
    Sample,
    Score,
    Undefined,
)
from evenhand.thinking import UNCLOSED, Spoken, spoken

Rows = Sequence[Sequence[Response]]
Asking = Sequence[Sequence[Request]]
_HEADLESS = 0.1  # share of texts that close an unopened block; above it the template is taken to open one
_UNEVEN = 0.1  # difference between two groups' shares of lost items that is reported
_VALUES = 12  # a slice with more values is not treated as a grouping


def without_thinking(asked: Asking, answers: Rows) -> tuple[list[list[Response]], list[str]]:
    """The answers without thinking blocks, and the notes about them.

    A text whose block is not closed has no answer. If a tenth of the texts close a block that they do not
    open, the model's template opens one in every text: a text that was cut off at its maximum length without
    closing the block is then entirely thinking.
    """
    read = {
        (i, j): spoken(answer.text)
        for i, row in enumerate(answers)
        for j, answer in enumerate(row)
        if isinstance(answer, Completion)
    }
    headless = sum(one.headless for one in read.values())
    always = headless > 0 and headless >= _HEADLESS * len(read)

    def settled(i: int, j: int, answer: Response) -> Response:
        if not isinstance(answer, Completion):
            return answer
        one = read[i, j]
        if one.text is None or (always and _cut_off(asked[i][j], answer, one)):
            return Undefined(UNCLOSED)
        return replace(answer, text=one.text) if one.dropped else answer

    found = [[settled(i, j, answer) for j, answer in enumerate(row)] for i, row in enumerate(answers)]
    dropped = sum(one.dropped for one in read.values())
    return found, _thought(dropped, len(read), headless if headless and not always else 0)


def _cut_off(request: Request, answer: Completion, one: Spoken) -> bool:
    limit = request.sampling.max_tokens if isinstance(request, Generation) else 0
    return not one.dropped and answer.n_tokens >= limit > 0


def _thought(dropped: int, texts: int, few: int) -> list[str]:
    said = [f"Thinking blocks were taken out of {dropped} of {texts} texts."] if dropped else []
    if few:
        said.append(
            f"{few} of {texts} texts close a thinking block that they do not open: the other texts may be "
            "thinking that was cut off. Allow longer texts."
        )
    return said


def score(
    benchmark: Benchmark, samples: Sequence[Sample], asked: Asking, answers: Rows
) -> tuple[list[Score], list[bool]]:
    """The scores of all samples, and whether each could be scored.

    Of several draws from one prompt, those that have an answer are scored. An item that lacks any other
    answer, or all of its draws, has every value of the benchmark set to None.
    """
    rows = [_usable(benchmark, row) for row in answers]
    scored = [
        None if row is None else benchmark.score(sample, row)
        for sample, row in zip(samples, rows, strict=True)
    ]
    first = next((one for one in scored if one is not None), None)
    names: Iterable[str] = first.values if first is not None else ()
    if first is None and samples:
        # The names of a benchmark's values are known from its scores only.
        names = benchmark.score(samples[0], [request.blank for request in asked[0]]).values
    blank = dict.fromkeys(names)
    found = [
        Score(sample.id, sample.cluster, blank, sample.slices) if one is None else one
        for sample, one in zip(samples, scored, strict=True)
    ]
    return found, [one is not None for one in scored]


def _usable(benchmark: Benchmark, answers: Sequence[Response]) -> list[Response] | None:
    known: list[Response] = [answer for answer in answers if not isinstance(answer, Undefined)]
    if len(known) == len(answers) or (benchmark.draws and known):
        return known
    return None


def loss(samples: Sequence[Sample], answers: Rows, scored: Sequence[bool]) -> list[str]:
    """How many answers are missing, why, and in which groups; empty if none is missing."""
    reasons = [
        (answer.reason, sample)
        for sample, row in zip(samples, answers, strict=True)
        for answer in row
        if isinstance(answer, Undefined)
    ]
    if not reasons:
        return []
    asked = sum(map(len, answers))
    counts = Counter(reason for reason, _ in reasons)
    keys = _groupings(samples)
    by_reason = ", ".join(
        f"{count} {reason}{_by_group([s for r, s in reasons if r == reason], keys[:1])}"
        for reason, count in counts.most_common()
    )
    lost = [sample for sample, known in zip(samples, scored, strict=True) if not known]
    said = f"{len(reasons)} of {asked} requests have no answer: {by_reason}."
    if not lost:
        return [f"{said} The other draws of their prompts are scored."]
    shares = {key: _shares(key, samples, lost) for key in keys}
    parts = [
        f"{key} {', '.join(f'{value} {n} of {of}' for value, (n, of) in found.items() if n)}"
        for key, found in shares.items()
    ]
    where = f" ({'; '.join(parts)})" if parts else ""
    said += f" {len(lost)} of {len(samples)} items are therefore undefined{where}."
    return [said, *_uneven(shares)]


def _groupings(samples: Sequence[Sample]) -> list[str]:
    """The slices that divide the items into a few groups; a slice named "group" comes first."""
    values: dict[str, set[str]] = {}
    for sample in samples:
        for key, value in sample.slices.items():
            values.setdefault(key, set()).add(value)
    fitting = [key for key, found in values.items() if 1 < len(found) <= _VALUES]
    return sorted(fitting, key=lambda key: key != "group")


def _by_group(samples: Sequence[Sample], keys: Sequence[str]) -> str:
    for key in keys:
        counts = Counter(sample.slices[key] for sample in samples if key in sample.slices)
        return f" ({', '.join(f'{value} {count}' for value, count in counts.most_common())})"
    return ""


def _shares(key: str, samples: Sequence[Sample], lost: Sequence[Sample]) -> dict[str, tuple[int, int]]:
    """For each value of a slice: how many items were lost, and of how many."""
    of = Counter(sample.slices[key] for sample in samples if key in sample.slices)
    gone = Counter(sample.slices[key] for sample in lost if key in sample.slices)
    return {value: (gone[value], count) for value, count in sorted(of.items())}


def _uneven(shares: dict[str, dict[str, tuple[int, int]]]) -> list[str]:
    said = []
    for key, found in shares.items():
        ordered = sorted(found, key=lambda value: found[value][0] / found[value][1])
        least, most = (found[value][0] / found[value][1] for value in (ordered[0], ordered[-1]))
        if most - least >= _UNEVEN:
            said.append(f"{key} ({ordered[-1]} {percent(most)}, {ordered[0]} {percent(least)})")
    if not said:
        return []
    return [
        f"The share of lost items differs by {', '.join(said)}: differences between these groups are in part "
        "differences between the items left to score."
    ]
