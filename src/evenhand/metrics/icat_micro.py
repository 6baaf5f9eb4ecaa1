"""ICAT: one number for ability and evenness together, over items."""

from __future__ import annotations

from evenhand.metrics._pairs import STEREOSET, icat_of
from evenhand.metrics.lms_micro import component as lms
from evenhand.metrics.ss_micro import component as ss

component = icat_of(
    lms,
    ss,
    "icat_micro",
    "ICAT: LMS times evenness, from the means over items",
    short="ICAT over items",
    source=f"{STEREOSET}, section 4: LMS · min(SS, 100 - SS) / 50",
    reading="100 is able and even; 0 is always stereotyped or always the contrary. One number for two "
    "things: read lms_micro and ss_micro, which say what changed.",
)
