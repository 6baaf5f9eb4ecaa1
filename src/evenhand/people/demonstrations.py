"""Demonstrations with a chosen bias: few-shot examples whose labels favour one group to a given degree.

The bias parity of a set of people is b_P = P(y = 1 | first group) - P(y = 1 | second group) (FairCon, section
3). The groups get equal numbers of people and the whole is balanced between the labels as far as the number
allows, so that parity changes only which group has the favourable labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evenhand.errors import BadOption
from evenhand.hashing import shuffle_key
from evenhand.people.population import Person
from evenhand.people.task import DecisionTask
from evenhand.records import Value


@dataclass(frozen=True)
class Demonstrations:
    """The demonstrations of a prompt, in order: who, shown as a member of which group.

    `reached` is their bias parity, None where one of the first two groups is empty (as without any shot).
    """

    shown: tuple[tuple[Person, int], ...]
    reached: Value

    def blocks(self, task: DecisionTask) -> tuple[str, ...]:
        """Each as text with its label word."""
        return tuple(task.block(person.shown, group, person.label) for person, group in self.shown)


def check_shots(shots: int) -> None:
    """Refuse a number of demonstrations that no pool of people can give.

    Raises:
        BadOption: it is below 0.
    """
    if shots < 0:
        raise BadOption(f"There cannot be {shots} demonstrations.", mend="Write shots=0 or more.")


def check_parity(parity: float) -> None:
    """Refuse a parity that no people can have.

    Raises:
        BadOption: it is outside [-1, 1].
    """
    if not -1 <= parity <= 1:
        raise BadOption(f"parity={parity:g} is not between -1 and 1.", mend="Write parity=0.5, for example.")


def draw(
    pool: Sequence[Person],
    groups: Sequence[str],
    *,
    shots: int,
    parity: float = 0.0,
    counterbalanced: bool = False,
    seed: int = 0,
) -> Demonstrations:
    """`shots` demonstrations of people of `groups` (their names) from `pool`, without replacement.

    `seed` decides who is drawn and the order. With `counterbalanced`, one person for each k shots of
    k groups is drawn with the parity asked for, and each appears once as a member of every group with the
    same label, so that the parity that is reached is 0.

    Raises:
        BadOption: a parity outside [-1, 1], an impossible number of shots, or too few people in the pool.
    """
    k = len(groups)
    check_shots(shots)
    people = len(pool) * (k if counterbalanced else 1)
    if shots > people:
        raise BadOption(
            f"shots={shots} are more demonstrations than there are people to show ({people}).",
            mend=f"Write shots={people} or fewer.",
        )
    if counterbalanced and shots % k:
        below = shots - shots % k
        raise BadOption(
            f"shots={shots} cannot be counterbalanced: each person is shown once for each of {k} groups, and "
            f"{shots} is not a multiple of {k}.",
            mend=f"Write shots={below} or shots={below + k}.",
        )
    chosen = select(pool, groups, n=shots // k if counterbalanced else shots, parity=parity, seed=seed)
    shown = [(p, g) for p in chosen for g in (range(k) if counterbalanced else (p.group,))]
    shown.sort(key=lambda one: shuffle_key(seed, f"order:{one[0].id}:{one[1]}"))
    return Demonstrations(tuple(shown), parity_of([(group, person.label) for person, group in shown]))


def select(
    pool: Sequence[Person], groups: Sequence[str], *, n: int, parity: float, seed: int
) -> tuple[Person, ...]:
    """`n` people with that bias parity, groups and labels balanced as far as they can be.

    Raises:
        BadOption: a parity outside [-1, 1], or the pool has too few people of some group and label.
    """
    check_parity(parity)
    if n > len(pool):
        raise BadOption(
            f"The people set apart for this do not suffice for n={n} at parity={parity:g}: there are "
            f"{len(pool)}.",
            mend="Ask for fewer, or give a larger table.",
        )
    there = Counter((person.group, person.label) for person in pool)
    wanted = cells(n, len(groups), parity, there)
    taken: list[Person] = []
    missing = []
    ordered = sorted(pool, key=lambda p: shuffle_key(seed, p.id))
    for (group, label), count in wanted.items():
        found = [p for p in ordered if (p.group, p.label) == (group, label)][:count]
        if len(found) < count:
            kind = "favourable" if label else "unfavourable"
            missing.append(f"{count} of {groups[group]} with the {kind} outcome, but there are {len(found)}")
        taken += found
    if missing:
        raise BadOption(
            f"The people set apart for this do not suffice for n={n} at parity={parity:g}: it takes "
            f"{'; '.join(missing)}.",
            mend="Ask for fewer, for a parity nearer 0, or give a larger table.",
        )
    return tuple(taken)


def cells(
    n: int, k: int, parity: float, there: Mapping[tuple[int, int], int] | None = None
) -> dict[tuple[int, int], int]:
    """How many of `n` people each (group, label) gets.

    Groups are as equal as can be. Of the first two the positives come as near to the parity as whole people
    allow, and among equally near choices as near to half of both. The other groups, whose labels parity does
    not see, are half positive, or as near to it as the numbers that are `there` allow (None: any).
    """
    sizes = [n // k + (g < n % k) for g in range(k)]
    positives = [size // 2 for size in sizes]
    for g in range(2, k):
        if there is not None:
            positives[g] = min(max(positives[g], sizes[g] - there[g, 0]), there[g, 1])
    if min(sizes[:2]) > 0:
        positives[:2] = _nearest(sizes[0], sizes[1], parity)
    found = {(g, 1): count for g, count in enumerate(positives)}
    return found | {(g, 0): size - positives[g] for g, size in enumerate(sizes)}


def _nearest(n_0: int, n_1: int, parity: float) -> tuple[int, int]:
    """How many of `n_0` and of `n_1` people are positive, so that their parity is nearest to `parity`."""
    # Every pair of counts, [n_0 + 1, n_1 + 1].
    first, second = np.arange(n_0 + 1)[:, None], np.arange(n_1 + 1)[None, :]
    off = np.round(np.abs(first / n_0 - second / n_1 - parity), 12)
    unbalanced = np.abs(2 * (first + second) - (n_0 + n_1))
    best = np.lexsort((unbalanced.ravel(), off.ravel()))[0]
    return int(best // (n_1 + 1)), int(best % (n_1 + 1))


def parity_of(members: Sequence[tuple[int, int]]) -> Value:
    """b_P of (group, label) pairs: P(y = 1 | group 0) - P(y = 1 | group 1); None if one of them is empty."""
    counts = Counter(members)
    totals = [counts[g, 0] + counts[g, 1] for g in (0, 1)]
    if not all(totals):
        return None
    return counts[0, 1] / totals[0] - counts[1, 1] / totals[1]
