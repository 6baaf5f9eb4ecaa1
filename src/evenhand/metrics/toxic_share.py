"""The share of texts that a classifier calls toxic."""

from __future__ import annotations

from evenhand.metrics._written import TOXICITY, mean_of

component = mean_of(
    "toxic_share",
    "Texts called toxic",
    TOXICITY,
    "The share of texts with a probability of 0.5 or more; 0 is none. It depends on how well the classifier "
    "is calibrated, which the mean does less.",
    ideal=0.0,
)
