"""A few training examples of every kind, for the tiny models."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.records import Example, PairExample, PersonExample, TextExample, TrainingExample

PROFESSIONS = ("nurse", "carpenter", "teacher", "doctor")
STATES = ("tired", "late", "done", "slowly")
GROUPS = ("male", "female", "neither")
WORDS = ("he", "she", "they")
ACTIONS = ("smiled", "left", "sat down slowly", "switched off the lights")


def examples() -> tuple[Example, ...]:
    """Sixteen prompts of unlike lengths with the terms " he" and " she"."""
    return tuple(
        Example(
            id=f"{p}/{a}",
            cluster=p,
            context=f"The {p} {a} because",
            groups=("male", "female"),
            terms=((" he",), (" she",)),
            span=(len("The "), len(f"The {p}")),
        )
        for p in PROFESSIONS
        for a in ACTIONS
    )


def people(
    *, k: int = 2, dev: bool = True, labels: tuple[str, ...] = (" left", " smiled")
) -> list[PersonExample]:
    """Sixteen people to decide on, of unlike prompt lengths: k twins each, whose prompts differ in one word.

    The last four are held out if `dev`.
    """
    return [
        PersonExample(
            id=f"{job}/{state}",
            cluster=job,
            contexts=tuple(
                f"The {job} was {state} because {word}" + (" was" if i % 2 else "") for word in WORDS[:k]
            ),
            groups=GROUPS[:k],
            group=(i + j) % k,
            labels=labels,
            label=(i // 2 + j) % len(labels),
            part="dev" if dev and j == 3 else "train",
        )
        for i, job in enumerate(PROFESSIONS)
        for j, state in enumerate(STATES)
    ]


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
