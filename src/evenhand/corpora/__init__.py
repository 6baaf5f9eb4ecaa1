"""Corpora of texts, streamed: documents come in blocks, are counted, and are not kept.

`opened_corpus` finds the files; `Corpus.counted` streams them once and keeps counts, and two seeded samples
of documents for what needs the texts themselves.
"""

from __future__ import annotations

from evenhand.corpora.counting import Counted
from evenhand.corpora.reading import Corpus, opened_corpus

__all__ = ["Corpus", "Counted", "opened_corpus"]
