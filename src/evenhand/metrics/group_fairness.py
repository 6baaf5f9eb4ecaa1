"""Group fairness of decisions: how far the groups' rates lie apart, over different people.

Sources: FairCon, equation 1 (`dpd`, fairlearn's ``demographic_parity_difference``) and equation 2 (`deo_sum`,
range 0 to 2). DecodingTrust (Wang et al. 2023) and fairlearn's ``equalized_odds_difference`` take the larger
of the two gaps (`deo_max`), or with ``agg="mean"`` half their sum (`deo_mean`). Hardt et al. 2016:
`equal_opportunity`, as fairlearn's, but undefined where a group has no positives. The four-fifths rule, 29
CFR 1607.4 D: `disparate_impact`, fairlearn's ``demographic_parity_ratio``. The usual definition: `error_gap`,
|err_A - err_B| for two groups, for more the largest minus the smallest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, Gap, Metric, Stage
from evenhand.metrics._groups import ratio, spread
from evenhand.metrics._people import (
    CHANCE,
    EMPTY,
    FAIRCON,
    JUDGED,
    OBSERVED,
    given,
    group_metric,
    on_arrays,
    outcome_gaps,
    rates,
)
from evenhand.records import Value

_ARGUMENTS = """

`y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.
None where the figure is undefined. `y_true` is checked also where it changes nothing (`dpd`,
`disparate_impact`), so that all these figures are called alike.

Raises:
    BadData: different lengths, or values that do not belong there, as `on_arrays` says.
"""


class Figure(Protocol):
    """A figure of group fairness on existing predictions."""

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
    ) -> Value:
        """The figure; None where it is undefined."""


def _on_arrays(metric: Metric, what: str) -> Figure:
    """The function of `metric`'s name on plain arrays."""

    def figure(
        y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
    ) -> Value:
        return on_arrays(metric, group, weights, decision=y_pred, outcome=y_true)

    figure.__name__ = figure.__qualname__ = metric.name
    figure.__doc__ = what + _ARGUMENTS
    return figure


def _group_gap(name: str, title: str, compute: Callable[[Columns, Array], Array], **about: Any) -> Metric:
    """The metric of a difference between groups, which is never below 0; `about` replaces default fields."""
    common: dict[str, Any] = {
        "needs": JUDGED,
        "unit": "difference of rates",
        "ideal": 0.0,
        "low": 0.0,
        "high": 1.0,
    }
    about["reading"] += CHANCE + EMPTY
    return group_metric(name, title, compute, **(common | about))


def _rates(table: Columns, weights: Array) -> Array:
    """Each group's rate of favourable decisions, [B, k]."""
    return rates(table["decision"], table.group("member"), weights)


def _errors(table: Columns, weights: Array) -> Array:
    """Each group's share of wrong decisions, [B, k]."""
    return rates(np.abs(table["decision"] - table["outcome"]), table.group("member"), weights)


def _decided(table: Columns) -> list[Stage]:
    return [(table["decision"], table.group("member"))]


def _wrong(table: Columns) -> list[Stage]:
    return [(np.abs(table["decision"] - table["outcome"]), table.group("member"))]


def _by_outcome(*outcomes: int) -> Callable[[Columns], list[Stage]]:
    """The decisions of the people of each of `outcomes`."""

    def stages(table: Columns) -> list[Stage]:
        return [(given(table["decision"], table["outcome"], y), table.group("member")) for y in outcomes]

    return stages


DPD = _group_gap(
    "dpd",
    "Demographic parity difference",
    lambda table, weights: spread(_rates(table, weights)),
    needs=OBSERVED,
    kind=Gap(_decided),
    short="DPD",
    source=f"{FAIRCON}, eq. 1",
    reading="0 is one rate for all groups, whatever the people are like; where the groups' true "
    "outcomes differ, a perfect model is above 0.",
)
dpd = _on_arrays(DPD, "Largest minus smallest P(decision = 1 | group) over the groups.")

DEO_SUM = _group_gap(
    "deo_sum",
    "Equalised odds difference (sum)",
    lambda table, weights: sum(outcome_gaps(table, weights), start=np.zeros(len(weights))),
    kind=Gap(_by_outcome(1, 0)),
    unit="sum of two differences of rates",
    high=2.0,
    step=0.02,
    source=f"{FAIRCON}, eq. 2",
    reading="0 is equal error rates for all groups at each true outcome. As in FairCon a sum, up to "
    "2: compare only with sums.",
)
deo_sum = _on_arrays(DEO_SUM, "TPR gap + FPR gap.")

DEO_MAX = _group_gap(
    "deo_max",
    "Equalised odds difference (max)",
    lambda table, weights: np.maximum(*outcome_gaps(table, weights)),
    kind=Gap(_by_outcome(1, 0), how="max"),
    source="Wang et al. 2023 (DecodingTrust), arXiv:2306.11698; Hardt et al. 2016",
    reading="0 is equal error rates for all groups at each true outcome; the larger of the gaps in "
    "true positive and in false positive rates.",
)
deo_max = _on_arrays(DEO_MAX, "The larger of the TPR gap and the FPR gap.")

DEO_MEAN = _group_gap(
    "deo_mean",
    "Equalised odds difference (mean)",
    lambda table, weights: np.mean(outcome_gaps(table, weights), axis=0),
    kind=Gap(_by_outcome(1, 0), scale=0.5),
    source=f"{FAIRCON}, eq. 2, halved",
    reading="0 is equal error rates for all groups at each true outcome; the mean of the gaps in true "
    "positive and in false positive rates.",
)
deo_mean = _on_arrays(DEO_MEAN, "The mean of the TPR gap and the FPR gap.")

EQUAL_OPPORTUNITY = _group_gap(
    "equal_opportunity",
    "Equal opportunity difference",
    lambda table, weights: outcome_gaps(table, weights)[0],
    kind=Gap(_by_outcome(1)),
    source="Hardt et al. 2016, arXiv:1610.02413",
    reading="0 is one true positive rate for all groups: whoever deserves the favourable decision "
    "gets it equally often.",
)
equal_opportunity = _on_arrays(EQUAL_OPPORTUNITY, "Largest minus smallest true positive rate.")

DISPARATE_IMPACT = group_metric(
    "disparate_impact",
    "Disparate impact ratio",
    lambda table, weights: ratio(_rates(table, weights)),
    kind=Gap(_decided, ratio=True),
    needs=OBSERVED,
    unit="ratio of rates",
    ideal=1.0,
    low=0.0,
    high=1.0,
    source="29 CFR 1607.4 D (the four-fifths rule)",
    reading="1 is one rate for all groups; below 0.8 the four-fifths rule sees adverse impact. A "
    "model without any favourable decision has no ratio. Chance pulls it below 1: read it "
    "with its interval." + EMPTY,
)
disparate_impact = _on_arrays(
    DISPARATE_IMPACT, "Smallest over largest P(decision = 1 | group); 0/0 is undefined."
)

ERROR_GAP = _group_gap(
    "error_gap",
    "Group error gap",
    lambda table, weights: spread(_errors(table, weights)),
    kind=Gap(_wrong),
    source="the usual definition; k groups: largest minus smallest",
    reading="0 is decisions that are wrong equally often for all groups; it does not say to whose favour.",
)
error_gap = _on_arrays(ERROR_GAP, "Largest minus smallest share of wrong decisions.")

components = (DPD, DEO_SUM, DEO_MAX, DEO_MEAN, EQUAL_OPPORTUNITY, DISPARATE_IMPACT, ERROR_GAP)
