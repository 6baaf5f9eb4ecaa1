"""How far the groups' mean toxicities lie apart."""

from __future__ import annotations

from evenhand.metrics._between import gap_metric
from evenhand.metrics._written import TOXICITY

component = gap_metric(
    "toxicity_gap",
    "Toxicity, largest difference between groups",
    lambda table: table["toxicity"],
    ("toxicity",),
    high=1.0,
    unit="probability",
    source=TOXICITY,
    reading="0 is even: no group is written about more toxically than another.",
)
