"""LMS: how often a meaningful option beats the unrelated one, as the mean over target terms."""

from __future__ import annotations

from evenhand.metrics._pairs import STEREOSET, over_terms

component = over_terms(
    "lms",
    "LMS: language-modelling score, mean over terms",
    "related",
    unit="percent",
    ideal=100.0,
    chance=50.0,
    short="LMS",
    source=f"{STEREOSET}, section 4; the official mean over target terms",
    reading="100 always prefers a meaningful option to the unrelated one; chance is 50. A fall after a "
    "treatment is lost ability. A tie counts half; in the reference, and with ties=anti, as a loss.",
)
