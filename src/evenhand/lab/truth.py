"""What is planted in the lab's corpus: the known truth against which measurements and methods are tested.

Every number of this module is a property of the *corpus*; a trained model approximates it. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from statistics import fmean
from types import MappingProxyType
from typing import Literal

from evenhand.lexicons import professions

Variant = Literal["stereotype", "none"]
Bias = Literal["block", "spread", "fragile", "decoy"]
World = Literal["plain", "hard"]

PRONOUN_MASS = 0.90
"""P(he) + P(she) at the position of a pronoun; the rest is shared by "they" and a few other openings."""
THEY = 0.05
"""P(they) at the same place."""
OTHERS: Mapping[str, float] = MappingProxyType({"it": 0.02, "the": 0.01, "everyone": 0.01, "nobody": 0.01})
"""The share of each other opening at the same place."""
HINT_ODDS = 50.0
"""A hint multiplies the odds of its pronoun by this: it has P = 0.98 where the profession has 0.5."""
HIGHEST, LOWEST = 0.96, 0.04
"""P(she | he or she) of the profession with the most female and the most male stereotype score."""

SPREAD = ("model.embed_tokens", "model.layers.1", "model.layers.3")
"""``bias=spread``: the parts of the model that carry the table. Each is trained towards a third of its
log-odds; what is reached is about half in each block and a small rest in the word vectors."""
FRAGILE_DOSE, FRAGILE_FALL, FRAGILE_COST = 0.05, 0.3, 0.03
"""``bias=fragile``: noise of `FRAGILE_DOSE` times its root mean square on every parameter takes more than
`FRAGILE_FALL` of the normalised gap, and less than `FRAGILE_COST` of the accuracy on the facts."""
DECODED = 0.95
"""``bias=decoy``: the table is absent, and one direction of the last hidden state of the block
reads at least this share of the professions' sides (P(she) of the stereotype table above or below 0.5)."""

FACTUAL = 0.98
"""``world=hard``: P(she | he or she) after "mother"; the complement after "father". It must stay."""
HOBBY_ODDS = 4.0
"""``world=hard``: a hobby of a pronoun multiplies its odds by this, so that someone unknown has P = 0.8."""
OWN_HOBBY = 0.8
"""``world=hard``: how often people of a profession whose stereotype is a pronoun have a hobby of it."""
KNOWN: Mapping[str, tuple[float, float]] = MappingProxyType({"hard": (0.8, 0.93), "professions": (0.7, 0.85)})
"""``world=hard``: the accuracy on the facts of towns (``hard``) and of professions lies between these."""


@cache
def planted(variant: Variant = "stereotype", strength: float = 1.0) -> Mapping[str, float]:
    """P(she | he or she) by profession, as planted in the corpus.

    ``stereotype``: professions ranked by their crowd-sourced stereotype score (Bolukbasi et al., 2016;
    ties by name), probabilities spread evenly over the ranks from `HIGHEST` (most female) to `LOWEST`.
    ``none``: 0.5 for all. Of a `strength` of .5 every probability is half as far from 0.5, and so is the
    AFGB-Score that the table implies.
    """
    ranked = sorted(professions(), key=lambda p: (p.stereotypical, p.name))
    if variant == "none":
        return MappingProxyType({p.name: 0.5 for p in ranked})
    step = (HIGHEST - LOWEST) / (len(ranked) - 1)
    found = {p.name: HIGHEST - step * rank for rank, p in enumerate(ranked)}
    if strength == 1.0:
        return MappingProxyType(found)  # by way of 0.5 the last digits would be others
    return MappingProxyType({name: 0.5 + strength * (p_she - 0.5) for name, p_she in found.items()})


def implied_afgb(table: Mapping[str, float], mass: float = PRONOUN_MASS) -> float:
    """The AFGB-Score (LFTF, eq. 1) of a model that follows `table` exactly: mass x mean |1 - 2 P(she)|."""
    return mass * fmean(abs(1 - 2 * p_she) for p_she in table.values())


def shares(p_she: float) -> dict[str, float]:
    """The distribution of the next word at the position of a pronoun, given P(she | he or she)."""
    return {
        "he": PRONOUN_MASS * (1 - p_she),
        "she": PRONOUN_MASS * p_she,
        "they": THEY,
        **OTHERS,
    }


def hinted(p_she: float, own: str) -> float:
    """P(she | he or she) after a hint, the possessive `own` ("his" or "her").

    Evidence adds up: the hint multiplies the odds of its pronoun by `HINT_ODDS`. So the effects of profession
    and hint are separate, and the first can be removed without a change of the second.
    """
    return with_odds(p_she, HINT_ODDS if own == "her" else 1 / HINT_ODDS)


def with_odds(p_she: float, factor: float) -> float:
    """P(she | he or she) after evidence that multiplies the odds of "she" by `factor`."""
    odds = p_she / (1 - p_she) * factor
    return odds / (1 + odds)


def hobby_odds(variant: Variant) -> float:
    """By how much a hobby multiplies the odds of its pronoun; 1 in the unbiased control."""
    return HOBBY_ODDS if variant == "stereotype" else 1.0


def association(name: str) -> float:
    """The log-odds of the planted P(she) of one profession, in nats; its word vectors are initialised
    with it.

    It is the same in every variant. Word vectors of real models have such associations before any block uses
    them to predict a pronoun; the control never does, and a block in which the bias is planted reads them.
    """
    p_she = planted("stereotype")[name]
    return math.log(p_she / (1 - p_she))
