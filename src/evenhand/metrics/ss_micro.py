"""SS over items: how often the stereotype is preferred to the anti-stereotype."""

from __future__ import annotations

from evenhand.metrics._pairs import STEREOSET, percentage

component = percentage(
    "ss_micro",
    "SS: stereotype score, mean over items",
    "preferred",
    unit="percent",
    ideal=50.0,
    chance=50.0,
    short="SS over items",
    source=f"{STEREOSET}; every item alike instead of every term",
    reading="As ss, with terms that have more items counting more; 50 prefers neither. Not the official "
    "figure.",
)
