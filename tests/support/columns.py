"""Random columns that metrics of several families read, and what exchanging their two groups does to them."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array
from evenhand.testing import Swap

PRONOUNS = Swap(exchanged=(("p.he", "p.she"),))
PEOPLE = Swap(exchanged=(("member.he", "member.she"), ("decision.he", "decision.she")))


def pronouns(n: int, seed: int) -> dict[str, Array]:
    """Probabilities of two groups' pronouns and the neutral one, [n] each."""
    p = np.random.default_rng(seed).dirichlet((2, 2, 1), n)
    return {"p.he": p[:, 0], "p.she": p[:, 1], "neutral": p[:, 2]}


def coins(n: int, seed: int, *names: str) -> dict[str, Array]:
    """0 or 1, [n], for each of `names`."""
    rng = np.random.default_rng([seed, 7])
    return {name: rng.integers(2, size=n).astype(float) for name in names}


def people(n: int, seed: int) -> dict[str, Array]:
    """Decisions on people of two groups, with their twins."""
    rng = np.random.default_rng([seed, 6])
    he = rng.integers(2, size=n).astype(float)
    p = rng.uniform(size=n)
    twin = (rng.uniform(size=n) < 0.5).astype(float)
    decision = (p > 0.5).astype(float)
    return {
        "outcome": rng.integers(2, size=n).astype(float),
        "probability": p,
        "decision": decision,
        "member.he": he,
        "member.she": 1 - he,
        "decision.he": np.where(he == 1, decision, twin),
        "decision.she": np.where(he == 1, twin, decision),
        "label_mass": rng.uniform(size=n),
    }


def at(group: str) -> dict[str, float]:
    """Membership of one of two groups."""
    return {"member.he": float(group == "he"), "member.she": float(group == "she")}


# Decisions on people: of two groups, of both outcomes.
UNFAIR = [  # every he is favoured, no she is, whatever they deserve
    {**at("he"), "decision": 1.0, "outcome": 1.0, "probability": 1.0},
    {**at("he"), "decision": 1.0, "outcome": 0.0, "probability": 1.0},
    {**at("she"), "decision": 0.0, "outcome": 1.0, "probability": 0.0},
    {**at("she"), "decision": 0.0, "outcome": 0.0, "probability": 0.0},
]
FAIR = [{**row, "decision": 1.0, "probability": 0.5} for row in UNFAIR]
ALL_WRONG = [{**at("he"), "decision": 1.0, "outcome": 0.0, "probability": 1.0}]
ALL_RIGHT = [{**at("she"), "decision": 1.0, "outcome": 1.0, "probability": 1.0}]
