"""One pass over documents: who is mentioned, beside which professions, and two samples of the documents.

Words are runs of letters and digits, in lower case; what stands outside ASCII keeps its case. They are looked
up in pyarrow, a block at a time, because a loop over words in Python reads a few megabytes a second.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.lexicons import mention_words, professions

SAMPLED = 20_000  # documents with exactly one group, for words, counterparts and scores
SEEN = 2_000  # of all documents, for languages
LONGEST = 4_000  # characters of a sampled document that are kept
_TABLE = bytes(
    code + 32 if 65 <= code <= 90 else code if chr(code).isalnum() or code >= 128 or code == 10 else 32
    for code in range(256)
)
Doc = tuple[int, str]  # the number of its group, and its text


@dataclass(frozen=True)
class Counted:
    """What one pass has counted.

    Attributes:
        groups: the groups' names.
        totals: documents, their bytes and their words, of those that mention one group alone by group, then
            of those that mention several, and none [3, k + 2].
        mentioning: documents that mention a group at all [k].
        jobs: the professions' names.
        beside: by profession and group, documents with the profession that mention that group alone [P, k].
        sample: seeded, documents that mention one group alone, with its number.
        seen: seeded, of all documents, with the place of what they mention in `totals`.
        hashes: of the words of every document that mentions somebody, sorted.
    """

    groups: tuple[str, ...]
    totals: NDArray[np.int64]
    mentioning: NDArray[np.int64]
    jobs: tuple[str, ...]
    beside: NDArray[np.int64]
    sample: tuple[Doc, ...]
    seen: tuple[Doc, ...]
    hashes: NDArray[np.int64]

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return int(self.totals[0].sum())

    @property
    def bytes(self) -> int:
        """How long they are in UTF-8."""
        return int(self.totals[1].sum())

    @property
    def lengths(self) -> int:
        """The sum of their lengths in words."""
        return int(self.totals[2].sum())

    @property
    def alone(self) -> NDArray[np.int64]:
        """Documents that mention this group and no other [k]."""
        return self.totals[0, : len(self.groups)]

    @property
    def mixed(self) -> int:
        """Documents that mention several groups."""
        return int(self.totals[0, -2])

    @property
    def nobody(self) -> int:
        """Documents that mention none."""
        return int(self.totals[0, -1])

    def few(self, least: int) -> NDArray[np.bool_]:
        """Which kinds of documents there are some of, but fewer than `least` [k + 2], as in `totals`."""
        return np.asarray((self.totals[0] > 0) & (self.totals[0] < least))

    def shown(self, least: int) -> Counted:
        """The counts without the documents of kinds of which there are some, but fewer than `least`.

        Their number would follow from a total that held them. Groups among these kinds are left out.
        """
        few = self.few(least)
        if not few.any():
            return self
        k = len(self.groups)
        kept = np.flatnonzero(~few[:k])
        totals = np.where(few, 0, self.totals)[:, [*kept, k, k + 1]]
        places = {int(old): place for place, old in enumerate([*kept, k, k + 1])}
        return replace(
            self,
            groups=tuple(self.groups[g] for g in kept),
            totals=totals,
            mentioning=self.mentioning[kept],
            beside=self.beside[:, kept],
            sample=tuple((places[g], text) for g, text in self.sample if not few[g]),
            seen=tuple((places[g], text) for g, text in self.seen if not few[g]),
        )


def normal(text: str) -> bytes:
    """A text's words, by which copies are recognised: ASCII in lower case, spaces for other signs."""
    return text.replace("\n", " ").encode("utf-8", "replace").translate(_TABLE)


class Counter:
    """Adds documents, block by block."""

    def __init__(self, attribute: str, seed: int) -> None:
        import pyarrow as pa  # type: ignore[import-untyped]

        words = mention_words(attribute)
        self._groups = tuple(words)
        jobs = [one.name for one in professions() if " " not in one.name]
        mentions = [(word, g) for g, own in enumerate(words.values()) for word in sorted(own)]
        taken = {word for word, _ in mentions}
        self._jobs = tuple(job for job in jobs if job not in taken)
        plural = [(f"{job}s", p) for p, job in enumerate(self._jobs)]
        names = [*((job, p) for p, job in enumerate(self._jobs)), *plural]
        self._words = pa.array(
            [word for word, _ in mentions] + [word for word, _ in names], pa.large_string()
        )
        # A word's number: a group's below k, a profession's from k on.
        self._codes = np.array([g for _, g in mentions] + [len(words) + p for _, p in names])
        self._rng = np.random.default_rng(seed)
        k, p = len(words), len(self._jobs)
        self._mentioning, self._totals = np.zeros(k, np.int64), np.zeros((3, k + 2), np.int64)
        self._beside = np.zeros((p, k), np.int64)
        self._sample: list[tuple[float, int, str]] = []
        self._seen: list[tuple[float, int, str]] = []
        self._hashes: list[NDArray[np.int64]] = []

    def add(self, documents: Sequence[str]) -> int:
        """Count some documents; returns their bytes."""
        if not documents:
            return 0
        joined = "\n".join(documents)
        if joined.count("\n") >= len(documents):  # a document of several lines
            joined = "\n".join(one.replace("\n", " ") for one in documents)
        data = joined.encode("utf-8", "replace")
        flat = data.translate(_TABLE)
        held, rows = self._looked_up(flat)  # pairs of a word's number and its document's
        k = len(self._groups)
        there = np.zeros((len(documents), k), dtype=bool)
        group = held < k
        there[rows[group], held[group]] = True
        number = there.sum(axis=1)
        single = number == 1
        which = np.where(single, there.argmax(axis=1), -1)
        self._mentioning += there.sum(axis=0)
        kinds = np.where(single, which, np.where(number > 1, k, k + 1))
        for total, values in zip(self._totals, (None, *_sizes(flat)), strict=True):
            total += np.bincount(kinds, values, minlength=k + 2).astype(np.int64)
        self._count_jobs(rows[~group], held[~group] - k, which)
        self._keep(documents, kinds)
        lines, own = flat.split(b"\n"), np.flatnonzero(number > 0)
        self._hashes.append(np.fromiter((hash(lines[i]) for i in own), np.int64, len(own)))
        return len(data)

    def _looked_up(self, flat: bytes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The numbers of the known words in lines of words, and the numbers of the lines."""
        import pyarrow as pa
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        texts = pc.list_flatten(pc.split_pattern(pa.array([flat.decode("utf-8")], pa.large_string()), "\n"))
        split = pc.split_pattern(texts, " ")
        found = pc.index_in(pc.list_flatten(split), value_set=self._words)
        places = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
        offsets = split.offsets.to_numpy()
        codes = self._codes[found.drop_null().to_numpy()]
        return codes, np.searchsorted(offsets, places, side="right") - 1

    def _count_jobs(self, rows: NDArray[np.intp], jobs: NDArray[np.intp], which: NDArray[np.intp]) -> None:
        """Each profession once a document, where the document mentions one group alone."""
        own = which[rows] >= 0
        pairs = np.unique(rows[own] * len(self._jobs) + jobs[own])
        p = len(self._beside)
        np.add.at(self._beside, (pairs % p, which[pairs // p]), 1)

    def _keep(self, documents: Sequence[str], kinds: NDArray[np.intp]) -> None:
        """Put documents into the samples: those with the smallest of seeded random keys stay."""
        keys = self._rng.random(len(documents))
        bar = -self._sample[0][0] if len(self._sample) == SAMPLED else 1.0
        for i in np.flatnonzero((kinds < len(self._groups)) & (keys < bar)).tolist():
            _push(self._sample, SAMPLED, (-keys[i], int(kinds[i]), documents[i][:LONGEST]))
        bar = -self._seen[0][0] if len(self._seen) == SEEN else 1.0
        for i in np.flatnonzero(keys < bar).tolist():
            _push(self._seen, SEEN, (-keys[i], int(kinds[i]), documents[i][:LONGEST]))

    def result(self) -> Counted:
        """What was counted."""
        ordered = sorted(self._sample, key=lambda one: -one[0])
        return Counted(
            self._groups,
            self._totals,
            self._mentioning,
            self._jobs,
            self._beside,
            tuple((g, text) for _, g, text in ordered),
            tuple((g, text) for _, g, text in sorted(self._seen, key=lambda one: -one[0])),
            np.unique(np.concatenate(self._hashes)) if self._hashes else np.zeros(0, np.int64),
        )


def _sizes(flat: bytes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How many bytes and how many words each line of words has."""
    signs = np.frombuffer(flat, np.uint8)
    end = signs == 10
    begins = (signs != 32) & ~end
    begins[1:] &= ~begins[:-1].copy()
    ends = np.append(np.flatnonzero(end), len(signs))
    words = np.concatenate([[0], np.cumsum(begins)])[ends]
    return np.diff(ends, prepend=-1) - 1, np.diff(words, prepend=0)


def _push(heap: list[tuple[float, int, str]], most: int, one: tuple[float, int, str]) -> None:
    if len(heap) < most:
        heapq.heappush(heap, one)
    else:
        heapq.heappushpop(heap, one)
