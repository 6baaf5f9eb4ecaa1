"""Intervals beside those of fairlearn and scipy, which resample, and how their cost grows with the items.

Ours are those of the figures' kinds: with as many clusters, most of them need no resamples.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from evenhand import stats
from evenhand.metrics import Columns, Metric, mean_metric
from evenhand.metrics import group_fairness as fairness
from evenhand.records import Score

from .harness import Case, Numbers, Peer, Skip
from .inputs import Setting

RESAMPLES = 1000
FEW = 10
"""Resamples of fairlearn, whose cost grows with them alone: a thousand would take minutes."""
GROUPS = ("a", "b", "c", "d")
MEANS = tuple(f"m{number}" for number in range(12))
EXACT = 1e-9


def people(n: int) -> tuple[list[Score], Any, Any, Any]:
    """Decisions about `n` people of four groups: as scores, and as arrays of outcome, decision and group."""
    rng = np.random.default_rng(0)
    outcome, decision = rng.integers(2, size=n), rng.integers(2, size=n)
    group = rng.integers(len(GROUPS), size=n)
    scores = [
        Score(
            f"s{i}",
            f"s{i}",
            {"outcome": float(outcome[i]), "decision": float(decision[i])}
            | {f"member.{name}": float(group[i] == g) for g, name in enumerate(GROUPS)},
        )
        for i in range(n)
    ]
    return scores, outcome, decision, np.array(GROUPS)[group]


def numbers(n: int) -> tuple[list[Score], Any]:
    """Twelve values for each of `n` items: as scores, and as an array [n, 12]."""
    values = np.random.default_rng(0).normal(size=(n, len(MEANS)))
    rows = [dict(zip(MEANS, row, strict=True)) for row in values.tolist()]
    return [Score(f"s{i}", f"s{i}", row) for i, row in enumerate(rows)], values


def means() -> list[Metric]:
    """A mean for each of the twelve columns."""
    about: dict[str, Any] = {"unit": "", "ideal": 0.0, "low": None, "high": None, "source": "", "reading": ""}
    return [mean_metric(name, name, per_item=itemgetter(name), needs=(name,), **about) for name in MEANS]


def estimated(metrics: Sequence[Metric], scores: Sequence[Score]) -> Numbers:
    """Our way: every figure with its interval; the figures, which do not depend on the resamples."""
    found = stats.estimates(metrics, scores, B=RESAMPLES)
    return [
        float("nan") if found[m.name].value is None else float(found[m.name].value or 0.0) for m in metrics
    ]


def framed(outcome: Any, decision: Any, group: Any) -> Any:
    """fairlearn's four rates of the groups, with intervals of `FEW` resamples.

    Raises:
        Skip: fairlearn is not installed.
    """
    if importlib.util.find_spec("fairlearn") is None:
        raise Skip("fairlearn is not installed")
    from sklearn.metrics import accuracy_score

    theirs: Any = importlib.import_module("fairlearn.metrics")  # it lists no names for the type checker
    return theirs.MetricFrame(
        metrics={
            "selection": theirs.selection_rate,
            "true positives": theirs.true_positive_rate,
            "false positives": theirs.false_positive_rate,
            "accuracy": accuracy_score,
        },
        y_true=outcome,
        y_pred=decision,
        sensitive_features=group,
        n_boot=FEW,
        ci_quantiles=[0.025, 0.975],
        random_state=0,
    )


def rate(name: str, of: Callable[[Columns], Any], group: str) -> Metric:
    """The mean of what `of` says of each member of `group`."""
    member = f"member.{group}"
    about: dict[str, Any] = {"unit": "", "ideal": None, "low": 0.0, "high": 1.0, "source": "", "reading": ""}
    return mean_metric(
        f"{name} of {group}",
        name,
        per_item=lambda table: np.where(table[member] == 1, of(table), np.nan),
        needs=("decision", "outcome", member),
        **about,
    )


def sixteen(setting: Setting) -> Case:
    """Four rates of each of four groups, each with its interval."""
    scores, outcome, decision, group = people(setting.of(2358, 2358))
    framed(outcome[:8], decision[:8], group[:8])  # whether it is installed is met before anything is timed
    of: dict[str, Callable[[Columns], Any]] = {
        "selection": lambda t: t["decision"],
        "accuracy": lambda t: 1.0 - np.abs(t["decision"] - t["outcome"]),
        "true positives": lambda t: np.where(t["outcome"] == 1, t["decision"], np.nan),
        "false positives": lambda t: np.where(t["outcome"] == 0, t["decision"], np.nan),
    }
    metrics = [rate(name, one, which) for which in GROUPS for name, one in of.items()]

    def fairlearn(_: int) -> Numbers:
        table = framed(outcome, decision, group).by_group
        return [float(table[name][which]) for which in GROUPS for name in of]

    return Case(
        "group_rates",
        f"16 rates: 4 of 4 groups, {len(scores)} people, an interval each",
        lambda: estimated(metrics, scores),
        (Peer(f"fairlearn, {RESAMPLES} resamples", fairlearn, share=FEW / RESAMPLES, target=2000),),
        EXACT,
    )


def groups(setting: Setting) -> Case:
    """Gaps between four groups, each with its interval."""
    scores, outcome, decision, group = people(setting.of(2358, 2358))
    framed(outcome[:8], decision[:8], group[:8])
    metrics = [fairness.DPD, fairness.DEO_MAX, fairness.EQUAL_OPPORTUNITY, fairness.ERROR_GAP]

    def fairlearn(_: int) -> Numbers:
        gap = framed(outcome, decision, group).difference(method="between_groups")
        odds = max(gap["true positives"], gap["false positives"])
        return [float(x) for x in (gap["selection"], odds, gap["true positives"], gap["accuracy"])]

    return Case(
        "group_gaps",
        f"4 gaps of 4 rates in 4 groups, {len(scores)} people, an interval each",
        lambda: estimated(metrics, scores),
        (Peer(f"fairlearn, {RESAMPLES} resamples", fairlearn, share=FEW / RESAMPLES),),
        EXACT,
    )


def twelve(setting: Setting) -> Case:
    """Twelve means with their percentile intervals."""
    from scipy.stats import bootstrap

    scores, values = numbers(setting.of(2358, 2358))
    made = means()

    def scipy(*data: Any) -> Numbers:
        for one in data:
            bootstrap((one,), np.mean, n_resamples=RESAMPLES, method="percentile", random_state=0, axis=-1)
        return [float(x) for x in values.mean(axis=0)]

    return Case(
        "twelve_means",
        f"12 means, {len(scores)} items, an interval each",
        lambda: estimated(made, scores),
        (
            Peer(f"scipy, {RESAMPLES} resamples, a call a mean", lambda _: scipy(*values.T), target=15),
            Peer(f"scipy, {RESAMPLES} resamples, one call", lambda _: scipy(values.T)),
        ),
        EXACT,
    )


def growth(setting: Setting) -> Case:
    """The same twelve means over ten times the items: a ratio of 1 is a cost that grows as its items do."""
    n = setting.of(20_000, 200_000)
    scores, _ = numbers(n)
    tenth, made = scores[: n // 10], means()
    return Case(
        "growth",
        f"12 means, {n} items, an interval each",
        lambda: estimated(made, scores),
        (
            Peer(
                f"{n // 10} items, ten times",
                lambda _: estimated(made, tenth),
                share=0.1,
                target=0.9,
                compared=False,
            ),
        ),
        EXACT,
    )


CASES: Mapping[str, Callable[[Setting], Case]] = {
    "group_rates": sixteen,
    "group_gaps": groups,
    "twelve_means": twelve,
    "growth": growth,
}
