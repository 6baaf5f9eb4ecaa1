"""INLP: iterative null-space projection (Ravfogel et al. 2020; on language models, Meade et al. 2022).

Round by round a linear support vector machine without intercept learns the groups from what the earlier
rounds left of the states; ``P = I - proj(span of all its rows)`` is applied about 0. Where one direction is
enough for LEACE, INLP needs several, and each takes something else along: on all-MiniLM-L6-v2 eight.

The published code fixes the states' width at 768 and clips its sentences at random; here the width is the
model's and all examples are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.mitigations._erasing.method import Erasing, Fit, Made
from evenhand.training.numbers import check_numbers


@dataclass(frozen=True)
class Inlp(Erasing):
    """Take out the directions of linear classifiers of the groups, one after another.

    Attributes:
        at: where: ``block``, ``head`` (what the head reads), ``vectors`` (the last hidden states), ``auto``.
        blocks: block numbers joined by ``+``, instead of the locator's choice.
        top: how many blocks, from the top of the locator's ranking.
        signal: ``preference`` (what the model's answer to a prompt leans to) or ``terms`` (texts with each
            group's term); pairs of texts always give the second.
        when: ``always``, or ``detected`` by a probe that says that a prompt states no group.
        threshold: the probe's probability above which the map acts.
        fold: write the map into the head's weights.
        rounds: classifiers; None is 10 for a causal model and 80 for others, as in Meade et al. 2022.
        stop: end where a classifier's accuracy is at most so much above the largest group's share; None
            never.
        cost: the weight of the classifier's errors (C).
    """

    rounds: int | None = None
    stop: float | None = None
    cost: float = 1.0

    name: ClassVar[str] = "inlp"
    squares: ClassVar[int] = 3  # of a classifier's system: a product, its sum, its factor

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers("inlp", self, whole=("rounds",), positive=("cost",), from_zero=("stop",))

    def made(self, fit: Fit) -> Made:
        """The null-space projection; it says how many rounds it took."""
        from functools import partial

        from evenhand import subspaces
        from evenhand.mitigations._erasing import fitting

        rounds = self.rounds or (10 if fit.model.spec.family == "causal" else 80)
        classifier = partial(subspaces.svm, cost=self.cost)
        removed, rows = subspaces.inlp(
            fit.train.states, fit.train.codes, rounds=rounds, classifier=classifier, stop=self.stop
        )
        if fit.sham is not None:
            removed = fitting.drawn(fit.train, removed, fit.sham)
        return Made(removed, details={"rounds": len(rows)})


component = Inlp
