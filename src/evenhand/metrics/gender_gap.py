"""How much better a model resolves masculine pronouns than feminine ones."""

from __future__ import annotations

from evenhand.metrics._accuracies import gap_between

component = gap_between(
    "gender_gap",
    "Accuracy with he minus accuracy with she",
    ("male", "female"),
    "0 is even, above 0 the model understands he better. Swapping the groups flips the sign.",
)
