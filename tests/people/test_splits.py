"""Parts without a person or a content in common, the same whatever the order of the table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest

from evenhand.errors import BadOption
from evenhand.ordering import shuffle_key
from evenhand.people.population import Person
from evenhand.people.splits import SHARES, part_of, split
from tests.support.crowd import crowd

POPULATION = crowd(4000, towns=2)  # 2 x 3 x 40 contents: most are shared by many people


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_no_two_parts_share_an_id_or_a_content(seed: int) -> None:
    parts = split(POPULATION.people, seed)
    for one, other in combinations(parts.values(), 2):
        assert not {p.id for p in one} & {p.id for p in other}
        assert not {p.content for p in one} & {p.content for p in other}
    assert sum(len(people) for people in parts.values()) == len({p.content for p in POPULATION.people})


def test_nobody_is_counted_twice_within_a_part() -> None:
    for people in split(POPULATION.people, 0).values():
        assert len({p.content for p in people}) == len(people)


def test_the_parts_have_their_shares() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    drawn = [part_of(str(i), 0) for i in range(20_000)]
    for part, share in SHARES.items():
        # one standard deviation of a share of a half is 0.0035
        assert drawn.count(part) / len(drawn) == pytest.approx(share, abs=0.014)


def test_the_order_of_the_table_does_not_matter_and_the_seed_does() -> None:
    assert split(POPULATION.people, 3) == split(POPULATION.people[::-1], 3)
    assert split(POPULATION.people, 3) != split(POPULATION.people, 4)
    assert shuffle_key(1, "a") != shuffle_key(2, "a")


@pytest.mark.parametrize("test", ["0.1", "0.25", "0.5", "0.9", "400", "3999", "all", "100000"])
def test_how_many_are_tested_can_be_chosen(test: str) -> None:
    everybody = POPULATION.people
    usual, parts = split(everybody, 5), split(everybody, 5, test)
    wanted = 4000 if test in ("all", "100000") else float(test) * (4000 if "." in test else 1)
    assert len({p.id for p in parts["test"]}) == len(parts["test"]) == wanted  # who reads alike counts, too
    for one, other in combinations(parts.values(), 2):
        assert not {p.content for p in one} & {p.content for p in other}
    for part in SHARES:
        if part != "test":  # nobody who is trained on under one size is shown or held under another
            assert set(ids(parts[part])) <= set(ids(usual[part]))
    tested = {p.content for p in parts["test"]}
    whole = [p.content for p in everybody if p.content in tested]
    assert len(whole) - len(parts["test"]) < max(map(whole.count, tested))  # a count cuts one content at most
    smaller, larger = sorted(({p.content for p in usual["test"]}, tested), key=len)
    assert smaller <= larger
    assert ids(parts["test"]) == ids(split(everybody[::-1], 5, test)["test"])


def ids(people: Sequence[Person]) -> list[str]:
    return [person.id for person in people]


@pytest.mark.parametrize("test", ["0", "-1", "0.0", "1.5", "most", "1.0e9.", "inf.", "nan.0", ""])
def test_sizes_that_cannot_be(test: str) -> None:
    if not test:
        assert split(POPULATION.people, 5, test) == split(POPULATION.people, 5)
        return
    with pytest.raises(BadOption, match=rf"test={test} is not a number of people"):
        split(POPULATION.people, 5, test)
