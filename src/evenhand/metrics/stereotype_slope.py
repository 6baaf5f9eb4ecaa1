"""How strongly the signed gap follows the stereotypical score of a profession."""

from __future__ import annotations

from evenhand.metrics._regression import coefficient_metric

component = coefficient_metric(
    "stereotype_slope",
    "Slope on the stereotypical score",
    which="a_s",
    unit="probability per unit of stereotypical score",
    ideal=0.0,
    reading="a_s of P(he) - P(she) = a_s·stereotypical + a_f·factual + b. Positive: the model leans to he "
    "where people do (scores run from -1, she, to 1, he). Swapping the groups flips the sign. Undefined when "
    "the two scores do not vary independently.",
)
