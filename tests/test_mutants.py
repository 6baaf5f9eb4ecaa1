"""The mutation runner: its list is up to date, and it tells killed from survived on a tree of its own."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.support.scripts import ROOT, script

LISTED = script("perf/mutants.py").LISTED
SOURCE = '''"""A module."""


def larger(a: int, b: int) -> int:
    """The larger of two."""
    return a if a > b else b
'''
TESTS = "from evenhand.small import larger\n\n\ndef test_it() -> None:\n    assert larger(1, 2) == 2\n"


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    return script("perf/mutants.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package of one function, and one test of it."""
    for name, text in (
        ("src/evenhand/__init__.py", ""),
        ("src/evenhand/small.py", SOURCE),
        ("tests/t.py", TESTS),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("mutant", LISTED, ids=lambda m: m.name)
def test_every_mutant_can_be_planted_and_has_its_tests(mutant: object) -> None:
    assert mutant.planted(ROOT) != (ROOT / "src" / "evenhand" / mutant.file).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert all((ROOT / test).is_file() for test in mutant.tests)  # type: ignore[attr-defined]


def test_names_are_unlike() -> None:
    assert len({m.name for m in LISTED}) == len(LISTED)


def test_killed_survived_and_neither(mutants: ModuleType, tree: Path) -> None:
    def judged(old: str, new: str, tests: tuple[str, ...] = ("tests/t.py",)) -> str:
        said = mutants.judged(tree, mutants.Mutant("m", "small.py", old, new, tests))
        assert (tree / "src/evenhand/small.py").read_text() == SOURCE  # put back
        assert isinstance(said, str)
        return said

    assert judged("a > b", "a < b") == "killed"
    assert judged("a > b", "a >= b") == "SURVIVED"
    assert judged("a > b", "a >").startswith("no answer")  # it cannot be collected: no test judged it
    assert judged("a > b", "a < b", ("tests/absent.py",)).startswith("no answer")
    with pytest.raises(ValueError, match=r"stands 0 times in small\.py, not once"):
        judged("a == b", "a < b")


def test_generated_mutants_are_single_and_valid_changes(mutants: ModuleType, tree: Path) -> None:
    made = list(mutants.generated(tree, "small.py", ()))
    assert sorted(m.name for m in made) == ["small.py:6 > -> >=", "small.py:6 a > b -> not (a > b)"]
    for one in mutants.generated(ROOT, "studies/verdict_rule.py", ()):
        compile(one.new, one.file, "exec")


@pytest.mark.slow
def test_no_listed_mutant_survives(mutants: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main([]) == 0, capsys.readouterr().out
