"""A few people to decide on, for the tiny models: twins whose prompts differ in one word."""

from __future__ import annotations

from evenhand.records import PersonExample

JOBS = ("nurse", "carpenter", "teacher", "doctor")
STATES = ("tired", "late", "done", "slowly")
GROUPS = ("male", "female", "neither")
WORDS = ("he", "she", "they")


def people(
    *, k: int = 2, dev: bool = True, labels: tuple[str, ...] = (" left", " smiled")
) -> list[PersonExample]:
    """Sixteen people of unlike prompt lengths: k twins each, the last four held out if `dev`."""
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
        for i, job in enumerate(JOBS)
        for j, state in enumerate(STATES)
    ]
