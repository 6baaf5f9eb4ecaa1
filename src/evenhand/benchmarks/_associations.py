"""What WEAT and SEAT share: reading a test, asking for vectors, associations, p-values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evenhand import sources, stats
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadData, listed
from evenhand.files import parse_json, read_text
from evenhand.metrics.associations import WEAT_EFFECT as weat_effect
from evenhand.metrics.associations import WEAT_MAGNITUDE as weat_magnitude
from evenhand.metrics.associations import associations, permutation_p
from evenhand.records import Card, Embedding, Request, Sample, Score, Value, Vector, digest

SETS = {"targ1": "X", "targ2": "Y", "attr1": "A", "attr2": "B"}
# The words of the published sentence templates; what is left of a sentence is what it is about.
_TEMPLATE = frozenset(
    ("a", "an", "are", "be", "here", "is", "it", "name", "names", "people", "people's", "person", "person's",
     "persons", "that", "the", "there", "these", "they", "thing", "things", "this", "those", "was", "were",
     "will")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AssociationTest:
    """One association test: the targets `X` and `Y`, the attributes `A` and `B`, and their categories."""

    name: str
    X: tuple[str, ...]
    Y: tuple[str, ...]
    A: tuple[str, ...]
    B: tuple[str, ...]
    categories: tuple[str, ...]


def read_test(path: Path) -> AssociationTest:
    """One test: a JSON object of targ1, targ2, attr1 and attr2, each with a category and its examples.

    Raises:
        BadData: the file cannot be read or is malformed, a set is empty, or a text stands twice in a set or
            in both targets; all problems of the file at once.
    """
    text = read_text(path, mend="Name a readable file with file=.")
    try:
        record = parse_json(text, unique=True)
    except ValueError as error:
        raise BadData(f"{path} is {error}.", mend="Write one JSON object.") from None
    problems = _problems(record)
    if problems:
        raise BadData(f"{path} cannot be used: {listed(problems)}.", mend="Mend it and run again.")
    sets = {role: tuple(record[key]["examples"]) for key, role in SETS.items()}
    return AssociationTest(
        path.stem, **sets, categories=tuple(str(record[key].get("category", key)) for key in SETS)
    )


def _problems(record: Any) -> list[str]:
    if not isinstance(record, Mapping):
        return ["it is no JSON object"]
    found, sets = [], {}
    for key in SETS:
        examples = record[key].get("examples") if isinstance(record.get(key), Mapping) else None
        if not isinstance(examples, list) or not examples or not all(isinstance(e, str) for e in examples):
            found.append(f"{key} has no list of texts called 'examples'")
            continue
        sets[key] = examples
        twice = [text for text, count in Counter(examples).items() if count > 1]
        found += [f"{key} has {text!r} more than once" for text in twice]
    both = sorted(set(sets.get("targ1", ())) & set(sets.get("targ2", ())))
    return [*found, *(f"{text!r} stands in both targets" for text in both)]


def benchmark(name: str, tests: Sequence[AssociationTest], card: Callable[[str], Card]) -> Benchmark:
    """The benchmark called `name` over `tests`; `card` makes its card from the digest of its data."""
    kinds = {test.name: test for test in tests}
    samples = tuple(sample for number, test in enumerate(tests) for sample in _samples(name, number, test))
    attributes = {n: tuple(Embedding(text) for text in (*t.A, *t.B)) for n, t in kinds.items()}
    made = card(digest([astuple(test) for test in tests]))
    return Benchmark(
        name=name,
        card=made,
        load=lambda: samples,
        ask=lambda sample: _ask(sample, attributes),
        score=lambda sample, answers: score(sample, answers, len(kinds[sample.slices["test"]].A)),
        metrics=(weat_effect, weat_magnitude),
        primary="weat_magnitude",
        normalisation="unit vectors",
        template="mean of the last hidden states",
        remarks=remarks,
    )


def _ask(sample: Sample, attributes: Mapping[str, tuple[Request, ...]]) -> list[Request]:
    return [Embedding(sample.fields["text"]), *attributes[sample.slices["test"]]]


def score(sample: Sample, answers: Sequence[Vector], first: int) -> Score:
    """The columns ``association`` (s of the text), ``target`` (1 for X, 0 for Y) and ``test``, its number.

    `answers` are the vectors of the text, of the `first` texts of A and of those of B. The association is
    None where a vector has no length.
    """
    own, *rest = (np.array(answer.values) for answer in answers)
    (found,) = associations(own, rest[:first], rest[first:])
    values: dict[str, Value] = {
        "association": float(found) if np.isfinite(found) else None,
        "target": sample.fields["target"],
        "test": sample.fields["number"],
    }
    return Score(sample.id, sample.cluster, values, sample.slices)


def remarks(scores: Sequence[Score]) -> tuple[str, ...]:
    """The permutation test of every test in `scores`, with Holm's adjustment over them."""
    sides: dict[str, dict[float, list[float]]] = {}
    for item in scores:
        s, target = item.values["association"], item.values["target"]
        if s is not None and target is not None:
            sides.setdefault(item.slices["test"], {1.0: [], 0.0: []})[target].append(s)
    p_values = [permutation_p(side[1.0], side[0.0]) for side in sides.values()]
    said = [
        f"{name} {p:.2g} ({adjusted:.2g})"
        for name, p, adjusted in zip(sides, p_values, stats.holm(p_values), strict=True)
        if p is not None and adjusted is not None
    ]
    if not said:
        return ()
    return (
        "Permutation test that the first target lies nearer to the first attribute: p, and in brackets p "
        f"after Holm: {', '.join(said)}.",
    )


def about(text: str) -> str:
    """What a text is about, as a cluster: its first two words that are no template's, in the singular."""
    words = [word for word in re.findall(r"[\w'-]+", text.lower()) if word not in _TEMPLATE]
    return " ".join(_singular(word) for word in words[:2]) or text.lower()


def _singular(word: str) -> str:
    if len(word) < 4:
        return word
    return re.sub(r"(?<=ch|sh|ss)es$|(?<=[^s])s$", "", re.sub(r"ies$", "y", word))


def _samples(name: str, number: int, test: AssociationTest) -> list[Sample]:
    return [
        Sample(
            id=f"{name.partition(':')[0]}/{test.name}/{side}{i:03d}",
            cluster=f"{test.name}/{about(text)}",
            fields={"text": text, "target": target, "number": float(number)},
            slices={"test": test.name},
        )
        for side, target, texts in (("x", 1.0, test.X), ("y", 0.0, test.Y))
        for i, text in enumerate(texts)
    ]


def published(names: Sequence[str]) -> list[AssociationTest]:
    """The published tests of these names.

    Raises:
        BadData: a file is not on this machine, or damaged.
    """
    return [read_test(path) for path in sources.paths([f"seat/{name}.jsonl" for name in names])]
