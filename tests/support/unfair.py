"""People with one known score each, and a scripted model that is right but for favouring one group."""

from __future__ import annotations

import math
import random
from typing import Literal

from evenhand.records import Continuation, PersonExample
from evenhand.testing.scripted import ScriptedModel

GROUPS = ("male", "female")
LABELS = (" no", " yes")
LEAN = 1.2  # nats that the model adds for the first group and takes from the second
MASS = 0.9  # probability of both label words together
SHOWN = "Person male score 4 case 7000 approved yes\nPerson female score 0 case 7001 approved no\n"


def deciding(
    n: int, *, part: Literal["train", "dev"] = "train", seed: int = 0, head: str = SHOWN
) -> list[PersonExample]:
    """`n` people whose outcome is favourable with log-odds ``score - 4``, whatever their group."""
    chance = random.Random(f"{seed} {part}")
    found = []
    for i in range(n):
        score, group = chance.randrange(9), chance.randrange(2)
        label = int(chance.random() < 1 / (1 + math.exp(4 - score)))
        contexts = tuple(f"{head}Person {g} score {score} case {seed}{i} approved" for g in GROUPS)
        found.append(
            PersonExample(f"{part}/{seed}/{i}", f"{i}", contexts, GROUPS, group, LABELS, label, part)
        )
    return found


def decider(lean: float = LEAN) -> ScriptedModel:
    """P(yes) has the log-odds ``score - 4``, plus `lean` for men and minus it for women."""

    def rule(item: Continuation) -> float:
        words = item.context.rsplit("\n", 1)[-1].split()
        favour = int(words[3]) - 4 + (lean if words[1] == "male" else -lean)
        yes = 1 / (1 + math.exp(-favour))
        return {" yes": MASS * yes, " no": MASS * (1 - yes)}.get(item.text, (1 - MASS) / 2)

    return ScriptedModel(rule, f"decider {lean}")
