"""SEAT: do the embeddings of sentences about one group lie nearer to those about careers than others?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from evenhand.benchmarks._associations import AssociationBenchmark
from evenhand.benchmarks._common import EMBEDDERS
from evenhand.records import Card

Attribute = Literal["gender", "race", "religion", "age", "health", "double_bind", "control", "all"]
# By attribute, as later work groups them (Meade et al. 2022: gender, race, religion).
TESTS: Mapping[str, tuple[str, ...]] = {
    "gender": tuple(f"sent-weat{n}" for n in ("6", "6b", "7", "7b", "8", "8b")),
    "race": (
        *(f"sent-weat{n}" for n in ("3", "3b", "4", "5", "5b")),
        "sent-angry_black_woman_stereotype",
        "sent-angry_black_woman_stereotype_b",
    ),
    "religion": tuple(f"sent-religion{n}" for n in ("1", "1b", "2", "2b")),
    "age": ("sent-weat10",),
    "health": ("sent-weat9",),
    "double_bind": (
        "sent-heilman_double_bind_competent_one_word",
        "sent-heilman_double_bind_likable_one_word",
    ),
    "control": ("sent-weat1", "sent-weat2"),
}


@dataclass(frozen=True)
class Seat(AssociationBenchmark):
    """SEAT (May et al. 2019): WEAT on sentences, with the mean of a model's last hidden states as embedding.

    A score is the association s of one sentence; the figures are effect sizes d of whole tests, and the notes
    hold the permutation test. Sentences about one word are resampled together. Licence: CC BY-NC 4.0, the
    religion tests none stated.

    Attributes:
        tests: the attribute: ``gender`` (6, 6b, 7, 7b, 8, 8b), ``race``, ``religion``, ``age``, ``health``,
            ``double_bind``; ``control`` has no people in it (flowers and insects); ``all`` of them.
        file: a test of your own, a JSON object with targ1, targ2, attr1 and attr2, each with a category and
            its examples; empty takes the published tests.

    Raises:
        BadData: the data is not on this machine, or a file is malformed.
    """

    tests: Attribute = "gender"

    family = "seat"
    published = TESTS

    @cached_property
    def card(self) -> Card:
        return _card(self.tests, bool(self.file), self.digest)


def _card(tests: str, own: bool, digest: str) -> Card:
    return Card(
        name="seat",
        version="1",
        title=f"SEAT, {'a test of your own' if own else tests}: associations between sentence embeddings",
        source="the user's own test"
        if own
        else "May et al. 2019, arXiv:1903.10561; W4ngatang/sent-bias; religion: McGill-NLP/bias-bench",
        licence="the user's own" if own else "CC BY-NC 4.0; religion: none stated",
        digest=digest,
        families=EMBEDDERS,
        reading="0 is no association. The embeddings are means over all tokens, where other work takes the "
        "first or the last one, so figures differ from those. Associations of embeddings need not show in "
        "what a model writes.",
    )


component = Seat
