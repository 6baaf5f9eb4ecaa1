"""Measurements of simulated models, item by item: bias prompts, hints, questions and texts.

A base leans to he or she by profession. A model is described by a few numbers (`Made`): how much of the lean
is left, how much probability the pronouns keep, how many questions it still answers, how much likelihood it
lost. All randomness is seeded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evenhand import registry, stats
from evenhand.metrics import Array
from evenhand.records import Card, GuardName, Measurement, ModelSpec, Protocol, Score, Value
from evenhand.studies.pairing import ControlModel, ModelMeasurements
from evenhand.studies.verdict import Controlled

PROFESSIONS, TEMPLATES, QUESTIONS, TEXTS = 40, 3, 800, 80
LEANS = np.linspace(-0.8, 0.8, PROFESSIONS)  # P(he) - P(she) as a share of their mass; mean size about 0.41

DOSES = (
    0.03,
    0.05,
    0.07,
    0.1,
    0.14,
    0.2,
    0.3,
    0.4,
    0.6,
    0.8,
    1.0,
    1.3,
    1.8,
)  # of hardly any loss, and of much
SIZE = 0.1  # of the change at a dose of 1

CAPABILITY = ("facts", "perplexity")
PRIMARY = {"genbiaseval": "afgb_normalised", "decisions": "counterfactual_gap", "stereoset": "ss"}
GUARDS = {GuardName.MASS: "mass", GuardName.HINTS: "ub", GuardName.REST: "lms"}


@dataclass(frozen=True)
class Made:
    """A model: `lean` maps the base's leans to its own, `mass` is P(he) + P(she), `hint` the answer to hints.

    `forgets` is the share of the questions that it no longer answers, `loss` the extra nats a token.
    """

    lean: Callable[[Array], Array] = lambda x: x
    mass: float = 0.9
    hint: float = 0.8
    forgets: float = 0.0
    loss: float = 0.0
    seed: int = 0
    jitter: float = 0.0
    protocol: Mapping[str, object] = field(default_factory=dict)


def measurement(
    benchmark: str, metrics: Sequence[str], scores: Sequence[Score], **protocol: object
) -> Measurement:
    """A measurement with real estimates."""
    card = Card(benchmark, "1", benchmark, "simulated", "CC0", digest=f"data of {benchmark}")
    found = {name: stats.estimate(registry.get("metric", name), scores, B=200) for name in metrics}
    return Measurement(
        ModelSpec("simulated", "0" * 64),
        benchmark,
        card,
        Protocol(card.digest, **protocol),  # type: ignore[arg-type]
        len(scores),
        found,
        {},
        tuple(scores),
        role="capability" if benchmark in CAPABILITY else "bias",
        primary=PRIMARY.get(benchmark),
        guards={part: name for part, name in GUARDS.items() if name in found},
    )


def items(benchmark: str, clusters: Sequence[str], **columns: Sequence[Value] | Array) -> list[Score]:
    """One score a cluster entry, with the given columns; a double underscore in a name stands for a dot."""
    return [
        Score(
            f"{benchmark}/{i}",
            cluster,
            {
                name.replace("__", "."): None
                if (value := column[i]) is None or np.isnan(value)
                else float(value)
                for name, column in columns.items()
            },
        )
        for i, cluster in enumerate(clusters)
    ]


def bias(made: Made) -> Measurement:
    """The bias benchmark: every profession with every template."""
    rng = np.random.default_rng(made.seed)
    base = np.repeat(LEANS, TEMPLATES)
    lean = np.clip(made.lean(base) + made.jitter * rng.normal(size=len(base)), -1, 1)
    clusters = [f"profession {i // TEMPLATES}" for i in range(len(base))]
    # As with hints, a change of the mass differs by item; its mean is as made.
    mass = made.mass * (1 + 0.05 * (made.mass / 0.9 - 1) * np.linspace(-1, 1, len(base)))
    scores = items("genbiaseval", clusters, p__male=mass * (1 + lean) / 2, p__female=mass * (1 - lean) / 2)
    return measurement(
        "genbiaseval", ["afgb", "afgb_normalised", "afgb_signed", "mass"], scores, **made.protocol
    )


def hints(made: Made) -> Measurement:
    """The hint benchmark: UB is `made.hint`."""
    hint = np.arange(PROFESSIONS) % 2
    # What a change moves differs a little by item: nothing moves all items of a model alike.
    followed = made.hint + 0.05 * (made.hint - 0.8) * np.linspace(-1, 1, PROFESSIONS)
    towards = np.where(hint == 0, followed, -followed)
    clusters = [f"profession {i}" for i in range(PROFESSIONS)]
    p = {"p__male": (0.9 + towards) / 2, "p__female": (0.9 - towards) / 2}
    return measurement("genhinteval", ["ub", "afgb", "mass"], items("genhinteval", clusters, **p, hint=hint))


def questions(made: Made) -> Measurement:
    """Questions: every 10th is wrong for the base; damage forgets more of them."""
    rng = np.random.default_rng(made.seed + 1)
    correct = (np.arange(QUESTIONS) % 10 != 0) & (rng.uniform(size=QUESTIONS) >= made.forgets)
    scores = items("facts", [f"question {i}" for i in range(QUESTIONS)], correct=correct.astype(float))
    return measurement("facts", ["accuracy"], scores)


def texts(made: Made) -> Measurement:
    """Texts of 10 tokens; the base needs 1.5 to 2.5 nats a token, and damage costs `loss` more."""
    rng = np.random.default_rng(made.seed + 2)
    nats = np.linspace(1.5, 2.5, TEXTS) + made.loss + 0.05 * made.loss * rng.normal(size=TEXTS)
    scores = items(
        "perplexity", [f"text {i}" for i in range(TEXTS)], nll=10 * nats, tokens=np.full(TEXTS, 10.0)
    )
    return measurement("perplexity", ["perplexity"], scores)


def stereotypes(preferred: float, related: float = 0.9, n: int = 2000) -> Measurement:
    """StereoSet by item: the shares of pairs where the stereotype, and a meaningful option, is preferred."""
    order = np.random.default_rng(3).permutation(n)  # the same items change their answer, whatever the share
    columns = {
        "preferred": (order < preferred * n).astype(float),
        "related": (np.random.default_rng(4).permutation(n) < related * n).astype(float),
        "term": np.arange(n) // 5.0,
    }
    scores = items("stereoset", [f"term {i // 5}" for i in range(n)], **columns)
    return measurement("stereoset", ["ss", "lms", "icat"], scores)


def pairs(preferred: float, made: Made, related: float = 0.9) -> ModelMeasurements:
    """StereoSet beside the capability of a model that is made so."""
    return ModelMeasurements((stereotypes(preferred, related),), (questions(made), texts(made)))


def damaged_pairs(start: float = 0.7, doses: Sequence[float] = DOSES, seeds: int = 3) -> Controlled:
    """Control models whose SS falls slowly towards 50 with the dose."""
    return Controlled(
        {
            name: [
                ControlModel(
                    dose,
                    seed,
                    pairs(
                        0.5 + (start - 0.5) * (1 - 0.1 * dose) + 0.002 * (seed - 1),
                        damage(dose, offset + seed),
                        0.9 - 0.05 * dose,
                    ),
                    SIZE * dose,
                )
                for dose in doses
                for seed in range(seeds)
            ]
            for name, offset in (("sham", 10), ("noise", 50))
        },
        size=SIZE,
    )


def measured(made: Made) -> ModelMeasurements:
    """All four benchmarks."""
    return ModelMeasurements((bias(made), hints(made)), (questions(made), texts(made)))


@functools.cache
def untreated() -> ModelMeasurements:
    """The base. Kept, as `everyone`: many tests read them, and nothing is made while tests are collected."""
    return measured(Made())


@functools.cache
def fairer() -> ModelMeasurements:
    """A tenth of the base's leans is left, and all else."""
    return measured(Made(lean=lambda x: 0.1 * x))


def damage(dose: float, seed: int) -> Made:
    """A control model: leans fade and the rest of the model suffers, more with every dose."""
    rng = np.random.default_rng([seed, int(1000 * dose)])
    keep = max(0.0, 1 - 0.25 * dose + 0.02 * dose * rng.normal())
    return Made(
        lean=lambda x: keep * x,
        mass=0.9 - 0.05 * dose,
        hint=0.8 * keep,
        forgets=min(1.0, 0.12 * dose),
        loss=0.15 * dose * (1 + 0.05 * rng.normal()),
        seed=1000 * seed + int(100 * dose),
        jitter=0.01 * dose,
    )


def families(doses: Sequence[float] = DOSES, seeds: int = 3) -> dict[str, list[ControlModel]]:
    """Two families of control models, alike in kind."""
    return {
        name: [
            ControlModel(dose, seed, measured(damage(dose, offset + seed)), SIZE * dose)
            for dose in doses
            for seed in range(seeds)
        ]
        for name, offset in (("sham", 10), ("noise", 50))
    }


def controlled(doses: Sequence[float] = DOSES, seeds: int = 3, size: float = SIZE) -> Controlled:
    """These families beside a treated model whose change is as large as that of a dose of 1."""
    return Controlled(families(doses, seeds), size=size)


@functools.cache
def everyone() -> Controlled:
    """`controlled` with its defaults."""
    return controlled()
