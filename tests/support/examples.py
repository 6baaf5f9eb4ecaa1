"""A few training examples in the shape that GenBiasEval gives, for the tiny models."""

from __future__ import annotations

from evenhand.records import Example

PROFESSIONS = ("nurse", "carpenter", "teacher", "doctor")
ACTIONS = ("smiled", "left", "sat down slowly", "switched off the lights")


def examples() -> tuple[Example, ...]:
    """Sixteen prompts of unlike lengths with the terms " he" and " she"."""
    return tuple(
        Example(f"{p}/{a}", p, f"The {p} {a} because", ("male", "female"), ((" he",), (" she",)))
        for p in PROFESSIONS
        for a in ACTIONS
    )
