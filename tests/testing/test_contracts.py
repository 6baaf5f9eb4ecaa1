"""What a contract is made of: expectations, outcomes, and how a list of subjects is tried."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import evenhand.testing
from evenhand.errors import BadData, BadOption
from evenhand.testing import NotTried, Outcome, Subject, Swap, expect
from evenhand.testing.contracts import expect_near, raised, tried
from evenhand.testing.kinds import _KINDS

ONE, TWO = Subject("metric", "one"), Subject("metric", "two")
FOLDER = Path(evenhand.testing.__file__).parent


def a_contract(subject: Subject) -> None:
    expect(subject.name != "two", "two is\nwrong")


def test_it_passes_or_names_the_subject_that_fails() -> None:
    assert tried(a_contract, [ONE]) == Outcome("a_contract", "passed")
    assert tried(a_contract, [TWO]) == Outcome("a_contract", "failed", "two is wrong")
    assert str(tried(a_contract, [ONE, TWO])) == "failed  a contract: with two, two is wrong"


def test_skipped_means_skipped_everywhere() -> None:
    def some(subject: Subject) -> None:
        if subject.name == "one":
            raise NotTried("one is no case")

    assert str(tried(some, [ONE])) == "skipped some because one is no case"
    assert tried(some, [ONE, TWO]).status == "passed"
    assert tried(some, []).status == "skipped"


def test_an_error_that_nobody_meant_says_where() -> None:
    def wrong(subject: Subject) -> None:
        raise ZeroDivisionError("by zero")

    def refused(subject: Subject) -> None:
        raise BadData("No rows.", mend="Give some.")

    assert tried(wrong, [ONE]).reason.startswith("ZeroDivisionError: by zero (test_contracts.py, line ")
    assert tried(refused, [ONE]).reason == "BadData: No rows. Give some."


@pytest.mark.parametrize(
    ("found", "wanted"), [(None, 0.0), (0.0, None), (float("nan"), 1.0), (1.1, 1.0), (float("inf"), 1.0)]
)
def test_what_is_not_near(found: float | None, wanted: float | None) -> None:
    with pytest.raises(AssertionError, match=r"the value is .*, not"):
        expect_near(found, wanted, "the value")


def test_what_is_near() -> None:
    expect_near(None, None, "the value")
    expect_near(1 + 1e-7, 1.0, "the value")
    expect_near(1.05, 1.0, "the value", rel=0, tolerance=0.1)


def test_the_right_error_must_be_raised() -> None:
    def refuse() -> None:
        raise BadOption("No.", mend="Try again.")

    assert raised(BadOption, refuse, "it") == "No. Try again."
    with pytest.raises(AssertionError, match=r"it raised BadOption \(No. Try again.\), not BadData"):
        raised(BadData, refuse, "it")
    with pytest.raises(AssertionError, match="it did not raise BadData"):
        raised(BadData, lambda: None, "it")


def test_a_swap_moves_what_it_names_alone() -> None:
    swap = Swap(exchanged=(("a", "b"),), negated=("c",), complemented=("d", "e"))
    before = {"a": 1.0, "b": None, "c": 2.0, "d": 0.25, "e": None, "f": 3.0}
    after = {"a": None, "b": 1.0, "c": -2.0, "d": 0.75, "e": None, "f": 3.0}
    assert swap(before) == after
    assert swap(after) == before


def test_every_contract_says_what_it_guarantees() -> None:
    for make in _KINDS.values():
        for contract in (*make().contracts, *make().slow):
            assert len(contract.__doc__ or "") > 40, contract.__name__


def test_it_needs_neither_pytest_nor_these_tests() -> None:
    for info in pkgutil.iter_modules([str(FOLDER)]):
        if info.name != "__main__":
            importlib.import_module(f"evenhand.testing.{info.name}")
        for node in ast.walk(ast.parse((FOLDER / f"{info.name}.py").read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Assert), f"{info.name} asserts: python -O would take it out"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {name.split(".")[0] for name in names} & {"pytest", "tests"}
