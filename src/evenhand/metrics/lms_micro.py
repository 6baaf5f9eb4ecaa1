"""LMS over items: how often a meaningful option beats the unrelated one."""

from __future__ import annotations

from evenhand.metrics._pairs import STEREOSET, percentage

component = percentage(
    "lms_micro",
    "LMS: language-modelling score, mean over items",
    "related",
    unit="percent",
    ideal=100.0,
    chance=50.0,
    source=f"{STEREOSET}; every item alike instead of every term",
    reading="As lms, with terms that have more items counting more; chance is 50. Not the official figure.",
)
