"""A few training examples in the shape that GenBiasEval gives, for the tiny models."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.records import Example, PairExample, PersonExample, TextExample, TrainingExample
from tests.support.decisions import people

PROFESSIONS = ("nurse", "carpenter", "teacher", "doctor")
ACTIONS = ("smiled", "left", "sat down slowly", "switched off the lights")


def examples() -> tuple[Example, ...]:
    """Sixteen prompts of unlike lengths with the terms " he" and " she"."""
    return tuple(
        Example(f"{p}/{a}", p, f"The {p} {a} because", ("male", "female"), ((" he",), (" she",)))
        for p in PROFESSIONS
        for a in ACTIONS
    )


def texts() -> tuple[TextExample, ...]:
    """The prompts as plain texts that end with a term, the two terms in turn."""
    ended = [f"{e.context}{e.terms[i % 2][0]} was late" for i, e in enumerate(examples())]
    return tuple(TextExample(e.id, e.cluster, text) for e, text in zip(examples(), ended, strict=True))


def pairs() -> tuple[PairExample, ...]:
    """The prompts as sentences that differ in the term alone."""
    return tuple(
        PairExample(e.id, e.cluster, f"{e.context} he was late", f"{e.context} she was late")
        for e in examples()
    )


def one_of_each() -> dict[type[TrainingExample], Sequence[TrainingExample]]:
    """Examples of every kind, by their kind."""
    return {Example: examples(), PersonExample: people(), TextExample: texts(), PairExample: pairs()}
