"""A stored run judged by the policy of the monitor, before the model is released.

A run of `decisions` says of each person the group, the decision and the true outcome: these are counted as
the monitor counts events, and judged by `gating`. What the run does not hold is "could not be judged".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenhand.errors import BadOption
from evenhand.monitor.gating import judged
from evenhand.monitor.indicators import INDICATORS, Group
from evenhand.monitor.policy import Policy, Rule
from evenhand.monitor.states import Cohort, Decision, Pair
from evenhand.monitor.store.opening import utc_now
from evenhand.records import Value
from evenhand.studies.compare import GateResult
from evenhand.studies.guards import doubts_beside

if TYPE_CHECKING:
    from evenhand.records import Measurement, Score
    from evenhand.studies.store import StoredRun

BENCHMARK = "decisions"
_MEMBER = "member."
_ATTRIBUTES = re.compile(r"\) by (.+)$")  # in the title of the benchmark's card
_OUTCOMES = {
    (1, 1): "true_positives",
    (1, 0): "false_positives",
    (0, 0): "true_negatives",
    (0, 1): "false_negatives",
}


@dataclass(frozen=True)
class Counted:
    """What one measurement of decisions counts: `groups` are counts as in the monitor's `cells`.

    `doubt` is why its figures are not to be relied on; empty if they are.
    """

    version: str
    model: str
    attribute: frozenset[str]
    groups: Mapping[str, Mapping[str, int]]
    doubt: str = ""


def gated(policy: Policy, stored: StoredRun, *, use_case: str = "") -> list[GateResult]:
    """Every comparison of every rule of `policy` on a stored run, with one of a gate's three states.

    All rules are asked, whatever models they name, or with `use_case` those that watch it.

    Raises:
        BadOption: no rule watches `use_case`.
    """
    rules = [rule for rule in policy.rules if not use_case or rule.watches(use_case)]
    if not rules:
        raise BadOption(
            f"No rule of the policy watches the use case {use_case!r}.",
            mend="Leave --use-case out to ask every rule, or write a name that the rules' use_cases match.",
        )
    everywhere = {"use_cases": ("*",), "models": ("*",), "strata": ()}
    own = policy.model_copy(update={"rules": tuple(r.model_copy(update=everywhere) for r in rules)})
    counts = [counted(one, stored.before) for one in stored.measurements if _is_about_people(one)]
    cohorts = [cohort for rule in own.rules for one in counts for cohort in _cohorts(rule, one)]
    doubts = {one.version: one.doubt for one in counts}
    tolerances = {rule.title: rule for rule in own.rules}
    return [
        _result(tolerances[one.scope.rule], one, doubts.get(one.scope.version, ""))
        for one in judged(own, _distinct(cohorts))
    ]


def _is_about_people(measurement: Measurement) -> bool:
    return measurement.benchmark.partition(":")[0] == BENCHMARK


def counted(measurement: Measurement, before: Sequence[Measurement] = ()) -> Counted:
    """The counts of a measurement of decisions, by group. People of one group with equal texts get one and
    the same answer, so they are counted once."""
    found = _ATTRIBUTES.search(measurement.card.title)
    groups: dict[str, dict[str, int]] = {}
    seen: set[tuple[str, str]] = set()
    for score in measurement.scores:
        group = _group(score)
        if group is not None and (score.cluster, group) not in seen:
            seen.add((score.cluster, group))
            own = groups.setdefault(group, defaultdict(int))
            for name in _kinds(score):
                own[name] += 1
    return Counted(
        version=measurement.benchmark,
        model=measurement.model.uri,
        attribute=frozenset(found[1].split(", ")) if found else frozenset(),
        groups=groups,
        doubt=next(iter(doubts_beside(measurement, before).values()), ""),  # of all, or of one group
    )


def _group(score: Score) -> str | None:
    members = [name for name, value in score.values.items() if name.startswith(_MEMBER) and value == 1]
    return members[0].removeprefix(_MEMBER) if len(members) == 1 else None


def _kinds(score: Score) -> Iterator[str]:
    """The counts of `cells` that a person belongs to; an undecided one is an event without a decision."""
    yield "events"
    decision, outcome = score.values.get("decision"), score.values.get("outcome")
    if decision is None:
        return
    yield "decisions"
    if decision == 1:
        yield "selected"
    if outcome is not None:
        yield "labelled"
        yield _OUTCOMES[int(decision), int(outcome)]


def _cohorts(rule: Rule, counts: Counted) -> Iterator[Cohort]:
    indicator = INDICATORS.get(rule.indicator)
    if indicator is None or indicator.part is None or frozenset(rule.attribute) != counts.attribute:
        return
    pairs: dict[str, Pair] = {}
    for name, own in counts.groups.items():
        hits, n = indicator.part(Group(name, own))
        pairs[name] = (int(n), int(hits))
    yield Cohort(
        indicator=rule.indicator,
        attribute=rule.attribute,
        use_case="release",
        model=counts.model,
        version=counts.version,
        end=utc_now(),
        counts=pairs,
    )


def _distinct(cohorts: Sequence[Cohort]) -> list[Cohort]:
    """Each once: two rules may ask about the same counts."""
    marks = {(one.indicator, one.attribute, one.model, one.version): one for one in cohorts}
    return list(marks.values())


def _result(rule: Rule, one: Decision, doubt: str) -> GateResult:
    groups = "" if one.groups is None else f" for {' and '.join(one.groups)}"
    condition = f"{rule.title}: {rule.tolerance}{groups}"
    name = rule.tolerance.kind if one.groups is None else f"{rule.tolerance.kind} of {rule.indicator}"
    clear = one.status != "insufficient data" and not doubt
    return GateResult(
        condition, one.status == "ok" and clear, name, _value(rule, one), judged=clear, why=doubt or one.why
    )


def _value(rule: Rule, one: Decision) -> Value:
    """The gap between both rates, or their ratio (low to high); None where it is undefined."""
    if one.groups is None or not min(one.n):
        return None
    low, high = sorted(x / n for x, n in zip(one.x, one.n, strict=True))
    if rule.tolerance.kind == "gap":
        return high - low
    return low / high if high else None
