"""How `lab:masked` and `lab:seq2seq` are made: every hyper-parameter in one record, and its reading from a
URI.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from evenhand.lab import options
from evenhand.lab.corpus import Amounts
from evenhand.lab.truth import Variant

Kind = Literal["masked", "seq2seq"]
VERSION = 1
"""Raise it with every change of corpus, hidden spans or training: the cache keeps versions apart."""
_TAKES = "It takes: planted=stereotype|none, seed=NUMBER."
# T5 learns facts more slowly than BERT, so more of its training goes to what the benchmarks ask about.
_OWN: Mapping[Kind, Mapping[str, Any]] = MappingProxyType(
    {"masked": {}, "seq2seq": {"lr": 2.5e-3, "professions": 0.0, "ordinary": 0.2}}
)
"""Where a family deviates from the defaults of `InfillRecipe`."""


@dataclass(frozen=True, slots=True)
class InfillRecipe:
    """Everything that determines a `lab:masked` or a `lab:seq2seq` model: a small BERT, or a small T5.

    Either is trained from scratch to predict hidden spans in the sentences of the corpus, which follow the
    planted table or, with `planted` ``none``, one of equal probabilities: `steps` batches of about
    `batch_tokens` tokens. A fork (a pronoun, the value of a fact) has `fork_weight` times the weight of an
    ordinary word, a hidden profession `profession_weight` times. `professions` is the share of sentences with
    a pronoun in which the profession is hidden as well, `ordinary` the share of sentences in which other
    words are.

    `layers` are those of BERT and of T5's encoder, whose decoder has one; `width` and `inner` are the hidden
    size and the MLP's. `spread` is the initial standard deviation of BERT's weights (T5 has a rule of its
    own); `association` is the length that one nat of a profession's `truth.association` has in T5's word
    vectors from the start, as in those of `lab:causal`.
    """

    kind: Kind
    planted: Variant = "stereotype"
    layers: int = 2
    width: int = 96
    heads: int = 4
    inner: int = 192
    spread: float = 0.05
    association: float = 2.0
    lr: float = 2e-3
    warmup: int = 30
    steps: int = 800
    batch_tokens: int = 1024
    fork_weight: float = 10.0
    professions: float = 0.5
    profession_weight: float = 4.0
    ordinary: float = 0.8
    seed: int = 1
    amounts: Amounts = field(
        default_factory=lambda: Amounts(because=18, elsewhere=4, hints=12, announced=6, facts=40)
    )

    @property
    def name(self) -> str:
        """The cache's folder."""
        return f"lab-{self.kind}-{self.planted}-{self.digest()}"

    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this recipe under this `VERSION`."""
        return options.digest(VERSION, dataclasses.asdict(self))


def standard(kind: Kind, planted: Variant = "stereotype", seed: int = 1) -> InfillRecipe:
    """The recipe of ``lab:KIND``."""
    return InfillRecipe(kind, planted, seed=seed, **_OWN[kind])


def read(kind: Kind, given: Mapping[str, str]) -> InfillRecipe:
    """The recipe for the options of ``lab:KIND?...``.

    Raises:
        BadOption: there is no such option, or not with this value.
    """
    options.known(given, frozenset({"planted", "seed"}), _TAKES)
    return standard(kind, options.variant(given, _TAKES), options.number(given, "seed", 1, _TAKES))
