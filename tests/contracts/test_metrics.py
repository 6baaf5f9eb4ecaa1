"""What every metric keeps, whoever wrote it: the contracts that the package ships, over the registry."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.testing import Subject
from evenhand.testing.contracts import Contract
from evenhand.testing.metrics import CONTRACTS
from tests.contracts.collecting import cases

NAMES = registry.own_names("metric")


def test_every_metric_has_its_case() -> None:
    assert set(cases("metric")) == set(NAMES)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_metric(name: str, contract: Contract) -> None:
    contract(Subject("metric", name, cases("metric")[name]))
