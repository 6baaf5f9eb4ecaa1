"""Prompted ICAT: one number for the prompted LMS and SS together."""

from __future__ import annotations

from evenhand.metrics._pairs import CHOICE, STEREOSET, icat_of
from evenhand.metrics.choice_lms import component as choice_lms
from evenhand.metrics.choice_ss import component as choice_ss

component = icat_of(
    choice_lms,
    choice_ss,
    "choice_icat",
    "Prompted ICAT",
    short="prompted ICAT",
    source=f"{CHOICE}; LMS · min(SS, 100 - SS) / 50 of {STEREOSET}",
    reading="100 is able and even. Its parts have another chance level than those of icat, so the two do not "
    "compare. Read choice_lms and choice_ss, which say what changed.",
)
