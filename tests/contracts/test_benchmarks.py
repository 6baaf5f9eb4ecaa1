"""What every benchmark keeps, whoever wrote it: the contracts that the package ships, over the registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evenhand import registry
from evenhand.testing import Subject
from evenhand.testing.benchmarks import CONTRACTS, built, specs
from evenhand.testing.contracts import Contract
from tests.contracts.collecting import cases, each, try_it

NAMES = registry.own_names("benchmark")


@pytest.fixture(scope="module", autouse=True)
def _built_once() -> Iterator[None]:
    """Each benchmark is built once for this module, and not kept after it."""
    yield
    built.cache_clear()


def test_every_benchmark_has_its_case() -> None:
    assert set(cases("benchmark")) == set(NAMES)


def _subjects(contract: Contract) -> list[Subject]:
    known = [cases("benchmark")[name] for name in NAMES]
    return [Subject("benchmark", spec, case) for case in known for spec in specs(contract, case)]


@each(CONTRACTS, _subjects)
def test_benchmark(contract: Contract, subject: Subject) -> None:
    try_it(contract, subject)
