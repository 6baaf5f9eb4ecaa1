"""Which items changed sides: the group that a prompt leans to, the text that is preferred, right or wrong.

A page holds a short table that needs no script, and the items themselves, packed, for the browser of items.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.records import Measurement, Score, Value, Verification
from evenhand.reports.packed import packed
from evenhand.reports.shares import LEAST_MASS, PREFIX, groups, term
from evenhand.reports.tables import Table

MOST = 30  # items in the short table; the counts are of all
BUDGET = 700_000  # characters of packed items in one page, which keeps it below 3 MB
ROOM = (
    1.5  # all items are tried where so much of the budget would hold them by the size of those that changed
)
MOST_VALUES = 40  # of a slice that the browser of items can choose from
_WORDS = {"preferred": ("not preferred", "preferred"), "correct": ("wrong", "right")}

Texts = Mapping[str, Mapping[str, str]]
"""By benchmark, the text of each item; a benchmark whose texts are redacted is not in it."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item with a side before and after; `shares` are the second of two groups', None for other items."""

    score: Score
    before: str
    after: str
    shares: tuple[Value, Value] = (None, None)

    @property
    def changed(self) -> bool:
        """Whether it changed sides."""
        return self.before != self.after

    @property
    def move(self) -> float:
        """How far its share moved, in thousandths; 0 where it has none."""
        old, new = self.shares
        return 0.0 if old is None or new is None else float(round(1000 * abs(new - old)))


@dataclass(frozen=True, slots=True)
class Flips:
    """The items of one benchmark that changed sides: counts of each way, and the items.

    Attributes:
        n: items with a side before and after.
        counts: how many went each way, as (before, after, number).
        items: the short table: those that changed, the largest moves first.
        packed: the items for the browser of items; empty where none changed.
        held: how many items are packed.
        left_out: which items are not, as a sentence; empty where none are left out.
    """

    benchmark: str
    n: int
    counts: tuple[tuple[str, str, int], ...]
    items: Table
    packed: str = ""
    held: int = 0
    left_out: str = ""
    has_texts: bool = False

    @property
    def total(self) -> int:
        """How many items changed sides."""
        return sum(count for _, _, count in self.counts)

    @property
    def sentence(self) -> str:
        """How many items changed sides, and which way."""
        ways = ", ".join(f"{n} from “{one}” to “{other}”" for one, other, n in self.counts)
        return f"{self.total} of {self.n} items changed sides{f' ({ways})' if ways else ''}"


def flips(
    record: Verification, texts: Texts | None = None, *, budget: int = BUDGET, whole: bool = True
) -> tuple[Flips, ...]:
    """The flips of every benchmark whose items have a side, in the order of the run.

    The benchmarks share the `budget` of packed characters. With `whole`, items that kept their side are
    packed as well where there is room for them.
    """
    after = {m.benchmark: m for m in record.after}
    pairs = [(old, after[old.benchmark]) for old in record.before if old.benchmark in after]
    sided = [(old, items) for old, new in pairs if (items := _items(old, new))]
    each = budget // max(1, sum(any(item.changed for item in items) for _, items in sided))
    return tuple(_of(old, items, (texts or {}).get(old.benchmark), each, whole) for old, items in sided)


def _items(before: Measurement, after: Measurement) -> list[Item]:
    new = {score.sample: score for score in after.scores}
    names = groups(before)
    return [
        Item(old, one, other, (_share(old, names), _share(new[old.sample], names)))
        for old in before.scores
        if old.sample in new and (one := side(old)) and (other := side(new[old.sample]))
    ]


def _share(score: Score, names: Sequence[str]) -> Value:
    """The second group's share of an item's mass; None unless there are two groups and some mass."""
    if len(names) != 2:
        return None
    one, other = (score.values.get(PREFIX + name) for name in names)
    if one is None or other is None or one + other < LEAST_MASS:
        return None
    return other / (one + other)


def _of(
    before: Measurement, items: Sequence[Item], texts: Mapping[str, str] | None, budget: int, whole: bool
) -> Flips:
    changed = sorted((item for item in items if item.changed), key=lambda item: -item.move)
    ways: dict[tuple[str, str], int] = {}
    for item in changed:
        ways[item.before, item.after] = ways.get((item.before, item.after), 0) + 1
    counts = tuple((one, other, n) for (one, other), n in sorted(ways.items(), key=lambda way: -way[1]))
    short = _table(before.benchmark, changed, texts)
    if not changed:
        return Flips(before.benchmark, len(items), counts, short)
    rest = [item for item in items if not item.changed] if whole else []
    data, held = _fitting(before, changed, rest, texts, budget)
    left = _left_out(held, len(changed), len(items))
    return Flips(before.benchmark, len(items), counts, short, data, held, left, bool(texts))


def _left_out(held: int, changed: int, n: int) -> str:
    if held >= n:
        return ""
    if held == changed:
        return f"The {n - changed} items that kept their side are not in this file."
    return f"To keep this file small it holds the {held} of them with the largest move."


def _fitting(
    before: Measurement,
    changed: Sequence[Item],
    rest: Sequence[Item],
    texts: Mapping[str, str] | None,
    budget: int,
) -> tuple[str, int]:
    """Packed items within the budget, and their number: all, else those that changed, else some of these."""
    data = _packed(before, changed, texts)
    if rest and len(data) * (len(changed) + len(rest)) <= ROOM * budget * len(changed):
        every = _packed(before, [*changed, *rest], texts)
        if len(every) <= budget:
            return every, len(changed) + len(rest)
    some = list(changed)
    while len(data) > budget and len(some) > 1:
        some = some[: max(1, min(len(some) - 1, int(0.9 * len(some) * budget / len(data))))]
        data = _packed(before, some, texts)
    return data, len(some)


def _packed(before: Measurement, items: Sequence[Item], texts: Mapping[str, str] | None) -> str:
    return packed(json.dumps(_columns(before, items, texts), separators=(",", ":"), allow_nan=False))


def _columns(before: Measurement, items: Sequence[Item], texts: Mapping[str, str] | None) -> dict[str, Any]:
    """The items by columns, which pack better than rows; repeated texts are places in a list."""
    sides = list(dict.fromkeys(side for item in items for side in (item.before, item.after)))
    about = list(dict.fromkeys(item.score.cluster for item in items))
    place = {name: i for i, name in enumerate(about)}
    names, ids = groups(before), [item.score.sample for item in items]
    start = _common_folder(ids)
    found: dict[str, Any] = {
        "start": start,
        "ids": [name.removeprefix(start) for name in ids],
        "about": about,
        "of": [place[item.score.cluster] for item in items],
        "sides": sides,
        "before": [sides.index(item.before) for item in items],
        "after": [sides.index(item.after) for item in items],
        "slices": _slices(items),
    }
    if any(value is not None for item in items for value in item.shares):
        found["share"] = f"P({term(names[1])}) share"
        found["shares"] = [[_thousandths(item.shares[when]) for item in items] for when in (0, 1)]
    if texts:
        found["texts"] = [texts.get(name, "") for name in ids]
    return found


def _common_folder(ids: Sequence[str]) -> str:
    """What all ids begin with, up to its last slash: the smallest and the largest decide for all."""
    least, most = min(ids), max(ids)
    same = next((i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), len(least))
    return least[: least.rfind("/", 0, same) + 1]


def _thousandths(share: Value) -> int | None:
    return None if share is None else round(1000 * share)


def _slices(items: Sequence[Item]) -> list[dict[str, Any]]:
    """The slices by which items can be chosen: those with two values or more, and not too many."""
    found = []
    for key in dict.fromkeys(key for item in items for key in item.score.slices):
        own = [str(item.score.slices.get(key, "")) for item in items]
        values = sorted(set(own))
        if 2 <= len(values) <= MOST_VALUES:
            place = {value: i for i, value in enumerate(values)}
            found.append({"name": key, "values": values, "of": [place[value] for value in own]})
    return found


def _table(benchmark: str, changed: Sequence[Item], texts: Mapping[str, str] | None) -> Table:
    rows = tuple(
        (
            item.score.sample,
            item.score.cluster,
            item.before,
            item.after,
            *(() if not texts else (texts.get(item.score.sample, ""),)),
        )
        for item in changed[:MOST]
    )
    head = ("item", "about", "before", "after", *(("text",) if texts else ()))
    return Table(f"Items of {benchmark} that changed sides", head, rows, labels=len(head))


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
