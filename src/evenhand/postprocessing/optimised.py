"""fairlearn's ThresholdOptimizer, fitted on given scores and translated into rules without fairlearn.

This module needs the extra ``fairness``; `evenhand.postprocessing.thresholds` imports it when it is needed.
The rules hold no fairlearn object, so they are saved as JSON and applied without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from evenhand.postprocessing.rules import ALWAYS, NEVER, Array, Cut, Mixture


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[no-untyped-call]
    """A fitted classifier for fairlearn: its only feature is the score itself."""

    def fit(self, scores: Any, labels: Any) -> Given:
        """Nothing is learnt."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, scores: Any) -> Array:
        """The scores [n, 1] as the probabilities of both outcomes, [n, 2]."""
        given = np.asarray(scores, dtype=float).reshape(-1)
        return np.stack([1 - given, given], axis=1)


def optimised(
    scores: Array, labels: NDArray[np.int64], groups: Sequence[str], *, constraint: str, objective: str
) -> dict[str, Mixture]:
    """The mixture of each group that fairlearn finds on its grid of 1000 steps.

    `scores` [n], `labels` [n] of 0 and 1 with both in every group; `constraint` is one of fairlearn's,
    `objective` ``accuracy`` or ``balanced_accuracy``.
    """
    optimizer: Any = ThresholdOptimizer(
        estimator=Given(),
        constraints=cast(Any, constraint),
        objective=cast(Any, f"{objective}_score"),
        prefit=True,
        predict_method="predict_proba",
    )
    optimizer.fit(scores.reshape(-1, 1), labels, sensitive_features=np.array(groups))
    fitted = optimizer.interpolated_thresholder_.interpolation_dict
    return {str(name): _translated(found) for name, found in fitted.items()}


def _translated(found: Any) -> Mixture:
    shares = ((float(found.p0), found.operation0), (float(found.p1), found.operation1))
    cuts = tuple(
        Cut(share, float(np.clip(step.threshold, ALWAYS, NEVER)), step.operator == ">")
        for share, step in shares
        if share > 0
    )
    return Mixture(cuts, float(found.get("p_ignore", 0.0)), float(found.get("prediction_constant", 0.0)))
