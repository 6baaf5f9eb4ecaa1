"""What every locator keeps, whoever wrote it: the contracts that the package ships, over the registry."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.testing import Subject
from evenhand.testing.contracts import Contract
from evenhand.testing.locators import CONTRACTS, SLOW
from tests.contracts.collecting import cases, each, try_it


def _subjects(contract: Contract) -> list[Subject]:
    return [Subject("locator", name, cases("locator").get(name)) for name in registry.own_names("locator")]


@each(CONTRACTS, _subjects)
def test_locator(contract: Contract, subject: Subject) -> None:
    try_it(contract, subject)


@pytest.mark.slow
@each(SLOW, _subjects)
def test_locator_for_long(contract: Contract, subject: Subject) -> None:
    try_it(contract, subject)
