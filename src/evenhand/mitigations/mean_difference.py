"""Mean difference: take out the direction between the groups' mean states, ``h - v v'(h - m) / v'v``.

m is the middle of the means, so that both groups come to lie where it is. The groups' means are then equal,
as after LEACE, but everything else along the direction goes as well: the states move further. Of k groups k -
1 directions go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.mitigations._erasing.method import Erasing, Fit, Made


@dataclass(frozen=True)
class MeanDifference(Erasing):
    """Take out the direction from one group's mean state to the other's.

    Attributes:
        at: where: ``block``, ``head`` (what the head reads), ``vectors`` (the last hidden states), ``auto``.
        blocks: block numbers joined by ``+``, instead of the locator's choice.
        top: how many blocks, from the top of the locator's ranking.
        signal: ``preference`` (what the model's answer to a prompt leans to) or ``terms`` (texts with each
            group's term); pairs of texts always give the second.
        when: ``always``, or ``detected`` by a probe that says that a prompt states no group.
        threshold: the probe's probability above which the map acts.
        fold: write the map into the head's weights; the head needs a bias for it.
    """

    name: ClassVar[str] = "mean_difference"

    def made(self, fit: Fit) -> Made:
        """The removal of the directions.

        Raises:
            BadData: a group has no states.
        """
        from evenhand import subspaces
        from evenhand.mitigations._erasing import fitting

        rows = fit.train
        removed = subspaces.removal(*subspaces.mean_difference(rows.states, rows.codes, rows.groups))
        if fit.sham is not None:
            removed = fitting.drawn(rows, removed, fit.sham)
        return Made(removed)


component = MeanDifference
