"""One table of exit codes: the page, and the README where it has the table, against the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evenhand import errors, registry
from evenhand.cli import failures, main
from evenhand.cli.verify import exit_code
from evenhand.errors import EvenhandError
from evenhand.records import VerdictName
from evenhand.studies.fitness import FLOOR, is_about_words
from tests.support import records_factory as make

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "exit-codes.md"


def table(path: Path) -> dict[int, list[str]]:
    """The cells of each row whose first cell is a number."""
    rows = (line.strip("| ").split(" | ") for line in path.read_text(encoding="utf-8").splitlines())
    return {int(cells[0]): [cell.strip(" |") for cell in cells[1:]] for cells in rows if cells[0].isdigit()}


def tree(kind: type[EvenhandError] = EvenhandError) -> list[type[EvenhandError]]:
    """Every class of the error tree below `kind`."""
    return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]


def test_the_table_has_every_code_that_the_program_gives() -> None:
    program = {
        0,
        failures.INTERRUPTED,
        failures.CLOSED,
        failures.UNEXPECTED,
        *(error.exit_code for error in tree()),
    }
    assert set(table(PAGE)) == program


def test_every_named_error_stands_in_the_row_of_its_code() -> None:
    named = {
        name: code
        for code, cells in table(PAGE).items()
        for name in re.findall(r"`([A-Z]\w+)`", " ".join(cells))
    }
    assert {"GateFailed", "UsageError", "Inconclusive", "EnvironmentProblem"} <= set(named)
    assert {name: getattr(errors, name).exit_code for name in named} == named


def test_the_page_tells_the_floor_and_the_words() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"below {FLOOR:g}" in text
    assert all(f"`{name}`" in text for name in registry.names("metric") if is_about_words(name))


def test_the_readme_says_the_same() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if "| code |" in text:
        said = {code: cells[0] for code, cells in table(ROOT / "README.md").items()}
    else:
        (line,) = re.findall(r"^Exit codes: (.*)\.$", text, re.MULTILINE)
        said = {int(c): words for c, words in (part.split(" ", 1) for part in line.split(", "))}
    assert said.items() <= {code: cells[0] for code, cells in table(PAGE).items()}.items()
    assert {0, 1, 2, 3, 4, 130} <= set(said)


@pytest.mark.parametrize("verdict", list(VerdictName))
def test_verify_exits_with_0_for_a_settled_verdict_and_with_3_for_the_rest(verdict: VerdictName) -> None:
    expected = 3 if verdict in (VerdictName.NOT_COMPARABLE, VerdictName.COST_UNKNOWN) else 0
    assert exit_code(make.verification(verdict)) == expected


@pytest.mark.parametrize("verb", ["verify", "gate"])
def test_the_help_of_the_verbs_names_the_code(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert re.search(r"exit code\b[^.]*\b3\b", " ".join(capsys.readouterr().out.split()))
