"""From a policy and newly matured counts to alerts: states in, states out; no database and no clock.

`look` may be called as often as one likes. What it promises: with every rule's tolerance met, the chance that
any comparison of the policy is *ever* called an alert is at most `alpha`, until somebody acknowledges one. An
acknowledged alert ends its test; the next test of that comparison is a new one with a new chance of `alpha`.

- A cohort enters `maturity_days` after its end, once, in order of the ends. What comes for a period that was
  judged already, a late label or a corrected record, changes nothing and is counted in `Watch.passed_over`.
- Each model version has tests of its own, from capital 1; only the level is handed on.
- Below the minimum of items a comparison is "insufficient data", never "ok"; so is a rule without any data.
- A rule whose tolerance (or anything else that it asks) is changed begins new tests with what comes then.
- A clock that goes backwards lets nothing in again: the latest time that was ever told counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np

from evenhand.errors import UsageError
from evenhand.monitor.policy import Policy, Rule
from evenhand.monitor.states import (
    Acknowledged,
    Change,
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
    titles = {rule.title for rule in policy.rules}
    gone = [watch for watch in state.watches if watch.scope.rule not in titles]  # kept, and not judged
    backwards = state.backwards + int(behind)
    after = State(now=current, watches=(*watches, *gone), backwards=backwards)
    return Look(state=after, decisions=decisions)


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
    done = _ended(test, words, now)
    fresh = _test(test.groups, [one["seen"] for one in test.streams], now, number=test.number + 1)
    fresh = fresh.model_copy(update={"told": test.told})
    tests = tuple(fresh if one is test else one for one in watch.tests)
    return watch.model_copy(update={"tests": tests, "acknowledged": (*watch.acknowledged, done)})


def _ended(test: Test, words: tuple[str, str], now: datetime) -> Acknowledged:
    by, note = words
    kept = test.model_dump(include={"groups", "number", "started", "raised", "n", "x"})
    return Acknowledged(**kept, ended=now, log_e=_log_e(test), by=by, note=note)


# ---- cohorts enter -------------------------------------------------------------------------------------


def _watched(
    policy: Policy, rule: Rule, watches: Sequence[Watch], cohorts: Sequence[Cohort], now: datetime
) -> list[Watch]:
    """The watches of one rule after every mature cohort that it concerns."""
    asked = f"{rule.asks}, groups: {policy.groups}"
    known = {w.scope: _kept(w, asked, now) for w in watches if w.scope.rule == rule.title}
    ripe = timedelta(days=rule.maturity_days or 0.0)
    through = {scope: watch.through for scope, watch in known.items()}  # before this look
    done: set[tuple[Scope, datetime, str]] = set()
    for cohort in cohorts:
        if not rule.takes(cohort) or now - cohort.end < ripe:
            continue
        scope = cohort.scope(rule.title)
        late = scope in through and cohort.end <= through[scope]
        mark = (scope, cohort.end, cohort.stratum)
        if scope not in known:
            known[scope] = Watch(scope=scope, asked=asked, started=cohort.end, through=cohort.end)
        watch = known[scope]
        if late or mark in done:
            known[scope] = watch.model_copy(update={"passed_over": watch.passed_over + 1})
            continue
        done.add(mark)
        known[scope] = _entered(policy, rule, watch, cohort, _before(known, scope))
    return list(known.values())


def _kept(watch: Watch, asked: str, now: datetime) -> Watch:
    """The watch; without its tests where the rule was changed since: what was seen before is not judged again
    by a tolerance that was chosen afterwards. An open alert is kept among the acknowledged ones."""
    if watch.asked == asked:
        return watch
    words = ("the policy file", f"The rule was {watch.asked}; now it is {asked}.")
    ended = tuple(_ended(test, words, now) for test in watch.tests if test.raised is not None)
    update = {"tests": (), "asked": asked, "acknowledged": (*watch.acknowledged, *ended)}
    return watch.model_copy(update=update)


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
    for groups in compared(policy, {*_groups(watch), *counts}):
        if groups not in tests:
            levels = _levels(before, groups, max(len(rule.strata), 1))
            tests[groups] = _test(groups, levels, cohort.end, number=1)
    stream = rule.strata.index(cohort.stratum) if rule.strata else 0
    after = tuple(_bet(rule, test, counts, stream) for test in tests.values())
    return watch.model_copy(update={"tests": after, "through": cohort.end})


def _groups(watch: Watch) -> set[str]:
    return {group for test in watch.tests for group in test.groups} - {REST}


def compared(policy: Policy, groups: set[str]) -> list[tuple[str, str]]:
    """What is compared: all pairs in the order of the names, or each group and `REST`; of two groups one."""
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
    n, x = sides(test.groups, counts)
    if not any(n):
        return test
    wealth = betting.Wealth.from_lists(test.streams[stream])
    after = betting.bet(wealth, n, x, rule.tolerance.tolerance()).as_lists()
    streams = (*test.streams[:stream], after, *test.streams[stream + 1 :])
    update: dict[str, object] = {"streams": streams}
    if bool(betting.staked(wealth, n)):
        update |= {"n": (test.n[0] + n[0], test.n[1] + n[1]), "x": (test.x[0] + x[0], test.x[1] + x[1])}
    return test.model_copy(update=update)


def sides(groups: tuple[str, str], counts: Mapping[str, Pair]) -> tuple[Pair, Pair]:
    """The items, and the ones, of both sides of a comparison; `REST` is all groups but the other side."""
    found = []
    for group in groups:
        members = [name for name in counts if name not in groups] if group == REST else [group]
        pairs = [counts.get(name, (0, 0)) for name in members]
        found.append((sum(n for n, _ in pairs), sum(x for _, x in pairs)))
    (n1, x1), (n2, x2) = found
    return (n1, n2), (x1, x2)


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
        change = _change(test, raised) if tell else None
        test = test.model_copy(update={"raised": raised, "told": self.now if tell else test.told})
        status: Status = "alert" if raised else "ok" if enough else "insufficient data"
        decision = Decision(
            scope=watch.scope, groups=test.groups, status=status, why=_why(rule, test, status, log_e),
            number=test.number, since=raised or test.started, n=test.n, x=test.x, log_e=log_e,
            lower=lower(test.groups, test.n, test.x), notify=(rule.notify or ()) if tell else (),
            change=change,
        )  # fmt: skip
        return test, decision

    def _tells(self, rule: Rule, test: Test) -> bool:
        """Whether a message about an alert goes out now: at first, and each time the cooldown has passed."""
        if test.told is None:
            return True
        quiet = timedelta(days=rule.cooldown_days or 0.0)
        return self.now - test.told >= quiet and (test.raised is None or quiet > timedelta(0))


def _change(test: Test, raised: datetime | None) -> Change:
    """What a message about an open alert says: of this test nobody was told yet, or it is told again."""
    new = test.told is None or raised is None or test.told < raised
    return "opened" if new else "reminder"


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


def lower(groups: tuple[str, str], n: Pair, x: Pair) -> str | None:
    """The group with the lower rate; None where both are equal, or one is empty."""
    if not min(n):
        return None
    a, b = x[0] * n[1], x[1] * n[0]
    return None if a == b else groups[int(a > b)]


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
