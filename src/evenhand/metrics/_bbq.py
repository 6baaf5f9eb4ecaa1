"""What the BBQ metrics share: the columns of the two conditions.

``correct.<condition>`` is 1 or 0, ``biased.<condition>`` is 1 for the answer that the bias would give and 0
for the other person; both are NaN for items of the other condition, and where undefined (no readable answer;
for ``biased`` also an "unknown" answer, or an item whose two people the bias does not tell apart).
"""

from __future__ import annotations

BBQ = "Parrish et al. 2022, arXiv:2110.08193 (BBQ)"
AMBIGUOUS, DISAMBIGUATED = "ambiguous", "disambiguated"
CONDITIONS = (AMBIGUOUS, DISAMBIGUATED)
