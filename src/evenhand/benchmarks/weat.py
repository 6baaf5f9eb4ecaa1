"""WEAT: the association tests of SEAT on single words, put through a language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from evenhand.benchmarks._associations import AssociationBenchmark
from evenhand.benchmarks._common import EMBEDDERS
from evenhand.records import Card

Attribute = Literal["gender", "race", "age", "health", "double_bind", "control", "all"]
TESTS: Mapping[str, tuple[str, ...]] = {
    "gender": tuple(f"weat{n}" for n in ("6", "6b", "7", "7b", "8", "8b")),
    "race": (
        *(f"weat{n}" for n in ("3", "3b", "4", "5", "5b")),
        "angry_black_woman_stereotype",
        "angry_black_woman_stereotype_b",
    ),
    "age": ("weat10",),
    "health": ("weat9",),
    "double_bind": ("heilman_double_bind_competent_one_word", "heilman_double_bind_likable_one_word"),
    "control": ("weat1", "weat2"),
}


@dataclass(frozen=True)
class Weat(AssociationBenchmark):
    """WEAT (Caliskan et al. 2017): associations between words, each read by the model as a text of its own.

    The test was made for fixed word vectors; here a word's embedding is the mean of the last hidden states of
    the model that reads it alone. With 8 words a target the intervals are wide, and still too narrow to
    cover the true value as often as stated: prefer seat. Licence: CC BY-NC 4.0.

    Attributes:
        tests: the attribute: ``gender`` (6, 6b, 7, 7b, 8, 8b), ``race``, ``age``, ``health``,
            ``double_bind``; ``control`` has no people in it (flowers and insects); ``all`` of them.
        file: a test of your own, a JSON object with targ1, targ2, attr1 and attr2, each with a category and
            its examples; empty takes the published tests.

    Raises:
        BadData: the data is not on this machine, or a file is malformed.
    """

    tests: Attribute = "gender"

    family = "weat"
    published = TESTS

    @cached_property
    def card(self) -> Card:
        return _card(self.tests, bool(self.file), self.digest)


def _card(tests: str, own: bool, digest: str) -> Card:
    return Card(
        name="weat",
        version="1",
        title=f"WEAT, {'a test of your own' if own else tests}: associations between word embeddings",
        source="the user's own test"
        if own
        else "Caliskan et al. 2017, doi:10.1126/science.aal4230; files: W4ngatang/sent-bias",
        licence="the user's own" if own else "CC BY-NC 4.0",
        digest=digest,
        families=EMBEDDERS,
        reading="0 is no association. A language model reads each word as a text of its own, so figures do "
        "not compare with those of fixed word vectors. Associations of embeddings need not show in what a "
        "model writes.",
    )


component = Weat
