"""Association: which words stand with one group rather than with the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.audits._question import TextQuestion
from evenhand.audits._state import Reads, adjusted, ends, judged, p_text, said
from evenhand.corpora.counting import normal
from evenhand.decimals import fixed
from evenhand.frames.cells import Array
from evenhand.lexicons import mention_words
from evenhand.records import Finding, GroupFigure

LEAST = 20  # documents of the sample that hold a word
LETTERS = 3


@dataclass(frozen=True)
class Association:
    """Log-odds ratios of words, with a prior, between documents of the two groups that are mentioned most.

    On the seeded sample of documents that mention one group alone; the groups' own words are left out. A word
    counts once a document, so that the interval is by document.

    Attributes:
        tolerance: the log-odds ratio that counts as harmless; 0.7 is a ratio of two.
        words: how many are shown, the surest first.
    """

    tolerance: float = 0.7
    words: int = 10
    reads: ClassVar[Reads] = "texts"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: TextQuestion) -> list[Finding]:
        """One finding for each of the words whose ratio is surest."""
        from evenhand.stats.log_odds import log_odds
        from evenhand.stats.proportions import normal_quantile

        counted = question.counted()
        if (counted.alone > 0).sum() < 2:
            return []
        first, second = (int(g) for g in np.argsort(-counted.alone, kind="stable")[:2])
        own = {word.encode() for words in mention_words(question.attribute).values() for word in words}
        held: tuple[Counter[bytes], Counter[bytes]] = (Counter(), Counter())
        sizes = [0, 0]
        for g, text in counted.sample:
            if g in (first, second):
                side = int(g == second)
                sizes[side] += 1
                held[side].update({w for w in normal(text).split() if len(w) >= LETTERS and w not in own})
        least = max(LEAST, question.suppress)
        words = sorted(w for w in held[0].keys() | held[1].keys() if held[0][w] + held[1][w] >= least)
        if not words or not min(sizes):
            return []
        a, b = (np.array([side[w] for w in words], dtype=np.float64) for side in held)
        told = _tells(a, b, (sizes[0], sizes[1]))
        words, a, b = [words[i] for i in np.flatnonzero(told)], a[told], b[told]
        if not words:
            return []
        ratio, error = log_odds(a, b, (a + b) / sum(sizes), (sizes[0], sizes[1]))
        surest = np.argsort(-np.abs(ratio / error), kind="stable")
        looked = normal_quantile(1 - 0.05 / len(words))  # for having looked at all words
        names = (counted.groups[first], counted.groups[second])
        made = [
            self._of(
                question,
                _Word(words[i], names, (a[i], b[i]), (sizes[0], sizes[1])),
                ratio[i],
                error[i],
                looked,
            )
            for i in surest
        ]
        return adjusted(made)[: self.words]

    def _of(self, question: TextQuestion, word: _Word, ratio: float, error: float, looked: float) -> Finding:
        from scipy.special import ndtr

        from evenhand.stats.proportions import normal_quantile

        size, z95, z90 = abs(float(ratio)), normal_quantile(0.95), normal_quantile(0.90)
        low, high = max(size - z95 * error, 0.0), size + z95 * error
        state = judged(size - looked * error, high, size + z90 * error, self.tolerance)
        p_value = float(2 * ndtr(-size / error))
        text = word.text.decode("utf-8", "replace")
        held = " and ".join(
            f"{fixed(n, 0)} of {of} documents of {name}"
            for n, of, name in zip(word.counts, word.sizes, word.groups, strict=True)
        )
        return Finding(
            "association",
            (question.attribute, text),
            float(ratio / error),
            p_value,
            size,
            float(low),
            float(high),
            sum(word.sizes),
            f"{text!r} stands with {word.groups[int(ratio < 0)]}: {held} (log-odds ratio {fixed(size)}, "
            f"{ends(low, high)}; {p_text(p_value)}). {said(state, self.tolerance)}",
            state,
            "log-odds ratio",
            self.tolerance,
            mend="Add the same texts about the other group.",
            command=question.typed("--repair", "augment", "--out", "augmented.jsonl"),
            groups=tuple(
                GroupFigure(name, of, float(n / of))
                for n, of, name in zip(word.counts, word.sizes, word.groups, strict=True)
            ),
        )


def _tells(a: Array, b: Array, sizes: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether words in `a` and `b` [V] of `sizes` documents can differ [V]; those in all documents cannot.

    Nor is anything known where a group has no document with a word, or none without it, and fewer than one is
    expected.
    """
    share = (a + b) / sum(sizes)
    known = np.ones(len(share), dtype=bool)
    for counts, n in ((a, sizes[0]), (b, sizes[1])):
        known &= (counts > 0) | (share * n >= 1)
        known &= (counts < n) | ((1 - share) * n >= 1)
    return known


@dataclass(frozen=True)
class _Word:
    """A word, the two groups, how many documents of each hold it, and of how many."""

    text: bytes
    groups: tuple[str, str]
    counts: tuple[float, float]
    sizes: tuple[int, int]


component = Association
