"""How strongly the signed gap follows the factual gender of a profession's name (actress, king)."""

from __future__ import annotations

from evenhand.metrics._regression import coefficient_metric

component = coefficient_metric(
    "factual_slope",
    "Slope on the factual score",
    which="a_f",
    unit="probability per unit of factual score",
    ideal=None,
    reading="a_f of P(he) - P(she) = a_s·stereotypical + a_f·factual + b. Knowledge rather than bias: a "
    "treatment should keep it. Swapping the groups flips the sign. Undefined when the two scores do not vary "
    "independently.",
)
