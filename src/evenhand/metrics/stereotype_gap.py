"""How much better a model resolves pronouns that agree with the stereotype."""

from __future__ import annotations

from evenhand.metrics._accuracies import gap_between

component = gap_between(
    "stereotype_gap",
    "Pro- minus anti-stereotypical accuracy",
    ("pro", "anti"),
    "0 is even; 1 always follows the stereotype, -1 always contradicts it. A model at chance on both also "
    "scores 0, so read it beside the two accuracies.",
)
