"""FairCon (Gaudi 2024): biased demonstrations, counterbalanced ones, and training with a fairness term."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from evenhand.reproductions.evidence import Evidence
from evenhand.reproductions.judging import Change, Judgement, at_least, every, falls, rises
from evenhand.reproductions.recipe import Claim, Judge, Recipe, on_lab

if TYPE_CHECKING:
    from evenhand.records import ModelSpec

PLAIN, FAIR = "faircon:lam=0", "faircon"
PARITIES = ("b_P = 0.00", "b_P = 0.13", "b_P = 0.50", "b_P = 1.00")
NATURAL = PARITIES[1]  # the parity of the data as they are
BALANCED, DRAWN = "counterbalanced", "not counterbalanced"
TUNED, FAIREST = "Fine tuned LLM", "Fine tuned LLM with fairness constraints"


def _between(e: Evidence, column: str, table: str, first: str, second: str) -> Change:
    old, new = (e.site(column, table=table, row=row) for row in (first, second))
    return e.between(f"{old.title}, {first} to {second}", old, new)


def _grows(column: str) -> Judge:
    """From the lowest parity to the highest."""
    return lambda e: rises(_between(e, column, "1", PARITIES[0], PARITIES[-1]))


def _every_step(column: str) -> Judge:
    return lambda e: every([rises(_between(e, column, "1", *step)) for step in pairwise(PARITIES)])


def _highest(e: Evidence) -> Judgement:
    """Accuracy at the parity of the data beside every other parity."""
    others = [one for one in PARITIES if one != NATURAL]
    return every([rises(_between(e, "acc", "1", one, NATURAL)) for one in others])


def _tuned(e: Evidence, column: str) -> Change:
    return e.change(e.site(column, table="3", row=FAIREST), FAIR, PLAIN)


def _no_chance(e: Evidence) -> Judgement:
    """Whether the fair model decides better than one answer for everybody."""
    site = e.site("acc", table="3", row=FAIREST)
    found = e.figure(site, FAIR)
    one_answer = e.record(FAIR).before[0].metrics["majority_rate"].value
    return at_least("accuracy of the fair model", found, one_answer if one_answer is not None else 0.5)


CLAIMS = (
    Claim("1", "DPD grows with the bias parity of the demonstrations, from 0 to 1.", _grows("dpd")),
    Claim("1", "The equalised-odds difference grows as well.", _grows("deo")),
    Claim("1", "DPD grows with every step in parity.", _every_step("dpd")),
    Claim("1", "The model is the most accurate at the parity of the data, 0.13.", _highest),
    Claim("1", "The gap between twins grows with every step in parity.", _every_step("twins"), ours=True),
    Claim(
        "2",
        "Counterbalanced demonstrations give a smaller DPD than drawn ones of parity 0 ...",
        lambda e: falls(_between(e, "dpd", "2", DRAWN, BALANCED)),
    ),
    Claim("2", "... and better decisions.", lambda e: rises(_between(e, "acc", "2", DRAWN, BALANCED))),
    Claim(
        "3",
        "Training with the fairness term gives a smaller DPD than without.",
        lambda e: falls(_tuned(e, "dpd")),
    ),
    Claim("3", "The equalised-odds difference is smaller as well.", lambda e: falls(_tuned(e, "deo"))),
    Claim("3", "The gap between twins is smaller as well.", lambda e: falls(_tuned(e, "twins")), ours=True),
    Claim("3", "The fair model decides better than one answer for everybody.", _no_chance, ours=True),
)


def _places(model: ModelSpec) -> Mapping[str, str]:
    return {"task": "lab" if on_lab(model) else "adult"}


RECIPE = Recipe(
    "faircon",
    families=("causal",),
    unfit="Demonstrations are read from left to right.",
    claims=CLAIMS,
    places=_places,
    differs=(
        "Tested people are balanced between sex and outcome and the same in every row; nobody is both shown "
        "and tested.",
        "Every row of tables 1 and 2 is measured behind five draws of demonstrations; the paper does not "
        "say behind how many.",
        "With 16 demonstrations parities are multiples of 1/8: 0.13 is 0.125 here.",
        "The income of Adult is read with and without the full stop that the paper's code overlooks.",
        "The people of table 3 are trained on as they are drawn; the script perf/faircon.py draws them with "
        "a bias parity of 0.5 and judges behind the worst prompts that fresh adversaries find.",
        "`faircon` has the fairness term in the model's loss, which the public code lacks; lam=0 is plain "
        "tuning.",
    ),
)
