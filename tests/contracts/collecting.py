"""The cases that stand beside the components' tests, each in its mirrored module."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

import tests
from evenhand.testing import NotTried, Subject
from evenhand.testing.cases import KINDS
from evenhand.testing.contracts import Contract

FOLDERS = {kind: f"{kind}s" for kind in KINDS.values()}


@cache
def cases(kind: str) -> Mapping[str, Any]:
    """The cases of a kind by the components' names, from `CASE` and `CASES` of the modules in its folder."""
    folder = importlib.import_module(f"{tests.__name__}.{FOLDERS[kind]}")
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(folder.__path__):
        try:
            module = importlib.import_module(f"{folder.__name__}.{info.name}")
        except pytest.skip.Exception:  # it needs a package that is not here
            continue
        given = getattr(module, "CASES", ()), getattr(module, "CASE", None)
        for case in (*given[0], given[1]):
            if KINDS.get(type(case)) == kind:
                assert found.setdefault(case.name, case) is case, f"two cases of the {kind} {case.name}"
    return found


def try_it(contract: Contract, subject: Subject) -> None:
    """The contract as a test: what it has nothing to say of is skipped."""
    try:
        contract(subject)
    except NotTried as why:
        pytest.skip(str(why))


def each(
    contracts: Sequence[Contract],
    subjects: Callable[[Contract], Sequence[Subject]],
    long: Callable[[Contract, Subject], bool] = lambda *_: False,
) -> pytest.MarkDecorator:
    """Every contract with every subject that it is tried on; what takes `long` is in `make test-all`."""
    pairs = [(contract, subject) for contract in contracts for subject in subjects(contract)]
    found = [
        pytest.param(
            *pair, id=f"{pair[0].__name__}-{pair[1].spec}", marks=pytest.mark.slow if long(*pair) else ()
        )
        for pair in pairs
    ]
    return pytest.mark.parametrize(("contract", "subject"), found)
