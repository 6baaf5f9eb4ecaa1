"""Unreliable figures: their benchmark, their slice, and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenhand.records import Measurement
from evenhand.studies.guards import doubts_beside

Doubts = Mapping[str, Mapping[str, str]]
"""By benchmark, for each unreliable slice (``""``: over all items) a sentence with the reason."""


def of(measurements: Sequence[Measurement], before: Sequence[Measurement] = ()) -> Doubts:
    """The doubts about `measurements` of a treated model, given those of the untreated one, `before`."""
    found = {m.benchmark: doubts_beside(m, before) for m in measurements}
    return {benchmark: parts for benchmark, parts in found.items() if parts}


def whole(doubts: Doubts) -> frozenset[str]:
    """The benchmarks whose figures over all items are unreliable."""
    return frozenset(benchmark for benchmark, parts in doubts.items() if "" in parts)


def sentences(doubts: Doubts) -> list[str]:
    """One sentence for each benchmark, or for each unreliable slice if the figures over all items are not."""
    return [
        f"{benchmark}{', ' if part else ''}{part}: {why}"
        for benchmark, parts in doubts.items()
        for part, why in parts.items()
        if not part or "" not in parts
    ]


def both_sides(before: Doubts, after: Doubts) -> list[str]:
    """The sentences about both sides of a comparison, each with its side."""
    sides = {"Before": before, "After": after}
    return [f"{when}: {text}" for when, side in sides.items() for text in sentences(side)]


def others(notes: Sequence[str], said: Sequence[str]) -> list[str]:
    """The notes without those that `said` already contains, with or without before/after in front."""
    return [note for note in notes if not any(note.endswith(sentence) for sentence in said)]
