"""Alerts as a state machine: who enters, once and when; what is said; what an acknowledgement begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from evenhand.errors import UsageError
from evenhand.monitor.alerting import REST, acknowledge, compared, look, sides
from evenhand.monitor.policy import Bound, Policy, parse_policy
from evenhand.monitor.states import Cohort, Decision, Look, Place, State
from evenhand.stats import betting, merging

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FAIR, UNFAIR = {"f": (50, 20), "m": (50, 20)}, {"f": (50, 10), "m": (50, 30)}
WORSE = {"f": (50, 15), "m": (50, 27)}  # a ratio of .56: it takes some days


def day(number: float) -> datetime:
    return BEGIN + timedelta(days=number)


def policy(head: str = "", rule: str = "", *, rules: int = 1) -> Policy:
    one = 'indicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}\n'
    named = [f'[[rule]]\nname = "rule {k}"\n{one}{rule}\n' for k in range(rules)]
    return parse_policy("minimum = 100\n" + head + "\n" + "".join(named))


def cohort(
    end: float, counts: dict[str, tuple[int, int]], *, version: str = "1", stratum: str = ""
) -> Cohort:
    return Cohort(
        indicator="selection_rate", attribute=("sex",), use_case="loans", model="m", version=version,
        end=day(end), counts=counts, stratum=stratum,
    )  # fmt: skip


def days(first: int, last: int, counts: dict[str, tuple[int, int]], *, version: str = "1") -> list[Cohort]:
    return [cohort(number, counts, version=version) for number in range(first, last)]


def watched(rules: Policy, cohorts: Sequence[Cohort], *, until: int) -> list[Look]:
    """A look a day, each with all cohorts, through JSON in between."""
    state, looks = State(), []
    for number in range(until):
        looks.append(look(rules, state, cohorts, day(number)))
        state = State.model_validate_json(looks[-1].state.model_dump_json())
        assert state == looks[-1].state
    return looks


def only(found: Look) -> Decision:
    assert len(found.decisions) == 1
    return found.decisions[0]


def statuses(looks: Sequence[Look]) -> list[str]:
    return [only(one).status for one in looks]


def place(found: Look) -> Place:
    decision = only(found)
    assert decision.groups
    return Place(**decision.scope.model_dump(), groups=decision.groups)


def test_insufficient_then_ok_and_the_first_day_is_not_counted() -> None:
    """50 a day: the first day teaches the level, so 100 are bet on after the third."""
    looks = watched(policy(), days(0, 9, FAIR), until=5)
    assert statuses(looks) == ["insufficient data", "insufficient data", "ok", "ok", "ok"]
    assert [only(one).n for one in looks] == [(0, 0), (50, 50), (100, 100), (150, 150), (200, 200)]
    assert only(looks[2]).x == (40, 40)
    assert "at least 100 in each group" in only(looks[1]).why


def test_an_alert_at_twenty_and_not_before() -> None:
    """The capital is that of `bet` over the same blocks; with one comparison it is compared with 1/.05."""
    looks = watched(policy(), days(0, 30, WORSE), until=25)
    wealth = betting.start()
    for one in looks:
        wealth = betting.bet(wealth, [50, 50], [15, 27], betting.Tolerance("ratio", 0.8))
        assert only(one).log_e == float(wealth.log_e())
        enough = min(only(one).n) >= 100
        assert (only(one).status == "alert") == (enough and np.exp(only(one).log_e) >= 20)
    assert "alert" in statuses(looks)
    first = statuses(looks).index("alert")
    assert statuses(looks)[first - 1] == "ok"
    assert only(looks[-1]).since == day(first)
    assert only(looks[-1]).lower == "f"


def test_below_the_minimum_there_is_no_alert_however_high_the_capital() -> None:
    looks = watched(policy(rule="minimum = 400"), days(0, 12, UNFAIR), until=10)
    assert np.exp(only(looks[7]).log_e) > 1000
    assert statuses(looks) == ["insufficient data"] * 8 + ["alert"] * 2


def test_an_alert_stays_although_the_capital_falls() -> None:
    looks = watched(policy(), days(0, 6, UNFAIR) + days(6, 40, FAIR), until=40)
    assert only(looks[5]).status == "alert"
    assert only(looks[-1]).log_e < np.log(20)
    assert only(looks[-1]).status == "alert"


def test_cohorts_enter_when_they_are_mature_once_and_in_order() -> None:
    late = [cohort(3, UNFAIR), *days(0, 3, FAIR)]
    state = look(policy("maturity_days = 10"), State(), late, day(9.9)).state
    assert state.watches == ()
    found = look(policy("maturity_days = 10"), state, late, day(12))
    assert found.state.watches[0].through == day(2)
    assert only(found).n == (100, 100)
    again = look(policy("maturity_days = 10"), found.state, late, day(13))
    assert again.state.watches[0].through == day(3)
    assert again.state.watches[0].passed_over == 3
    assert only(again).n == (150, 150)


def test_late_and_corrected_records_change_no_past_capital() -> None:
    rules = policy()
    state = look(rules, State(), days(0, 5, FAIR), day(5)).state
    corrected = look(rules, state, [cohort(2, UNFAIR), cohort(1, UNFAIR, stratum="new")], day(5))
    assert corrected.state.watches[0].tests == state.watches[0].tests
    assert corrected.state.watches[0].passed_over == 2


def test_the_same_cohort_twice_in_one_look_counts_once() -> None:
    twice = look(policy(), State(), days(0, 4, FAIR) * 2, day(4))
    assert only(twice).n == (150, 150)
    assert twice.state.watches[0].passed_over == 4


def test_day_by_day_is_bit_for_bit_the_same_as_at_once() -> None:
    cohorts = days(0, 20, UNFAIR)
    daily, once = watched(policy(), cohorts, until=20)[-1], look(policy(), State(), cohorts, day(19))
    assert daily.state.watches[0].tests[0].streams == once.state.watches[0].tests[0].streams


def test_a_clock_that_goes_backwards_lets_nothing_in_and_takes_nothing_back() -> None:
    rules, cohorts = policy("maturity_days = 2"), days(0, 30, FAIR)
    state = look(rules, State(), cohorts, day(10)).state
    back = look(rules, state, cohorts, day(3))
    assert (back.state.now, back.state.backwards) == (day(10), 1)
    assert back.state.watches[0].tests == state.watches[0].tests
    assert look(rules, back.state, cohorts, day(11)).state.watches[0].through == day(9)


def test_messages_go_out_once_and_again_after_the_cooldown() -> None:
    rules = policy('cooldown_days = 3\nnotify = "mailto:me@example.org"')
    looks = watched(rules, days(0, 30, UNFAIR), until=14)
    first = statuses(looks).index("alert")
    told = [number for number, one in enumerate(looks) if only(one).notify]
    assert told == list(range(first, 14, 3))
    assert only(looks[first]).notify == ("mailto:me@example.org",)
    never = watched(
        policy('cooldown_days = 0\nnotify = "mailto:me@example.org"'), days(0, 30, UNFAIR), until=14
    )
    assert [number for number, one in enumerate(never) if only(one).notify] == [first]


def test_an_acknowledged_alert_ends_its_test_and_a_new_one_says_so() -> None:
    rules = policy('cooldown_days = 5\nnotify = "mailto:me@example.org"')
    cohorts = days(0, 30, UNFAIR)
    looks = watched(rules, cohorts, until=8)
    assert statuses(looks)[-1] == "alert"
    state = acknowledge(looks[-1].state, place(looks[-1]), by="eva", note="rolled back", now=day(7))
    done, test = state.watches[0].acknowledged[0], state.watches[0].tests[0]
    assert (done.by, done.note, done.n, done.number) == ("eva", "rolled back", (350, 350), 1)
    assert done.log_e == only(looks[-1]).log_e
    assert (test.number, test.n, test.raised) == (2, (0, 0), None)
    found = look(rules, state, cohorts, day(8))  # the level is known: the first day is bet on
    assert (only(found).status, only(found).n) == ("insufficient data", (50, 50))
    assert "test 2" in only(found).why
    assert "a new test" in only(found).why
    later = look(rules, found.state, cohorts, day(20))
    assert only(later).status == "alert"
    assert only(later).notify


def test_a_new_alert_within_the_cooldown_is_told_when_it_is_over() -> None:
    rules = policy('cooldown_days = 20\nnotify = "mailto:me@example.org"')
    cohorts = days(0, 60, UNFAIR)
    looks = watched(rules, cohorts, until=8)
    first = statuses(looks).index("alert")
    state = acknowledge(looks[-1].state, place(looks[-1]), by="eva", note="seen", now=day(7))
    told = []
    for number in range(8, 40):
        found = look(rules, state, cohorts, day(number))
        state = found.state
        told += [number] if only(found).notify else []
    assert told[0] == first + 20


@pytest.mark.parametrize("note", ["", "  "])
def test_an_acknowledgement_needs_a_note_and_an_open_alert(note: str) -> None:
    found = look(policy(), State(), days(0, 20, UNFAIR), day(20))
    with pytest.raises(UsageError, match="note is empty"):
        acknowledge(found.state, place(found), by="eva", note=note, now=day(20))
    fair = look(policy(), State(), days(0, 20, FAIR), day(20))
    with pytest.raises(UsageError, match="no open alert for f and m"):
        acknowledge(fair.state, place(fair), by="eva", note="why", now=day(20))


def test_a_new_version_has_a_baseline_of_its_own() -> None:
    cohorts = days(0, 10, UNFAIR) + days(10, 14, FAIR, version="2")
    old = look(policy(), State(), cohorts[:10], day(9))
    new = look(policy(), old.state, cohorts, day(11))
    assert only(old).status == "alert"
    assert only(new).scope.version == "2"  # the old version's last cohort is earlier: it is superseded
    assert (only(new).status, only(new).n, only(new).number) == ("ok", (100, 100), 1)
    kept = {watch.scope.version: watch for watch in new.state.watches}
    assert kept["1"].tests[0].raised == day(9)
    assert kept["2"].started == day(10)


def test_two_versions_at_a_time_are_both_judged() -> None:
    cohorts = days(0, 6, FAIR) + days(3, 6, FAIR, version="2")
    found = look(policy(), State(), cohorts, day(5))
    assert sorted((one.scope.version, one.n) for one in found.decisions) == [
        ("1", (250, 250)),
        ("2", (150, 150)),
    ]


def test_alpha_is_spent_once_over_all_comparisons() -> None:
    """Ten rules, one of them unfair: its capital has to reach 10/.05 = 200."""
    rules = policy(rules=10)
    wanted = rules.rules[0].model_copy(update={"indicator": "other"})
    mixed = rules.model_copy(update={"rules": (wanted, *rules.rules[1:])})
    state, seen = State(), []
    for number in range(40):
        unfair = cohort(number, WORSE).model_copy(update={"indicator": "other"})
        found = look(mixed, state, [unfair, cohort(number, FAIR)], day(number))
        state = found.state
        one = next(d for d in found.decisions if d.scope.rule == "rule 0")
        assert all(d.status != "alert" for d in found.decisions if d != one)
        seen.append((float(np.exp(one.log_e)), one.status))
    first = next(e for e, status in seen if status == "alert")
    before = [e for e, status in seen if status == "ok"]
    assert first >= 200 > max(before) > 20


def test_strata_that_are_named_are_streams_that_merge() -> None:
    rules = policy(rule='strata = ["north", "south"]')
    cohorts = [
        cohort(number, counts, stratum=name)
        for number in range(8)
        for name, counts in (("north", FAIR), ("south", UNFAIR), ("west", UNFAIR))
    ]
    found = only(look(rules, State(), cohorts, day(8)))
    n = np.full((8, 2, 2), 50)
    x = np.array([[[20, 20], [10, 30]]] * 8)
    wealth = betting.bet_all(betting.start((2,)), n, x, betting.Tolerance("ratio", 0.8))
    assert found.log_e == pytest.approx(float(merging.mixture(wealth.log_e())))
    assert found.n == (700, 700)


def test_three_groups_in_pairs_or_against_the_rest() -> None:
    counts = {"a": (10, 1), "b": (20, 5), "c": (30, 9), "unknown": (99, 99)}
    assert compared(policy(), {"a", "b", "c"}) == [("a", "b"), ("a", "c"), ("b", "c")]
    rest = policy('groups = "rest"')
    assert compared(rest, {"a", "b", "c"}) == [("a", REST), ("b", REST), ("c", REST)]
    assert compared(rest, {"a", "b"}) == [("a", "b")]
    assert sides(("b", REST), {g: counts[g] for g in "abc"}) == ((20, 40), (5, 10))
    found = look(policy(), State(), days(0, 3, counts), day(3))
    assert [one.groups for one in found.decisions] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_a_third_group_that_comes_later_leaves_the_comparison_of_two_as_it_is() -> None:
    third = {"f": (50, 20), "m": (50, 20), "x": (5, 1)}
    for groups in ("pairs", "rest"):
        rules = policy(f'groups = "{groups}"')
        found = look(rules, State(), days(0, 4, FAIR) + [cohort(number, third) for number in (4, 5)], day(5))
        assert ("f", "m") in [one.groups for one in found.decisions]
        assert len(found.decisions) == (3 if groups == "pairs" else 4)


@pytest.mark.parametrize("counts", [{}, {"f": (500, 20)}, {"f": (500, 20), "unknown": (400, 300)}])
def test_without_two_groups_it_is_never_ok(counts: dict[str, tuple[int, int]]) -> None:
    found = only(look(policy(), State(), days(0, 9, counts), day(9)))
    assert (found.status, found.groups) == ("insufficient data", None)


def test_groups_that_never_come_in_the_same_period_are_never_ok() -> None:
    cohorts = [cohort(number, {"fm"[number % 2]: (500, 100)}) for number in range(20)]
    found = only(look(policy(), State(), cohorts, day(20)))
    assert (found.status, found.n) == ("insufficient data", (0, 0))


def test_a_rule_without_data_is_named() -> None:
    found = only(look(policy(), State(), [], day(0)))
    assert (found.status, found.scope.rule) == ("insufficient data", "rule 0")
    assert "No matured data" in found.why


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="group 'f' has 7 ones of 5 items"):
        cohort(0, {"f": (5, 7)})


def test_a_changed_tolerance_begins_new_tests_with_what_comes_then() -> None:
    old, cohorts = policy(), days(0, 30, UNFAIR)
    state = look(old, State(), cohorts, day(9)).state
    rule = old.rules[0].model_copy(update={"tolerance": Bound(ratio=0.2)})
    found = look(old.model_copy(update={"rules": (rule,)}), state, cohorts, day(12))
    watch = found.state.watches[0]
    assert (only(found).status, only(found).n) == (
        "ok",
        (100, 100),
    )  # days 11 and 12; day 10 taught the level
    assert (watch.acknowledged[0].by, watch.acknowledged[0].raised) == ("the policy file", day(9))
    assert watch.acknowledged[0].note.startswith(
        "The rule was selection_rate by sex: ratio >= 0.8, groups: pairs"
    )


def test_a_rule_that_is_taken_out_and_put_back_does_not_judge_its_past_again() -> None:
    both, cohorts = policy(rules=2), days(0, 30, UNFAIR)
    state = look(both, State(), cohorts, day(9)).state
    one = look(both.model_copy(update={"rules": both.rules[:1]}), state, cohorts, day(12))
    assert [decision.scope.rule for decision in one.decisions] == ["rule 0"]
    back = look(both, one.state, cohorts, day(13))
    assert [decision.n for decision in back.decisions] == [(650, 650), (650, 650)]
    assert [watch.through for watch in back.state.watches] == [day(13), day(13)]
