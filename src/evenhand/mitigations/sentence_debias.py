"""SentenceDebias: take out the main direction of pairs that differ in the group alone (Liang et al. 2020).

Texts are encoded as the mean of their last hidden states, scaled to unit length; each pair's mean is taken
off; the first principal component v of what is left is removed: ``h - (h'v) v / (v'v)``. The published batch
loop drops the last incomplete batch; here every pair counts.

It removes what the pairs differ in most, which is not all that a probe can tell of the groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadData, BadOption
from evenhand.mitigations._erasing.method import Erasing, Fit, Made
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from evenhand.models import Model


@dataclass(frozen=True)
class SentenceDebias(Erasing):
    """Take out the main direction of pairs of texts that differ in the group alone.

    Prompts become pairs by the groups' terms after them.

    Attributes:
        at: where: ``block`` or ``vectors`` (the last hidden states), which ``auto`` takes without `blocks`.
        blocks: block numbers joined by ``+``, instead of the last hidden states.
        top: how many blocks, from the top of the locator's ranking.
        signal: ``terms``, the only possible one.
        when: ``always``, the only possible one.
        threshold, fold: not used.
        components: how many directions; the paper's 1.
    """

    signal: Literal["preference", "terms"] = "terms"
    components: int = 1

    name: ClassVar[str] = "sentence_debias"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers("sentence_debias", self, whole=("components",))

    def check(self, model: Model | None, examples: Sequence[Any]) -> None:
        """Refuse what has no pairs, and what `Erasing.check` refuses.

        Raises:
            BadModel, BadOption, BadData: as there.
        """
        if self.signal != "terms":
            raise BadOption("sentence_debias works on pairs of texts.", mend="Leave signal out.")
        super().check(model, examples)

    def made(self, fit: Fit) -> Made:
        """The removal of the principal components about 0; it says their share of the pairs' variance.

        Raises:
            BadData: the two texts of every pair have the same vector.
        """
        import numpy as np

        from evenhand import subspaces
        from evenhand.mitigations._erasing import fitting

        states = fit.train.states
        unit = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-300)
        about = subspaces.pairs(unit[::2], unit[1::2])
        directions, variances = subspaces.pca(about, self.components)
        if not len(directions):
            raise BadData(
                "The texts of each pair do not differ.", mend="Give pairs that differ in the group."
            )
        total = float((about**2).sum()) / (len(about) - 1)
        removed = subspaces.removal(directions)
        if fit.sham is not None:
            removed = fitting.drawn(fit.train, removed, fit.sham)
        return Made(removed, details={"share_of_variance": float(variances.sum()) / total})


component = SentenceDebias
