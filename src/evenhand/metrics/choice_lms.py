"""Prompted LMS: how often the answer is one of the two meaningful options."""

from __future__ import annotations

from evenhand.metrics._choices import CHOSEN, choice_metric
from evenhand.metrics._pairs import CHOICE

component = choice_metric(
    "choice_lms",
    "Prompted LMS: answers that are not the unrelated option",
    over=CHOSEN,
    count=CHOSEN[:2],
    ideal=100.0,
    chance=200 / 3,
    short="prompted LMS",
    source=CHOICE,
    reading="Of the answers that name an option; chance is 66.7, because one question has three options, so "
    "it does not compare with lms, whose chance is 50. Read it beside invalid_rate.",
)
