"""The lean to one group that neither the stereotypical nor the factual score explains."""

from __future__ import annotations

from evenhand.metrics._regression import coefficient_metric

component = coefficient_metric(
    "slope_intercept",
    "Lean of a profession with both scores at 0",
    which="b",
    unit="probability",
    ideal=0.0,
    reading="b of P(he) - P(she) = a_s·stereotypical + a_f·factual + b. Positive: the model leans to he for "
    "a profession without stereotype. Swapping the groups flips the sign. Undefined when the two scores do "
    "not vary independently.",
)
