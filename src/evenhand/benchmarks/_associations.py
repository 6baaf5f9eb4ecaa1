"""What WEAT and SEAT share: reading a test, asking for vectors, associations, p-values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evenhand import lexicons, sources
from evenhand.benchmarks import Benchmark
from evenhand.decimals import significant
from evenhand.errors import BadData, listed
from evenhand.files import parse_json, read_text
from evenhand.metrics.associations import RAW_ASSOCIATION as raw_association
from evenhand.metrics.associations import WEAT_EFFECT as weat_effect
from evenhand.metrics.associations import WEAT_MAGNITUDE as weat_magnitude
from evenhand.metrics.associations import associations, effect_size, permutation_p
from evenhand.records import (
    Embedding,
    GuardName,
    PairExample,
    Request,
    Sample,
    Score,
    Value,
    Vector,
    digest,
)

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


@dataclass(frozen=True)
class AssociationBenchmark(Benchmark):
    """A benchmark of association tests; a subclass states its name, its published tests and its card."""

    tests: str = "gender"
    file: str = ""

    family: ClassVar[str]  # the component's name, with which all ids begin
    published: ClassVar[Mapping[str, Sequence[str]]]  # the names of the tests by attribute
    metrics = (weat_effect, weat_magnitude, raw_association)
    primary = "weat_magnitude"
    guards: ClassVar[Mapping[GuardName, str]] = {GuardName.ASSOCIATION: "raw_association"}
    needs = (GuardName.ASSOCIATION,)
    normalisation = "unit vectors"
    template = "mean of the last hidden states"

    @cached_property
    def _tests(self) -> dict[str, AssociationTest]:
        found = _own_or_published(self.file, self.published, self.tests)
        return {test.name: test for test in found}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the tests themselves, which are much shorter than what is asked."""
        return digest([astuple(test) for test in self._tests.values()])

    def read(self) -> list[Sample]:
        return [
            sample
            for number, test in enumerate(self._tests.values())
            for sample in _samples(self.family, number, test)
        ]

    @cached_property
    def _attributes(self) -> dict[str, tuple[Embedding, ...]]:
        return {n: tuple(Embedding(text) for text in (*t.A, *t.B)) for n, t in self._tests.items()}

    def ask(self, sample: Sample) -> list[Request]:
        """The text itself, then all texts of A and of B."""
        return [Embedding(sample.fields["text"]), *self._attributes[sample.slices["test"]]]

    def score(self, sample: Sample, answers: Sequence[Vector]) -> Score:
        """The columns ``association`` (s of the text), ``target`` (1 for X, 0 for Y) and ``test`` (a number).

        The association is None where a vector has no length.
        """
        first = len(self._tests[sample.slices["test"]].A)
        own, *rest = (np.array(answer.values) for answer in answers)  # (dimensions,) each
        (found,) = associations(own, rest[:first], rest[first:])
        values: dict[str, Value] = {
            "association": float(found) if np.isfinite(found) else None,
            "target": sample.fields["target"],
            "test": sample.fields["number"],
        }
        return Score(sample.id, sample.cluster, values, sample.slices)

    def examples(self) -> list[PairExample]:
        """For the tests of gender, pairs of sentences that differ in one gendered word; else none."""
        if self.tests != "gender" or self.file:
            return []
        return [
            PairExample(f"gendered/{word}/{number}", word, male, female)
            for number, (word, male, female) in enumerate(lexicons.gendered_sentences())
        ]

    @property
    def in_distribution(self) -> str:
        shared = "The tests and the pairs to fit on share gendered words, such as man and woman."
        return f"{self.name}: {shared}" if self.examples() else ""

    def remarks(self, scores: Sequence[Score]) -> tuple[str, ...]:
        """The permutation test of every test in `scores`, and what its effect size is made of."""
        return (*permutation_tests(scores), *raw_associations(scores))


def raw_associations(scores: Sequence[Score]) -> tuple[str, ...]:
    """Each test's effect size with its sign, and the difference of mean associations behind it.

    A treatment may turn an effect round, or leave a large d of a difference that is almost 0.
    """
    said = []
    for name, side in _sides(scores).items():
        d = effect_size(side[1.0], side[0.0])
        if d is not None:
            raw = _mean(side[1.0]) - _mean(side[0.0])
            said.append(f"{name} {significant(d, 3)} ({significant(raw, 2)})")
    if not said:
        return ()
    return (
        "Effect size d with its sign, and in brackets the difference of the two targets' mean associations "
        f"(cosines): {', '.join(said)}.",
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _sides(scores: Sequence[Score]) -> dict[str, dict[float, list[float]]]:
    """By test, the associations of the first target (1) and of the second (0)."""
    sides: dict[str, dict[float, list[float]]] = {}
    for item in scores:
        s, target = item.values["association"], item.values["target"]
        if s is not None and target is not None:
            sides.setdefault(item.slices["test"], {1.0: [], 0.0: []})[target].append(s)
    return sides


def permutation_tests(scores: Sequence[Score]) -> tuple[str, ...]:
    """The permutation test of every test in `scores`, with Holm's adjustment over them."""
    from evenhand import stats  # needs scipy, which a list of names does not

    sides = _sides(scores)
    p_values = [permutation_p(side[1.0], side[0.0]) for side in sides.values()]
    said = [
        f"{name} {significant(p, 2)} ({significant(adjusted, 2)})"
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
    """The cluster of a text, by its topic: its first two words that are not a template's, in the singular."""
    words = [word for word in re.findall(r"[\w'-]+", text.lower()) if word not in _TEMPLATE]
    return " ".join(_singular(word) for word in words[:2]) or text.lower()


def _singular(word: str) -> str:
    if len(word) < 4:
        return word
    return re.sub(r"(?<=ch|sh|ss)es$|(?<=[^s])s$", "", re.sub(r"ies$", "y", word))


def _samples(name: str, number: int, test: AssociationTest) -> list[Sample]:
    return [
        Sample(
            id=f"{name}/{test.name}/{side}{i:03d}",
            cluster=f"{test.name}/{about(text)}",
            fields={"text": text, "target": target, "number": float(number)},
            slices={"test": test.name},
        )
        for side, target, texts in (("x", 1.0, test.X), ("y", 0.0, test.Y))
        for i, text in enumerate(texts)
    ]


def _own_or_published(file: str, tests: Mapping[str, Sequence[str]], wanted: str) -> list[AssociationTest]:
    """The user's own test in `file`; without one the published `tests` of the wanted attribute, or of all.

    Raises:
        BadData: a file is not on this machine, damaged, or malformed.
    """
    if file:
        return [read_test(Path(file))]
    names = [name for key, found in tests.items() if wanted in (key, "all") for name in found]
    return [read_test(path) for path in sources.paths([f"seat/{name}.jsonl" for name in names])]
