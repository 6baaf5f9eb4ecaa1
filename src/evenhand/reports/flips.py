"""Which items changed sides: the group that a prompt leans to, the text that is preferred, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.records import Measurement, Score, Verification
from evenhand.reports.shares import PREFIX, term
from evenhand.reports.tables import Table

MOST = 30  # items that are listed of one benchmark; the counts are of all
_WORDS = {"preferred": ("not preferred", "preferred"), "correct": ("wrong", "right")}


@dataclass(frozen=True, slots=True)
class Flips:
    """The items of one benchmark that changed sides: counts of each way, and the first of them.

    `n` items have a side before and after; `counts` are by (before, after).
    """

    benchmark: str
    n: int
    counts: tuple[tuple[str, str, int], ...]
    items: Table

    @property
    def total(self) -> int:
        """How many items changed sides."""
        return sum(count for _, _, count in self.counts)


def flips(record: Verification) -> tuple[Flips, ...]:
    """The flips of every benchmark whose items have a side, in the order of the run."""
    after = {m.benchmark: m for m in record.after}
    found = [_of(old, after[old.benchmark]) for old in record.before if old.benchmark in after]
    return tuple(one for one in found if one is not None)


def _of(before: Measurement, after: Measurement) -> Flips | None:
    new = {score.sample: score for score in after.scores}
    pairs = [
        (old, one, other)
        for old in before.scores
        if old.sample in new and (one := side(old)) and (other := side(new[old.sample]))
    ]
    if not pairs:
        return None
    changed = [(old, one, other) for old, one, other in pairs if one != other]
    ways: dict[tuple[str, str], int] = {}
    for _, one, other in changed:
        ways[one, other] = ways.get((one, other), 0) + 1
    counts = tuple((one, other, n) for (one, other), n in sorted(ways.items(), key=lambda way: -way[1]))
    return Flips(before.benchmark, len(pairs), counts, _table(before.benchmark, changed))


def _table(benchmark: str, changed: Sequence[tuple[Score, str, str]]) -> Table:
    rows = tuple((old.sample, old.cluster, one, other) for old, one, other in changed[:MOST])
    return Table(
        f"Items of {benchmark} that changed sides", ("item", "about", "before", "after"), rows, labels=4
    )


def side(score: Score) -> str:
    """The side of an item: a group's word, or what a column of 0 and 1 says; empty for a tie."""
    shares = {name.removeprefix(PREFIX): p for name, p in score.values.items() if name.startswith(PREFIX)}
    if len(shares) > 1:
        known = {name: p for name, p in shares.items() if p is not None}
        most = max(known.values(), default=None)
        first = [name for name, p in known.items() if p == most]
        return term(first[0]) if len(known) == len(shares) and len(first) == 1 else ""
    for column, words in _WORDS.items():
        value = score.values.get(column)
        if value in (0.0, 1.0):
            return words[int(value)]
    return ""
