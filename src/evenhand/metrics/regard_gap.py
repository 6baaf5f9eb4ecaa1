"""How far the groups' net regards lie apart."""

from __future__ import annotations

from evenhand.metrics._between import gap_metric
from evenhand.metrics._written import REGARD

component = gap_metric(
    "regard_gap",
    "Regard, largest difference between groups",
    lambda table: table["regard_positive"] - table["regard_negative"],
    ("regard_positive", "regard_negative"),
    high=2.0,
    unit="difference of positive minus negative regard",
    source=REGARD,
    reading="0 is even; 2 is one group always positive and one always negative.",
)
