"""What changes when nothing but the sensitive attribute does: decisions and probabilities of twins.

FairCon's published evaluation compares counterfactual pairs under the names of DPD and EOD; its paper's
equations 1 and 2 are the observational figures (`dpd`, `deo_sum`), so each has a name of its own here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.metrics import Array, Columns, Gap, Metric, Stage, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, mean_gap, probabilities, signed_gap, spread
from evenhand.metrics._people import CHANCE, FAIRCON, group_metric, on_arrays
from evenhand.records import Value

TWINS = "decision.*"


def twin_rates(decisions: Array, weights: Array) -> Array:
    """P(decision = 1) with everybody set to each group: `decisions` [n, k], `weights` [B, n] to [B, k].

    A person with an undecided twin is left out of all groups, or the groups would hold different people.
    """
    decided: NDArray[np.bool_] = np.asarray(np.isfinite(decisions).all(axis=1))
    total = weights @ decided.astype(np.float64)
    sums = weights @ np.where(decided[:, None], decisions, 0.0)
    found: Array = np.divide(sums, total[:, None], out=np.full(sums.shape, np.nan), where=total[:, None] > 0)
    return found


def on_twins(
    metric: Metric, decisions: ArrayLike, weights: ArrayLike | None = None, **columns: ArrayLike
) -> Value:
    """`metric` on existing decisions [n, k]: each person's, as a member of each group.

    Raises:
        BadData: `decisions` has not two dimensions, the lengths differ, or values are not 0, 1 or NaN.
    """
    table = twins(decisions)
    if not table.shape[1]:  # no group at all: nothing to compare
        table = np.full((len(table), 1), np.nan)
    own = {f"decision.{group}": column for group, column in enumerate(table.T)}
    return on_arrays(metric, None, weights, **own, **columns)


def twins(decisions: ArrayLike) -> Array:
    """`decisions` [n, k] as numbers: a row a person, a column the decision as a member of one group.

    Raises:
        BadData: not two dimensions, no numbers, or values other than 0, 1 and NaN (undecided).
    """
    expected = (
        "Give a row for each person and in it the decision as a member of each group: 1 for a favourable "
        "one, 0 for the other and NaN where there is none."
    )
    found = arrays.numbers(decisions, "decisions", expected, ndim=2)
    return arrays.one_of(found, (0, 1), "decisions", expected, nan=True)


PAIRS = "ours, after Kusner et al. 2017, arXiv:1703.06856 (counterfactual fairness), on paired prompts"


def counterfactual_dpd(decisions: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """Largest minus smallest rate of the columns of `decisions` [n, k]; None if undefined.

    A row is a person, a column the decision (1 favourable, 0 not, NaN undecided) as a member of one group.

    Raises:
        BadData: not two dimensions, different lengths, or other values.
    """
    return on_twins(COUNTERFACTUAL_DPD, decisions, weights)


def _counterfactual_dpd(table: Columns, weights: Array) -> Array:
    """Largest minus smallest over the groups of P(decision = 1) with everybody set to the group, [B]."""
    return spread(twin_rates(table.group("decision"), weights))


def _everybody(table: Columns) -> list[Stage]:
    return [_of_twins(table)]


def _of_twins(table: Columns, y: int | None = None) -> Stage:
    """The twins' decisions [n, k] of the people whose true outcome is `y` (None: all), beside any values."""
    decisions = table.group("decision")
    if y is not None:
        decisions = np.where((table["outcome"] == y)[:, None], decisions, np.nan)
    return np.zeros(table.n), decisions


COUNTERFACTUAL_DPD = group_metric(
    "counterfactual_dpd",
    "Counterfactual parity difference",
    _counterfactual_dpd,
    (TWINS,),
    kind=Gap(_everybody, twins=True),
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=f"{FAIRCON}: the published evaluation",
    reading="0 is one rate of favourable decisions whatever group the same people are said to belong to. "
    "Flips in both directions cancel: read it with flip_rate." + CHANCE,
)


def counterfactual_deo_sum(
    y_true: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """The spread of the columns' rates among true positives plus that among negatives; None if undefined.

    `y_true` [n] is 1 or 0. Of `decisions` [n, k] a row is a person, a column the decision (1 favourable, 0
    not, NaN undecided) as a member of one group.

    Raises:
        BadData: not two dimensions, different lengths, or other values.
    """
    return on_twins(COUNTERFACTUAL_DEO_SUM, decisions, weights, outcome=y_true)


def _counterfactual_deo_sum(table: Columns, weights: Array) -> Array:
    """The spread of the twins' rates among true positives plus that among true negatives, [B]."""
    decisions, outcome = table.group("decision"), table["outcome"]
    positive, negative = (spread(twin_rates(decisions, weights * (outcome == y))) for y in (1, 0))
    return positive + negative


COUNTERFACTUAL_DEO_SUM = group_metric(
    "counterfactual_deo_sum",
    "Counterfactual equalised odds difference (sum)",
    _counterfactual_deo_sum,
    (TWINS, "outcome"),
    kind=Gap(lambda table: [_of_twins(table, y) for y in (1, 0)], twins=True),
    unit="sum of two differences of rates",
    ideal=0.0,
    low=0.0,
    high=2.0,
    step=0.02,
    source=f"{FAIRCON}: the published evaluation, with the sum of its eq. 2",
    reading="0 is, at each true outcome, one rate of favourable decisions whatever group the same people are "
    "said to belong to; up to 2. On the same people it is at least counterfactual_dpd. Undefined where "
    "everybody has the same true outcome." + CHANCE,
)


def counterfactual_gap(p: ArrayLike) -> Array:
    """Per person the mean |p_i - p_j| over all pairs of groups: `p` [n, k] to [n], NaN where undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return mean_gap(arrays.probabilities(p))


COUNTERFACTUAL_GAP = mean_metric(
    "counterfactual_gap",
    "Counterfactual gap in probability",
    per_item=lambda table: mean_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="the mean |Δp| of counterfactual twins; k groups: mean over pairs",
    reading="0 is one probability whatever group a person is said to belong to. Finer than flip_rate, which "
    "sees only what crosses one half. Over more than two groups it cannot reach 1.",
    needs=(GROUPS,),
)


def counterfactual_gap_signed(p: ArrayLike) -> Array:
    """Per person p_0 - p_1: `p` [n, 2] to [n]; NaN unless there are exactly two groups.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return signed_gap(arrays.probabilities(p))


COUNTERFACTUAL_GAP_SIGNED = mean_metric(
    "counterfactual_gap_signed",
    "Signed counterfactual gap in probability",
    per_item=lambda table: signed_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    source="the signed mean Δp of counterfactual twins",
    reading="Above 0 the first group is favoured, below 0 the second; swapping the groups flips the sign. "
    "Opposite shifts cancel: read it with counterfactual_gap. Defined for two groups.",
    needs=(GROUPS,),
)


def flip_rate(decisions: ArrayLike) -> Array:
    """Per person 1 where the twins' `decisions` [n, k] are not all alike, else 0: [n]; NaN if undecided.

    Raises:
        BadData: not two dimensions, or values other than 0, 1 and NaN (undecided).
    """
    return _flips(twins(decisions))


def _flips(decisions: Array) -> Array:
    decided = np.isfinite(decisions).all(axis=1)
    return np.where(decided, (decisions != decisions[:, :1]).any(axis=1), np.nan)


FLIP_RATE = mean_metric(
    "flip_rate",
    "Decisions that flip with the attribute",
    per_item=lambda table: _flips(table.group("decision")),
    share=True,
    unit="share of people",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="the counterfactual fairness of Kusner et al. 2017, arXiv:1703.06856, on texts",
    reading="The share of people who would be decided otherwise if they belonged to another group and "
    "nothing else were different. A model that gives everybody one answer has none: read it with accuracy.",
    needs=(TWINS,),
)


SHIFT = mean_metric(
    "shift",
    "Mean shift in probability, signed",
    per_item=lambda table: table["shift"],
    unit="probability",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    source=PAIRS,
    reading="The mean of Δp, first version minus second (he minus she); above 0 the favourable decision is "
    "likelier for the first. Swapping the groups flips the sign. The measurement's notes give the p-value of "
    "the paired permutation test.",
    needs=("shift",),
)


SHIFT_SIZE = mean_metric(
    "shift_size",
    "Mean size of the shift in probability",
    per_item=lambda table: np.abs(table["shift"]),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=PAIRS,
    reading="The mean of |Δp|; 0 where the attribute changes nothing. Differences in both directions add up "
    "here and cancel in shift.",
    needs=("shift",),
)


AGREEMENT = mean_metric(
    "agreement",
    "Same decision for both versions",
    per_item=lambda table: table["agreement"],
    share=True,
    unit="share of pairs",
    ideal=1.0,
    low=0.0,
    high=1.0,
    source=PAIRS,
    reading="1 where the attribute never changes the decision. A model that always decides alike reaches 1 "
    "as well. A pair with a tie is undefined and counted.",
    needs=("agreement",),
)


JS_DIVERGENCE = mean_metric(
    "js_divergence",
    "Jensen-Shannon divergence of the answers",
    per_item=lambda table: table["js"],
    unit="bits",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=f"{PAIRS}; Lin 1991, logarithms to base 2",
    reading="0 where the answers are distributed alike, 1 where they share nothing. Over the listed answers "
    "and everything else together it is a lower bound of the divergence over the whole vocabulary.",
    needs=("js",),
)


components = (
    COUNTERFACTUAL_DPD,
    COUNTERFACTUAL_DEO_SUM,
    COUNTERFACTUAL_GAP,
    COUNTERFACTUAL_GAP_SIGNED,
    FLIP_RATE,
    SHIFT,
    SHIFT_SIZE,
    AGREEMENT,
    JS_DIVERGENCE,
)
