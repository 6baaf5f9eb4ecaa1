"""The policy on stored runs: people are counted by hand, and the gate has its three states and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evenhand import measure
from evenhand.cli import main
from evenhand.errors import BadOption
from evenhand.monitor.policy import Policy, parse_policy
from evenhand.monitor.releasing import counted, gated
from evenhand.records import Card, Estimate, GuardName, Measurement, ModelSpec, Protocol, Score
from evenhand.studies import store
from evenhand.studies.runs import opened


def person(number: int, sex: str, decision: float | None, outcome: float, text: str = "") -> Score:
    values = {
        "member.f": float(sex == "f"), "member.m": float(sex == "m"),
        "decision": decision, "outcome": outcome, "label_mass": 1.0,
    }  # fmt: skip
    return Score(f"decisions/{number}", text or f"text {number}", values, {"group": sex})


def people(f: tuple[int, int], m: tuple[int, int]) -> list[Score]:
    """So many (n, selected) women and men; the outcome is 1 for every second one."""
    made = []
    for sex, (n, selected) in (("f", f), ("m", m)):
        made += [person(len(made) + i, sex, float(i < selected), float(i % 2)) for i in range(n)]
    return made


def measured(scores: list[Score], by: str = "sex") -> Measurement:
    return Measurement(
        model=ModelSpec("lab:decisions", "a1" * 32),
        benchmark="decisions:shots=0",
        card=Card(
            "decisions",
            "1",
            title=f"Decisions about people (lab) by {by}",
            source="s",
            licence="l",
            digest="d",
            reading="r",
        ),
        protocol=Protocol("d", "s", "n", "t", "float32", 0, False, None),
        n=len(scores),
        metrics={"dpd": Estimate(None, None, None, 0)},
        slices={},
        scores=tuple(scores),
    )


def policy(rule: str = "", *, attribute: str = '"sex"', indicator: str = "selection_rate") -> Policy:
    return parse_policy(
        f'[[rule]]\nindicator = "{indicator}"\nattribute = {attribute}\ntolerance = {{ratio = 0.8}}\n{rule}'
    )


def test_people_are_counted_by_group_and_equal_texts_once() -> None:
    scores = [
        person(0, "f", 1.0, 1.0, "a"), person(1, "f", 1.0, 0.0, "a"), person(2, "m", 0.0, 1.0, "a"),
        person(3, "m", 1.0, 0.0), person(4, "m", None, 1.0), person(5, "m", 0.0, 0.0),
    ]  # fmt: skip
    found = counted(measured(scores))
    assert found.groups == {
        "f": {"events": 1, "decisions": 1, "selected": 1, "labelled": 1, "true_positives": 1},
        "m": {
            "events": 4, "decisions": 3, "selected": 1, "labelled": 3,
            "false_negatives": 1, "false_positives": 1, "true_negatives": 1,
        },
    }  # fmt: skip
    assert (found.attribute, found.doubt) == (frozenset({"sex"}), "")


@pytest.mark.parametrize(
    ("f", "m", "passed", "judged"),
    [
        ((4000, 1600), (4000, 1650), True, True),
        ((4000, 1000), (4000, 1650), False, True),
        ((120, 50), (120, 48), False, False),  # enough, and too few to tell
        ((50, 20), (50, 20), False, False),  # fewer than the minimum
    ],
)
def test_three_states(f, m, passed: bool, judged: bool) -> None:
    (found,) = gated(policy(), opened([measured(people(f, m))]))
    assert (found.passed, found.judged) == (passed, judged)
    low, high = sorted([f[1] / f[0], m[1] / m[0]])
    assert found.value == pytest.approx(low / high)
    assert found.condition == "selection_rate by sex: ratio >= 0.8 for f and m"


def test_error_rates_are_of_the_outcomes() -> None:
    """Half of the outcomes are 1. All women are selected: half of them wrongly; men too: a ratio of 1."""
    (found,) = gated(policy(indicator="error_rate"), opened([measured(people((2000, 2000), (2000, 2000)))]))
    assert (found.passed, found.value) == (True, 1.0)
    (found,) = gated(
        policy(indicator="true_positive_rate"), opened([measured(people((2000, 200), (2000, 2000)))])
    )
    # Of 1000 women with outcome 1, the first 200 women hold 100: .1 of 1.
    assert (found.passed, found.judged, found.value) == (False, True, pytest.approx(0.1))


@pytest.mark.parametrize(
    "given",
    [policy(attribute='"age"'), policy(attribute='["sex", "age"]'), policy(indicator="refusal")],
)
def test_what_the_run_does_not_hold_is_not_passed(given: Policy) -> None:
    (found,) = gated(given, opened([measured(people((4000, 1600), (4000, 1650)))]))
    assert (found.passed, found.judged, found.value) == (False, False, None)


def test_intersections_in_any_order() -> None:
    run = opened([measured(people((4000, 1600), (4000, 1650)), by="age, sex")])
    (found,) = gated(policy(attribute='["sex", "age"]'), run)
    assert found.passed


def test_rules_are_chosen_by_their_use_case() -> None:
    run = opened([measured(people((4000, 1600), (4000, 1650)))])
    own = policy('use_cases = "loans-*"')
    assert gated(own, run, use_case="loans-eu")[0].passed
    assert gated(own, run)[0].passed
    with pytest.raises(BadOption, match="No rule of the policy watches the use case 'jobs'"):
        gated(own, run, use_case="jobs")


def test_a_model_that_hardly_uses_the_words_is_not_judged() -> None:
    scores = people((4000, 1600), (4000, 1650))
    scores = [replace(one, values={**one.values, "label_mass": 0.0001}) for one in scores]
    low = replace(
        measured(scores),
        guards={GuardName.MASS: "label_mass"},
        metrics={"label_mass": Estimate(0.0001, 0.0001, 0.0001, 8000)},
    )
    (found,) = gated(policy(), opened([low]))
    assert (found.passed, found.judged) == (False, False)


def test_a_measurement_of_a_model_is_counted_as_its_metrics_are() -> None:
    """`dpd` of the benchmark is the gap between the rates that are counted here."""
    (taken,) = measure("lab:decisions", "decisions:shots=0", limit=40)
    found = counted(taken)
    assert found.attribute == frozenset({"sex"})
    assert sum(own["events"] for own in found.groups.values()) == 40
    rates = [own["selected"] / own["decisions"] for own in found.groups.values()]
    assert abs(rates[0] - rates[1]) == pytest.approx(taken.metrics["dpd"].value)


@pytest.mark.parametrize(("f", "code"), [((4000, 1600), 0), ((4000, 1000), 1), ((50, 20), 3)])
def test_exit_codes_and_json(tmp_path, capsys, f: tuple[int, int], code: int) -> None:
    run, file = tmp_path / "run", tmp_path / "policy.toml"
    store.save_measurements(run, [measured(people(f, (4000, 1650)))])
    file.write_text('[[rule]]\nindicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}\n')
    assert main(["gate", str(run), "--policy", str(file), "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["judged"], found["limited"]) == (code == 0, code != 3, False)
    assert set(found["conditions"][0]) == {"condition", "passed", "name", "value", "judged", "why"}


def test_what_is_wrong_is_said(tmp_path, capsys) -> None:
    run = tmp_path / "run"
    store.save_measurements(run, [measured(people((40, 16), (40, 16)))])
    assert main(["gate", str(run)]) == 2
    assert "holds no condition" in capsys.readouterr().err
    assert main(["gate", str(run), "dpd<1", "--use-case", "loans"]) == 2
    assert "Give --policy FILE.toml" in capsys.readouterr().err
    assert (
        main(["gate", str(run), "--policy", str(tmp_path / "none.toml"), "--junit", str(tmp_path / "x.xml")])
        == 2
    )
    assert "none.toml" in (tmp_path / "x.xml").read_text()
