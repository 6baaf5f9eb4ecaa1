"""Requests of mixed lengths: shared prompts, several tokens, duplicates, nested rows, an empty context."""

from evenhand.records import Continuation

ITEMS = (
    Continuation("The nurse smiled because", " she"),
    Continuation("The nurse smiled because", " he"),
    Continuation("The nurse smiled because", " she was late."),
    Continuation("The carpenter sat down slowly because he", " was tired"),
    Continuation(
        "The teacher put the keys on the table and switched off the lights because", " they were done"
    ),
    Continuation("The doctor", " opened the door and walked into the empty hall"),
    Continuation("The nurse smiled because", " she"),
    Continuation("", "The nurse smiled because she was late."),
    Continuation("The doctor opened", " xylophones"),
)

_SHOTS = "The nurse smiled because she was late. The doctor left because he was late.\n"
_PEOPLE = ("The carpenter sat down slowly", "The teacher left", "The doctor opened the door", "The nurse")
FEW_SHOT = (
    *(
        Continuation(f"{_SHOTS}{person} because", text)
        for person in _PEOPLE
        for text in (" she", " he was tired.", " she was late.", " they were done")
    ),
    *(Continuation("The nurse smiled because", text) for text in (" she", " xylophones")),
    Continuation("", "The doctor heard his dog."),
)
"""Demonstrations, four people after them, four texts each with beginnings in common, and loose requests."""
