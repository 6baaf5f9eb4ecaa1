"""Figures of decisions about people on plain arrays, each with the interval of its kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from evenhand.errors import BadOption
from evenhand.metrics import Metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._people import on_arrays
from evenhand.metrics.group_fairness import DPD
from evenhand.records import Estimate, Score
from evenhand.stats.estimating import estimates


def of_people(
    metrics: Metric | Iterable[Metric],
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group: ArrayLike,
    probability: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Each of `metrics` (such as ``group_fairness.DPD``) with its interval over these people, by its name.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, and a decision may be NaN: there is none. `group` [n]
    holds labels of any kind, `probability` [n] that of a favourable decision, for the metrics that read it.
    Every person is drawn alone: people who belong together (one household, say) need clusters, and
    `stats.estimates` over scores of your own.

    Raises:
        BadOption: `metrics` holds something else than metrics.
        BadData: different lengths, values that do not belong there, or no `probability` for a metric of it.
    """
    asked = _metrics(metrics)
    columns = {"outcome": y_true, "decision": y_pred}
    if probability is not None:
        columns["probability"] = probability
    arrays.groups(group)  # which `on_arrays` takes None for, as everybody being in one
    on_arrays(DPD, group, **columns)  # whatever the metrics are, it refuses arrays that do not fit together
    table = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    labels = [str(label) for label in np.asarray(group).tolist()]
    names = sorted(set(labels))
    scores = [
        Score(
            f"person/{i}",
            f"person/{i}",
            {name: None if np.isnan(found := float(values[i])) else found for name, values in table.items()}
            | {f"member.{name}": float(name == label) for name in names},
        )
        for i, label in enumerate(labels)
    ]
    return estimates(asked, scores, seed=seed)


def _metrics(given: Any) -> tuple[Metric, ...]:
    """The metrics that were given, one or several."""
    alone = isinstance(given, Metric | str) or not isinstance(given, Iterable)
    several = (given,) if alone else tuple(given)
    for one in several:
        if not isinstance(one, Metric):
            raise BadOption(
                f"metrics holds {one!r}, which is not a metric.",
                mend="Give such as evenhand.metrics.group_fairness.DPD, or a list of them.",
            )
    return several
