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
