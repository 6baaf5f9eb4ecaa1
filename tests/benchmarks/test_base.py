"""What the base class gives: a benchmark of another package is one class, found through its entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from evenhand import measure, registry
from evenhand.errors import BadData, BadOption
from evenhand.records import Estimate

# A whole package of somebody else: one module with one class.
GUEST = '''
"""Plurals: does the model know that one nurse and two nurses differ?"""

from dataclasses import dataclass
from pathlib import Path

from evenhand import Benchmark
from evenhand.errors import BadData, BadOption
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.records import Card, Continuation, Sample, Score


@dataclass(frozen=True)
class Plurals(Benchmark):
    """Plurals of professions.

    Attributes:
        file: a text file with a profession a line.
        shout: ask in capitals.
    """

    file: str = ""
    shout: bool = False

    bare = "file"
    metrics = (accuracy,)
    role = "capability"

    @property
    def card(self):
        return Card("plurals", "1", "Plurals of professions", "somebody", "CC0", digest=self.digest)

    def check(self):
        if not self.file:
            raise BadOption("plurals needs a file.", mend="Write plurals:words.txt.")

    def read(self):
        words = Path(self.file).read_text().split()
        if not words:
            raise BadData(f"{self.file} is empty.", mend="Write a profession a line.")
        return [Sample(f"plurals/{word}", word, {"word": word}) for word in words]

    def ask(self, sample):
        word = sample.fields["word"]
        context = f"One {word}, two"
        context = context.upper() if self.shout else context
        return [Continuation(context, f" {word}s"), Continuation(context, f" {word}")]

    def score(self, sample, answers):
        right, wrong = (answer.value for answer in answers)
        return Score(sample.id, sample.cluster, {"correct": float(right > wrong)})
'''


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The other package as if it were installed, and a folder with a file of data."""
    (tmp_path / "guest_plurals.py").write_text(GUEST)
    (tmp_path / "words.txt").write_text("nurse\npilot\nteacher\n")
    (tmp_path / "none.txt").write_text("\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("plurals", "guest_plurals:Plurals", "evenhand.benchmarks")
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [point] if group == "evenhand.benchmarks" else []
    )
    registry._places.cache_clear()
    registry.names.cache_clear()
    yield tmp_path
    sys.modules.pop("guest_plurals", None)
    monkeypatch.undo()
    registry._places.cache_clear()
    registry.names.cache_clear()


def test_a_benchmark_of_another_package_is_one_class(guest: Path) -> None:
    words = guest / "words.txt"
    assert "plurals" in registry.names("benchmark")
    assert registry.spec_texts(f"plurals:{words},shout=yes") == (f"plurals:file={words},shout=yes",)
    made = registry.create("benchmark", f"plurals:{words},shout=yes")
    assert made.name == f"plurals:file={words},shout=True"
    assert registry.create("benchmark", made.name).card == made.card
    assert made.ask(made.load()[0])[0].context == "ONE NURSE, TWO"
    assert made.card.digest != registry.create("benchmark", f"plurals:{words}").card.digest
    assert (made.primary, made.guards, made.groups, made.message) == (None, {}, (), "")
    assert not [*made.examples(), *made.anchors(), *made.remarks([])]


def test_it_is_measured_like_any_other(guest: Path) -> None:
    (taken,) = measure("lab:causal", f"plurals:{guest / 'words.txt'}")
    assert (taken.card.name, taken.role, taken.n) == ("plurals", "capability", 3)
    assert isinstance(taken.metrics["accuracy"], Estimate)


def test_what_is_wrong_is_said_when_it_is_made(guest: Path) -> None:
    with pytest.raises(BadOption, match="plurals needs a file"):
        registry.create("benchmark", "plurals")
    with pytest.raises(BadData, match="is empty"):
        registry.create("benchmark", f"plurals:{guest / 'none.txt'}")


def test_the_data_are_read_once(guest: Path) -> None:
    made = registry.create("benchmark", f"plurals:{guest / 'words.txt'}")
    (guest / "words.txt").unlink()
    assert made.load() is made.load()
    assert len(made.load()) == 3
