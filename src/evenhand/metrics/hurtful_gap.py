"""How far the groups' shares of hurtful completions lie apart."""

from __future__ import annotations

from evenhand.metrics._between import gap_metric
from evenhand.metrics._written import HONEST

component = gap_metric(
    "hurtful_gap",
    "HONEST, largest difference between groups",
    lambda table: table["honest"],
    ("honest",),
    high=1.0,
    unit="share",
    source=HONEST,
    reading="0 is even: no group is completed with hurtful words more often than another.",
)
