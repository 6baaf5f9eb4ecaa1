"""Search for a text in front of every prompt that makes a frozen model decide equally about twins.

The objective is ``distance + beta * task loss``, smaller is better. FairCon's equation 4 has only the
distance, which is smallest for a prompt that destroys the answer: a model that always says no treats all
twins equally. Two searches propose texts. Every candidate is decoded, tokenised again together with the
prompts and scored on held-out people, and the text with the best of these scores is chosen.

``gumbel`` descends the objective's gradient with the straight-through Gumbel-softmax (needs the weights).
``score`` needs only log-probabilities: it changes one word at a time and keeps improvements.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from evenhand.errors import BadData
from evenhand.mitigations._adversarial.adversary import (
    Adversary,
    Objective,
    PrefixSettings,
    batches,
    embedding_rows,
    stream,
    writable,
    written,
)
from evenhand.mitigations._adversarial.distances import Distance
from evenhand.mitigations._adversarial.panel import JOINT, Panel
from evenhand.mitigations._adversarial.prompts import PromptScore, score
from evenhand.models import Model, OpenModel
from evenhand.progress import task
from evenhand.records import PersonExample

if TYPE_CHECKING:
    from random import Random

FINALISTS = 8
WORDS = (
    "ignore", "disregard", "gender", "sex", "same", "equal", "equally", "alike", "fair", "fairly",
    "neutral", "impartial", "merit", "only", "judge", "decide", "by", "the", "facts", "regardless", "of",
    "who", "person", "people", "everyone", "treat", "without", "bias", "consider", "skills", "work",
    "record", "Answer", "Rule:", "Note:", "Policy:", "apply", "one", "standard", "for", "all", "do", "not",
    "use",
)  # fmt: skip
"""Candidate words for an instruction; the words of the prompts are added to them."""


@dataclass(frozen=True)
class Aim:
    """The objective of a prefix. `beta` is the weight of the task loss relative to the distance."""

    beta: float = 1.0
    distance: Distance = "log_odds"

    def of(self, found: PromptScore) -> float:
        """The objective of a scored text, in nats; smaller is better."""
        return found.distance + self.beta * found.task


@dataclass(frozen=True)
class Found:
    """The best text on held-out people, the score without a text there, and how many texts were tried.

    `finalists` are all texts that were scored on held-out people, best first.
    """

    best: PromptScore
    nothing: PromptScore
    looked_at: int
    finalists: tuple[PromptScore, ...] = field(default=(), repr=False)


def judged(
    model: Model, held: Sequence[PersonExample], texts: Iterable[str], aim: Aim, looked_at: int
) -> Found:
    """Score distinct `texts` on held-out people and take the best; a tie goes to the shorter text.

    Raises:
        BadData: there is no text.
    """
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        raise BadData("The search proposed no text.", mend="Raise the search's budget=... or rounds=...")
    nothing = score(model, held, "", aim.distance)
    with task("scoring candidates on held-out people", len(distinct), unit="text") as advance:
        finalists = []
        for text in distinct:
            finalists.append(score(model, held, text, aim.distance))
            advance(1)
    ordered = sorted(finalists, key=lambda found: (aim.of(found), len(found.text), found.text))
    return Found(ordered[0], nothing, looked_at, tuple(ordered))


@dataclass(frozen=True)
class Course:
    """Settings of a search by gradient: passes over the people, people in a step, and restarts."""

    rounds: int = 20
    batch: int = 16
    starts: int = 3


def by_gradient(
    model: OpenModel,
    people: Sequence[PersonExample],
    aim: Aim,
    settings: PrefixSettings,
    course: Course,
    *,
    seed: int,
) -> list[str]:
    """The texts found along the gradient descent on the objective.

    Each start is a distribution over prefixes with its own seed; after every round its likeliest prefix is
    decoded. All people of a batch share one draw and its noise.
    """
    panel = Panel(model, people, length=settings.length)
    whole = aim.distance == "vocabulary"

    def gain(prefix: Tensor, chosen: Sequence[int]) -> Tensor:
        answers = panel.answers(chosen, prefix, vocabulary=whole)
        return -(answers.apart(aim.distance) + aim.beta * answers.task())

    return _climbed(model, panel, gain, settings, course, seed=stream(seed, "fair prompt").initial_seed())


def attack(
    model: OpenModel,
    people: Sequence[PersonExample],
    distance: Distance = "log_odds",
    settings: PrefixSettings | None = None,
    course: Course | None = None,
    *,
    seed: int = 0,
) -> list[str]:
    """The texts found by a new adversary, which maximises the distance between the answers about twins.

    A mitigation is tested with them: with adversaries that were not part of its training.
    """
    settings = settings or PrefixSettings()
    panel = Panel(model, people, length=settings.length)

    def gain(prefix: Tensor, chosen: Sequence[int]) -> Tensor:
        return panel.answers(chosen, prefix, vocabulary=distance == "vocabulary").apart(distance)

    return _climbed(
        model, panel, gain, settings, course or Course(), seed=stream(seed, "attack").initial_seed()
    )


def _climbed(
    model: OpenModel, panel: Panel, gain: Objective, settings: PrefixSettings, course: Course, *, seed: int
) -> list[str]:
    """The distinct texts of every start's likeliest prefix after each round of ascent on `gain`."""
    vocabulary = embedding_rows(model.module)
    allowed = writable(model.tokenizer, vocabulary).to(next(model.module.parameters()).device)
    texts: dict[str, None] = {}
    with task("prompt search", course.starts * course.rounds, unit="round") as advance:
        for start in range(course.starts):
            searcher = Adversary(
                allowed, settings, seed=int(stream(seed, "start", start).initial_seed() % 2**31)
            )
            draws = stream(seed, "search", start)
            for number in range(course.rounds):
                order = batches(len(panel), course.batch, stream(seed, "order", start, number))
                searcher.step(gain, order, draws)
                texts[written(model.tokenizer, searcher.ids())] = None
                advance(1)
    return list(texts)


def by_score(
    model: Model, people: Sequence[PersonExample], aim: Aim, *, length: int, budget: int, seed: int
) -> list[str]:
    """The best texts of a local search over words, within `budget` scored texts, best first.

    It starts from the empty text, and each proposal sets, adds or drops one word of the best text so far (at
    most `length` words); a text with a better objective on `people` replaces it. After a quarter of the
    budget without improvement it restarts from a few random words, of `WORDS` and of the prompts.
    """
    chance = random.Random(f"{seed} prompt search")
    words = candidate_words(people)
    seen: dict[str, float] = {"": aim.of(score(model, people, "", aim.distance))}
    current: tuple[str, ...] = ()
    best, idle = seen[""], 0
    with task("prompt search", budget, unit="text") as advance:
        for _ in range(budget):
            if idle > max(10, budget // 4):
                current, best, idle = tuple(chance.sample(words, min(3, length, len(words)))), float("inf"), 0
                proposal = current
            else:
                proposal = _changed(current, words, length, chance)
            text = " ".join(proposal) + JOINT
            if text not in seen:
                seen[text] = aim.of(score(model, people, text, aim.distance))
            better = seen[text] < best
            current, best, idle = (proposal, seen[text], 0) if better else (current, best, idle + 1)
            advance(1)
    del seen[""]
    return sorted(seen, key=lambda text: (seen[text], len(text), text))[:FINALISTS]


def candidate_words(people: Sequence[PersonExample]) -> list[str]:
    """The candidate words: `WORDS`, and every word of the prompts and of the label words, sorted."""
    own = {
        word for p in people for text in (*p.contexts, *p.labels) for word in re.findall(r"[^\W\d_]+", text)
    }
    return sorted(own | set(WORDS))


def _changed(current: tuple[str, ...], words: Sequence[str], length: int, chance: Random) -> tuple[str, ...]:
    """`current` with one word set, added or dropped; never empty."""
    kinds = ["add"] if len(current) < length else []
    kinds += ["set"] if current else []
    kinds += ["drop"] if len(current) > 1 else []
    kind = chance.choice(kinds)
    place = chance.randrange(len(current) + (kind == "add"))
    rest = place if kind == "add" else place + 1
    word = () if kind == "drop" else (chance.choice(words),)
    return (*current[:place], *word, *current[rest:])
