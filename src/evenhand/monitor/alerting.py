"""From a policy and newly matured counts to alerts: states in, states out; no database and no clock.

`look` may be called as often as one likes. What it promises: with every rule's tolerance met, the chance that
any comparison of the policy is *ever* called an alert is at most `alpha`, until somebody acknowledges one. An
acknowledged alert ends its test; the next test of that comparison is a new one with a new chance of `alpha`.

- A cohort enters `maturity_days` after its end, once, in order of the ends. What comes for a period that was
  judged already, a late label or a corrected record, changes nothing and is counted in `Watch.passed_over`.
- Each model version has tests of its own, from capital 1; only the level is handed on.
- Below the minimum of items a comparison is "insufficient data", never "ok"; so is a rule without any data.
- A clock that goes backwards lets nothing in again: the latest time that was ever told counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np

from evenhand.errors import UsageError
from evenhand.monitor.policy import Policy, Rule
from evenhand.monitor.states import (
    Acknowledged,
    Cohort,
    Decision,
    Look,
    Pair,
    Place,
    Scope,
    State,
    Status,
    Test,
    Watch,
)
from evenhand.stats import betting, merging

REST = "the rest"


def look(policy: Policy, state: State, cohorts: Iterable[Cohort], now: datetime) -> Look:
    """Let the cohorts that are mature at `now` in, and judge every comparison.

    `cohorts` may hold what is not mature yet, what has entered before and what no rule concerns; all strata
    of one period must come in the same look. `policy` has its rules filled in, as `read_policy` gives it.
    """
    behind = state.now is not None and now < state.now
    current = state.now if state.now is not None and behind else now
    given = sorted(cohorts, key=lambda one: (one.end, one.stratum))
    watches: list[Watch] = []
    for rule in policy.rules:
        watches += _watched(policy, rule, state.watches, given, current)
    watches, decisions = _judged(policy, watches, current)
    backwards = state.backwards + int(behind)
    return Look(state=State(now=current, watches=tuple(watches), backwards=backwards), decisions=decisions)


def acknowledge(state: State, place: Place, *, by: str, note: str, now: datetime) -> State:
    """End the test of an open alert with a note; from here a new test runs, from capital 1.

    Raises:
        UsageError: there is no open alert at `place`, or the note is empty.
    """
    if not note.strip():
        raise UsageError("The note is empty.", mend="Write what was found, or what is done about the alert.")
    time = now if state.now is None else max(now, state.now)
    scope = Scope(**place.model_dump(exclude={"groups"}))
    watches, found = [], False
    for watch in state.watches:
        ended = [t for t in watch.tests if t.groups == place.groups and t.raised is not None]
        if watch.scope == scope and ended:
            watch, found = _restarted(watch, ended[0], (by, note), time), True
        watches.append(watch)
    if not found:
        raise UsageError(
            f"{place.rule} has no open alert for {' and '.join(place.groups)}.",
            mend="Look at the open alerts.",
        )
    return state.model_copy(update={"watches": tuple(watches), "now": time})


def _restarted(watch: Watch, test: Test, words: tuple[str, str], now: datetime) -> Watch:
    by, note = words
    kept = test.model_dump(include={"groups", "number", "started", "raised", "n", "x"})
    done = Acknowledged(**kept, ended=now, log_e=_log_e(test), by=by, note=note)
    fresh = _test(test.groups, [one["seen"] for one in test.streams], now, number=test.number + 1)
    fresh = fresh.model_copy(update={"told": test.told})
    tests = tuple(fresh if one is test else one for one in watch.tests)
    return watch.model_copy(update={"tests": tests, "acknowledged": (*watch.acknowledged, done)})


# ---- cohorts enter -------------------------------------------------------------------------------------


def _watched(
    policy: Policy, rule: Rule, watches: Sequence[Watch], cohorts: Sequence[Cohort], now: datetime
) -> list[Watch]:
    """The watches of one rule after every mature cohort that it concerns."""
    known = {one.scope: one for one in watches if one.scope.rule == rule.title}
    ripe = timedelta(days=rule.maturity_days or 0.0)
    through = {scope: watch.through for scope, watch in known.items()}  # before this look
    done: set[tuple[Scope, datetime, str]] = set()
    for cohort in cohorts:
        if not _concerned(rule, cohort) or now - cohort.end < ripe:
            continue
        scope = _scope(rule, cohort)
        late = scope in through and cohort.end <= through[scope]
        mark = (scope, cohort.end, cohort.stratum)
        if scope not in known:
            known[scope] = Watch(scope=scope, started=cohort.end, through=cohort.end)
        watch = known[scope]
        if late or mark in done:
            known[scope] = watch.model_copy(update={"passed_over": watch.passed_over + 1})
            continue
        done.add(mark)
        known[scope] = _entered(policy, rule, watch, cohort, _before(known, scope))
    return list(known.values())


def _concerned(rule: Rule, cohort: Cohort) -> bool:
    same = cohort.indicator == rule.indicator and cohort.attribute == rule.attribute
    return (
        same
        and rule.concerns(cohort.use_case, cohort.model)
        and (not rule.strata or cohort.stratum in rule.strata)
    )


def _scope(rule: Rule, cohort: Cohort) -> Scope:
    return Scope(rule=rule.title, use_case=cohort.use_case, model=cohort.model, version=cohort.version)


def _before(known: dict[Scope, Watch], scope: Scope) -> Watch | None:
    """The watch of another version of the same model that took in the latest cohort, if there is one."""
    others = [w for s, w in known.items() if s != scope and _family(s) == _family(scope)]
    return max(others, key=lambda one: one.through, default=None)


def _family(scope: Scope) -> tuple[str, str, str]:
    return scope.rule, scope.use_case, scope.model


def _entered(policy: Policy, rule: Rule, watch: Watch, cohort: Cohort, before: Watch | None) -> Watch:
    """The watch after one cohort: every comparison bets on its block."""
    counts = {group: pair for group, pair in cohort.counts.items() if group not in policy.leave_out}
    tests = {test.groups: test for test in watch.tests}
    for groups in _comparisons(policy, {*_groups(watch), *counts}):
        if groups not in tests:
            levels = _levels(before, groups, max(len(rule.strata), 1))
            tests[groups] = _test(groups, levels, cohort.end, number=1)
    stream = rule.strata.index(cohort.stratum) if rule.strata else 0
    after = tuple(_bet(rule, test, counts, stream) for test in tests.values())
    return watch.model_copy(update={"tests": after, "through": cohort.end})


def _groups(watch: Watch) -> set[str]:
    return {group for test in watch.tests for group in test.groups} - {REST}


def _comparisons(policy: Policy, groups: set[str]) -> list[tuple[str, str]]:
    """All pairs in the order of the names, or each group and the rest; of two groups one comparison."""
    names = sorted(groups)
    if policy.groups == "rest" and len(names) > 2:
        return [(name, REST) for name in names]
    return list(combinations(names, 2))


def _levels(before: Watch | None, groups: tuple[str, str], streams: int) -> list[object]:
    """The levels that an earlier version's test of the same groups had learnt; None where there was none."""
    for test in before.tests if before else ():
        if test.groups == groups and len(test.streams) == streams:
            return [one["seen"] for one in test.streams]
    return [None] * streams


def _test(groups: tuple[str, str], levels: Sequence[object], started: datetime, *, number: int) -> Test:
    wealth = [betting.start(seen=None if level is None else np.asarray(level, float)) for level in levels]
    streams = tuple(one.as_lists() for one in wealth)
    return Test(groups=groups, number=number, started=started, streams=streams)


def _bet(rule: Rule, test: Test, counts: dict[str, Pair], stream: int) -> Test:
    block = [_side(group, test.groups, counts) for group in test.groups]
    if not any(n for n, _ in block):
        return test
    n, x = ([pair[i] for pair in block] for i in (0, 1))
    wealth = betting.Wealth.from_lists(test.streams[stream])
    after = betting.bet(wealth, n, x, rule.tolerance.tolerance()).as_lists()
    streams = (*test.streams[:stream], after, *test.streams[stream + 1 :])
    update: dict[str, object] = {"streams": streams}
    if bool(betting.staked(wealth, n)):
        update |= {"n": (test.n[0] + n[0], test.n[1] + n[1]), "x": (test.x[0] + x[0], test.x[1] + x[1])}
    return test.model_copy(update=update)


def _side(group: str, groups: tuple[str, str], counts: dict[str, Pair]) -> Pair:
    """The counts of a group; of `REST` those of all but the other side."""
    if group != REST:
        return counts.get(group, (0, 0))
    others = [pair for name, pair in counts.items() if name not in groups]
    return sum(n for n, _ in others), sum(x for _, x in others)


# ---- every comparison is judged ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Judge:
    policy: Policy
    now: datetime

    def rule(self, watch: Watch) -> Rule:
        return next(rule for rule in self.policy.rules if rule.title == watch.scope.rule)

    def test(self, watch: Watch, test: Test, rejected: bool) -> tuple[Test, Decision]:
        """The test with its alert and its message noted, and what is said of it."""
        rule, log_e = self.rule(watch), _log_e(test)
        enough = min(test.n) >= (rule.minimum or 1)
        raised = test.raised or (self.now if rejected and enough else None)
        tell = raised is not None and self._tells(rule, test)
        test = test.model_copy(update={"raised": raised, "told": self.now if tell else test.told})
        status: Status = "alert" if raised else "ok" if enough else "insufficient data"
        decision = Decision(
            scope=watch.scope, groups=test.groups, status=status, why=_why(rule, test, status, log_e),
            number=test.number, since=raised or test.started, n=test.n, x=test.x, log_e=log_e,
            worse=_worse(test), notify=(rule.notify or ()) if tell else (),
        )  # fmt: skip
        return test, decision

    def _tells(self, rule: Rule, test: Test) -> bool:
        """Whether a message about an alert goes out now: at first, and each time the cooldown has passed."""
        if test.told is None:
            return True
        quiet = timedelta(days=rule.cooldown_days or 0.0)
        return self.now - test.told >= quiet and (test.raised is None or quiet > timedelta(0))


def _judged(
    policy: Policy, watches: Sequence[Watch], now: datetime
) -> tuple[list[Watch], tuple[Decision, ...]]:
    judge = _Judge(policy, now)
    live = [watch for watch in watches if not _superseded(watch, watches)]
    open_tests = [(watch, test) for watch in live for test in watch.tests]
    logs = [_log_e(test) for _, test in open_tests]
    rejected = merging.e_bh(logs, policy.alpha) if logs else np.zeros(0, bool)
    found = [judge.test(w, t, bool(no)) for (w, t), no in zip(open_tests, rejected, strict=True)]
    after = {id(old): new for (_, old), (new, _) in zip(open_tests, found, strict=True)}
    told = [w.model_copy(update={"tests": tuple(after.get(id(t), t) for t in w.tests)}) for w in watches]
    return told, (*(decision for _, decision in found), *_silent(policy, live))


def _superseded(watch: Watch, watches: Sequence[Watch]) -> bool:
    """Whether a newer version has taken its place: that one's first cohort is later than this one's last."""
    return any(
        _family(other.scope) == _family(watch.scope) and other.started > watch.through for other in watches
    )


def _silent(policy: Policy, live: Sequence[Watch]) -> list[Decision]:
    """Rules and scopes in which nothing can be compared yet: insufficient data, never nothing at all."""
    why = "No two groups have been seen yet."
    found = [
        Decision(scope=w.scope, groups=None, status="insufficient data", why=why) for w in live if not w.tests
    ]
    seen = {watch.scope.rule for watch in live}
    for rule in policy.rules:
        if rule.title not in seen:
            scope = Scope(rule=rule.title, use_case="", model="", version="")
            no = "No matured data have come for this rule."
            found.append(Decision(scope=scope, groups=None, status="insufficient data", why=no))
    return found


def _log_e(test: Test) -> float:
    """The log capital of a test; several streams are merged."""
    logs = [float(betting.Wealth.from_lists(one).log_e()) for one in test.streams]
    return float(merging.mixture(logs)) if len(logs) > 1 else logs[0]


def _worse(test: Test) -> str | None:
    if not min(test.n):
        return None
    a, b = test.x[0] * test.n[1], test.x[1] * test.n[0]
    return None if a == b else test.groups[0 if a < b else 1]


def _why(rule: Rule, test: Test, status: Status, log_e: float) -> str:
    counts = " and ".join(f"{g}: {x} of {n}" for g, n, x in zip(test.groups, test.n, test.x, strict=True))
    again = (
        f" This is test {test.number} of this comparison, begun after an acknowledged alert: a new test, "
        "with its own chance of a false alarm."
        if test.number > 1
        else ""
    )
    if status == "insufficient data":
        return f"{counts}; at least {rule.minimum} in each group are needed.{again}"
    if status == "alert":
        return f"The tolerance {rule.tolerance} is broken ({counts}).{again}"
    return f"The tolerance {rule.tolerance} has not been shown to be broken ({counts}).{again}"
