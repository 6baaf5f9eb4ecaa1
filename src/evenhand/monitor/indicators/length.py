"""The mean length of answers."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Figure, Indicator, Sums, mean_with_ends


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    found = []
    for group in (sums.everybody, *sums.groups):
        value, ends = mean_with_ends(group["length"], group["length_squares"], group["measured"])
        found.append(own.figure(group.value, value, ends, group["measured"]))
    return found


indicator = Indicator(
    "length", "Length of answers", "as sent", "The mean length of answers, in the caller's unit.", _figures
)
