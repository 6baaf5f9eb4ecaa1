"""What every audit keeps, whoever wrote it: the contracts that the package ships, over the registry."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.testing import Subject
from evenhand.testing.audits import CONTRACTS
from evenhand.testing.contracts import Contract
from tests.contracts.collecting import cases, each, try_it

pytest.importorskip("ibis")


def _subjects(contract: Contract) -> list[Subject]:
    return [Subject("audit", name, cases("audit").get(name)) for name in registry.own_names("audit")]


def test_every_audit_has_a_case() -> None:
    assert set(registry.own_names("audit")) <= set(cases("audit"))


@each(CONTRACTS, _subjects)
def test_audit(contract: Contract, subject: Subject) -> None:
    try_it(contract, subject)
