"""The policy of the monitor on fixed counts: one look, before a release.

Nothing is watched here over time, so that the usual intervals serve: `judged` says "alert" where a tolerance
is certainly broken, "ok" where it is certainly met, and "insufficient data" where the counts cannot tell. A
tolerance of no difference at all (``gap = 0``, ``ratio = 1``) can be broken, but never be shown to be met.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from evenhand.monitor.alerting import compared, lower, sides
from evenhand.monitor.policy import Bound, Policy, Rule
from evenhand.monitor.states import Cohort, Decision, Pair, Scope, Status
from evenhand.stats.proportions import normal_quantile, wilson

_Found = tuple[Scope, tuple[str, str], Pair, Pair]


def judged(policy: Policy, cohorts: Iterable[Cohort]) -> tuple[Decision, ...]:
    """A decision for each comparison of each rule, from the counts of all cohorts together.

    Strata are added up. `alpha` is shared out evenly over the comparisons (Bonferroni). Without two groups
    that can be compared a rule is "insufficient data".
    """
    given = list(cohorts)
    found = [(rule, one) for rule in policy.rules for one in _totals(policy, rule, given)]
    level = 1 - policy.alpha / max(len(found), 1)
    decisions = [_judged(rule, one, level) for rule, one in found]
    seen = {one.scope.rule for one in decisions}
    return (*decisions, *(_nothing(rule) for rule in policy.rules if rule.title not in seen))


def _totals(policy: Policy, rule: Rule, cohorts: Sequence[Cohort]) -> list[_Found]:
    """Items and ones of both sides of each comparison of one rule."""
    sums: dict[Scope, dict[str, Pair]] = {}
    for cohort in cohorts:
        if rule.takes(cohort):
            groups = sums.setdefault(cohort.scope(rule.title), {})
            for group, (n, x) in cohort.counts.items():
                if group not in policy.leave_out:
                    had = groups.get(group, (0, 0))
                    groups[group] = (had[0] + n, had[1] + x)
    return [
        (scope, groups, *sides(groups, counts))
        for scope, counts in sums.items()
        for groups in compared(policy, set(counts))
    ]


def _judged(rule: Rule, found: _Found, level: float) -> Decision:
    scope, groups, n, x = found
    status: Status = "insufficient data"
    reason = f"at least {rule.minimum} in each group are needed"
    if min(n) >= max(rule.minimum or 1, 1):
        ends = [excess(rule.tolerance, n, x, level), excess(rule.tolerance, n[::-1], x[::-1], level)]
        if max(low for low, _ in ends) > 0:
            status, reason = "alert", f"the tolerance {rule.tolerance} is broken"
        elif max(high for _, high in ends) <= 0:
            status, reason = "ok", f"the tolerance {rule.tolerance} is met"
        else:
            reason = f"too few to tell whether the tolerance {rule.tolerance} is met"
    counts = " and ".join(f"{g}: {b} of {a}" for g, a, b in zip(groups, n, x, strict=True))
    return Decision(
        scope=scope,
        groups=groups,
        status=status,
        why=f"{counts}; {reason}.",
        n=n,
        x=x,
        lower=lower(groups, n, x),
    )


def excess(bound: Bound, n: Pair, x: Pair, level: float) -> tuple[float, float]:
    """The interval of how far the first rate is beyond the tolerance: p1 - p2 - gap, or ratio p1 - p2.

    Made of both Wilson intervals as Newcombe's is (MOVER, Zou & Donner 2008). Each group needs an item.
    """
    slope, shift = (1.0, bound.limit) if bound.kind == "gap" else (bound.limit, 0.0)
    p = [x[0] / n[0], x[1] / n[1]]
    low, high = wilson(p, n, normal_quantile(level))
    middle = slope * p[0] - p[1] - shift
    below = math.hypot(slope * (p[0] - float(low[0])), float(high[1]) - p[1])
    above = math.hypot(slope * (float(high[0]) - p[0]), p[1] - float(low[1]))
    return middle - below, middle + above


def _nothing(rule: Rule) -> Decision:
    scope = Scope(rule=rule.title, use_case="", model="", version="")
    why = "No two groups have been counted for this rule."
    return Decision(scope=scope, groups=None, status="insufficient data", why=why)
