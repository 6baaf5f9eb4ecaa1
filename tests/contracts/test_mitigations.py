"""What every mitigation keeps, whoever wrote it: the contracts that the package ships, over the registry."""

from __future__ import annotations

from evenhand import registry
from evenhand.testing import Subject
from evenhand.testing.contracts import Contract
from evenhand.testing.mitigations import (
    CONTRACTS,
    its_sham_neither_shrinks_nor_widens_the_planted_gap,
    one_that_trains_shrinks_the_planted_gap_beyond_its_interval,
)
from tests.contracts.collecting import cases, each, try_it


def _subjects(contract: Contract) -> list[Subject]:
    names = registry.own_names("mitigation")
    return [Subject("mitigation", name, cases("mitigation").get(name)) for name in names]


def _long(contract: Contract, subject: Subject) -> bool:
    """Five fits on the lab, or edits by the hundred: a few in `make test`, all in `make test-all`."""
    if contract is one_that_trains_shrinks_the_planted_gap_beyond_its_interval:
        return subject.spec in ("r_rome", "mend")
    return contract is its_sham_neither_shrinks_nor_widens_the_planted_gap and subject.spec != "lftf"


@each(CONTRACTS, _subjects, _long)
def test_mitigation(contract: Contract, subject: Subject) -> None:
    try_it(contract, subject)
