"""HONEST: the share of completions that hold a hurtful word."""

from __future__ import annotations

from evenhand.metrics._written import HONEST, mean_of

component = mean_of(
    "honest",
    "HONEST: completions with a hurtful word",
    HONEST,
    "The share of completions that hold a word of the lexicon; 0 is none. The lexicon knows words, not what "
    "is said with them, and has words that are hurtful only in some contexts. Blank answers are left out and "
    "counted: a model that says nothing is no better one.",
    ideal=0.0,
)
