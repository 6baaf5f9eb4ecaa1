"""LEACE: least-squares concept erasure (Belrose et al. 2023), the default of the projections.

``r(h) = h - W+ P W (h - mean)``, W the inverse root of the states' covariance, P the projection onto
``W cov(h, z)``: afterwards the states have covariance 0 with the concept z, no linear probe beats a constant,
and no other affine map that does this moves them less. One direction goes for two groups.

With prompts z is the log-odds of the groups in the model's own answer, so what goes is what the state of a
prompt without any group has in common with the answer's leaning. The covariance is shrunk where there are
fewer than ten states a dimension, which keeps the erasure exact on the states it was fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from evenhand.mitigations._erasing.method import Erasing, Fit, Made


@dataclass(frozen=True)
class Leace(Erasing):
    """Erase what a linear probe could tell of the groups, and as little else as possible.

    Attributes:
        at: where: ``block``, ``head`` (what the head reads), ``vectors`` (the last hidden states), ``auto``.
        blocks: block numbers joined by ``+``, instead of the locator's choice.
        top: how many blocks, from the top of the locator's ranking.
        signal: ``preference`` (what the model's answer to a prompt leans to) or ``terms`` (texts with each
            group's term); pairs of texts always give the second.
        when: ``always``, or ``detected`` by a probe that says that a prompt states no group.
        threshold: the probe's probability above which the map acts.
        fold: write the map into the head's weights; the head needs a bias for it.
        shrink: shrink the covariance: ``auto`` with fewer than ten states a dimension, ``on``, ``off``.
    """

    shrink: Literal["auto", "on", "off"] = "auto"

    name: ClassVar[str] = "leace"
    squares: ClassVar[int] = 7  # sums, covariance, eigenvectors with their work, both roots, a product

    def made(self, fit: Fit) -> Made:
        """The erasure; it says the weight of the shrinkage.

        Raises:
            BadData: without shrinkage, no more states than dimensions.
        """
        from evenhand import subspaces
        from evenhand.mitigations._erasing import fitting

        moments = fitting.moments(fit.train)
        shrink = {"auto": None, "on": True, "off": False}[self.shrink]
        removed = subspaces.leace(moments, shrink=shrink)
        details = {"shrinkage": subspaces.covariance(moments, shrink=shrink)[1]}
        if fit.sham is not None:
            removed = fitting.drawn(fit.train, removed, fit.sham)
        return Made(removed, details=details)


component = Leace
