"""What every control keeps, whoever wrote it: the contracts that the package ships, over the registry."""

from __future__ import annotations

from evenhand import registry
from evenhand.testing import Subject
from evenhand.testing.contracts import Contract
from evenhand.testing.controls import CONTRACTS
from tests.contracts.collecting import cases, each, try_it


def _subjects(contract: Contract) -> list[Subject]:
    return [Subject("control", name, cases("control").get(name)) for name in registry.own_names("control")]


@each(CONTRACTS, _subjects)
def test_control(contract: Contract, subject: Subject) -> None:
    try_it(contract, subject)
