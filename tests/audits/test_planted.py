"""Every audit finds what is planted for it, and its case says how; the figures are worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis")

from evenhand import audit
from evenhand.audits.label_doubts import in_doubt
from evenhand.errors import BadData, BadOption
from evenhand.records import State
from evenhand.testing import AuditCase
from tests.audits.made import ASKED, people, quiet, texts, where

TEXTS = {"texts": True}


def more_men() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return pd.concat([frame, frame[frame["sex"] == "m"]]), ASKED


def unequal_labels() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame.assign(y=np.where(where(frame, "m", 1, 0.3), 1, frame["y"])), ASKED


def rare_labels() -> tuple[Any, dict[str, Any]]:
    return people(y=(np.arange(4000) % 50 == 0).astype(int)), ASKED


def missing_heights() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame.assign(height=frame["height"].mask(where(frame, "f", 2, 0.2))), ASKED


def signs_of_nothing() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame.assign(height=frame["height"].mask(where(frame, "f", 2, 0.2), -999)), ASKED


def one_value() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame.assign(height=np.where(frame["sex"] == "f", 170.0, frame["height"])), ASKED


def copied_women() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return pd.concat([frame, frame[where(frame, "f", 3, 0.3)]]), ASKED


def tall_men() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame.assign(height=frame["height"] + np.where(frame["sex"] == "m", 12, 0)), ASKED


def two_spellings() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame.assign(
        y=np.where(frame["y"] == 1, np.where(frame.index % 8 == 0, "yes.", "yes"), "no")
    ), ASKED


def random_labels() -> tuple[Any, dict[str, Any]]:
    frame = people().assign(height=1.0, noise=np.arange(4000) % 500, name="x")
    return frame.assign(y=np.where(where(frame, "f", 4, 0.4), 1 - frame["y"], 0)), ASKED


def contradicted_labels() -> tuple[Any, dict[str, Any]]:
    # Who is taller than the mean has the label, and a fifth of the women have the other one.
    frame = people()
    label = (frame["height"] > 170).astype(int)
    return frame.assign(y=np.where(where(frame, "f", 5, 0.2), 1 - label, label)), ASKED


def drifted() -> tuple[Any, dict[str, Any]]:
    frame = people()
    return frame, {**ASKED, "against": unequal_labels()[0].assign(height=frame["height"] + 6)}


def same_again() -> tuple[Any, dict[str, Any]]:
    return people(), {**ASKED, "against": people(seed=1)}


def published() -> tuple[Any, dict[str, Any]]:
    # 30 of 100 beside 60 of 100 is .5; .8 is printed.
    rows = [("a", "Selection", "sex", "Total", "Male", 100, 60, 0.6, 1.0)]
    rows += [("a", "Selection", "sex", "Total", "Female", 100, 30, 0.3, 0.8)]
    names = ["audit_id", "selection_or_scoring_rate", "protected_char_group", "race_ethnicity", "sex"]
    names += ["number_of_applications", "n_selected_or_n_above_median", "result", "impact_ratio"]
    return pd.DataFrame(rows, columns=names), {}


def right() -> tuple[Any, dict[str, Any]]:
    frame, options = published()
    return frame.assign(impact_ratio=[1.0, 0.5]), options


def lopsided() -> tuple[Any, dict[str, Any]]:
    return texts(300, 100), TEXTS


def even() -> tuple[Any, dict[str, Any]]:
    return texts(200, 200, both=True) * 4, TEXTS


def harsh() -> tuple[Any, dict[str, Any]]:
    scores = {"classifier": lambda found: [0.9 if one.startswith("She") else 0.1 for one in found]}
    return texts(300, 100), {**TEXTS, **scores}


CASES = (
    AuditCase("representation", more_men, quiet),
    AuditCase("label_rates", unequal_labels, quiet),
    AuditCase("label_balance", rare_labels, quiet),
    AuditCase("missingness", missing_heights, quiet),
    AuditCase("constants", one_value, quiet),
    AuditCase("sentinels", signs_of_nothing, quiet),
    AuditCase("duplicates", copied_women, quiet),
    AuditCase("proxies", tall_men, quiet),
    AuditCase("spellings", two_spellings, quiet),
    AuditCase("label_noise", random_labels, quiet),
    AuditCase("label_doubts", contradicted_labels, quiet),
    AuditCase("drift", drifted, same_again),
    AuditCase("impact_ratio", unequal_labels, quiet),
    AuditCase("published_ratios", published, right),
    AuditCase("mentions", lopsided, even),
    AuditCase("cooccurrence", lopsided, even),
    AuditCase("association", lopsided, even),
    AuditCase("counterfactuals", lopsided, even),
    AuditCase("toxicity", harsh, None),
    AuditCase("languages", lopsided, even),
)


def test_the_guides_six_hundred_and_four_hundred() -> None:
    # (600 - 500)² / 500 + (400 - 500)² / 500 = 40; half of |.6 - .5| + |.4 - .5| is .1.
    frame = pd.DataFrame({"sex": ["A"] * 600 + ["B"] * 400})
    found = audit(frame, "sex", baseline="A=0.5,B=0.5").of("representation")[0]
    assert found.statistic == pytest.approx(40)
    assert found.p_value == pytest.approx(2.54e-10, rel=2e-3)
    assert found.effect == pytest.approx(0.1)
    assert found.low is not None
    assert 0.06 < found.low < 0.08
    assert found.state is State.BEYOND


def test_groups_that_are_counted_together_have_the_share_of_as_many() -> None:
    # 100 groups of 10: 49 stand alone with .01 each, 51 are counted together, .51: no distance at all.
    found = audit(pd.DataFrame({"day": [f"d{i:02}" for i in range(100)] * 10}), "day").of("representation")[0]
    assert found.effect == pytest.approx(0, abs=1e-12)


def test_countless_values_are_not_compared_with_equal_shares() -> None:
    found = audit(pd.DataFrame({"name": [f"n{i}" for i in range(12_000)]}), "name").of("representation")[0]
    assert found.state is State.NOTE
    assert found.effect is None
    assert "too many values" in found.finding


def test_what_is_counted_together_is_not_shown_to_be_equal() -> None:
    # 49 large groups, and 100 of four: half of these have the label and a height, half have neither.
    large = pd.DataFrame({"town": np.repeat([f"t{i:02}" for i in range(49)], 40), "y": [0, 1] * 980})
    small = pd.DataFrame(
        {"town": np.repeat([f"s{i:03}" for i in range(100)], 4), "y": np.repeat([0, 1], 200)}
    )
    frame = pd.concat([large, small], ignore_index=True)
    frame["height"] = np.where(frame["y"] == 1, 170.0, np.nan)
    asked = [
        f"{name}:tolerance=0.9" for name in ("representation", "label_rates", "missingness", "duplicates")
    ]
    found = audit(
        frame, "town", "y", audits=[*asked, "label_noise:tolerance=0.9", "impact_ratio:rule=0,least=0"]
    )
    drifted = audit(frame, "town", "y", audits="drift:tolerance=1", against=frame)
    together = [
        one
        for one in (*found.findings, *drifted.findings)
        if one.effect is not None and any("(all others)" in group.group for group in one.groups)
    ]
    assert {one.name for one in together} >= {"representation", "label_rates", "missingness", "impact_ratio"}
    assert len([one for one in together if one.name == "drift"]) == 2
    assert {one.state for one in together} == {State.UNCLEAR}
    by_hand = audit(large, "town", "y", audits=asked)
    assert {one.state for one in by_hand.findings if one.effect is not None} == {State.WITHIN}


def test_a_high_p_value_is_not_called_balanced() -> None:
    # 11 and 9 of 20: nothing is rejected, and nothing is known either.
    found = audit(pd.DataFrame({"sex": ["A"] * 11 + ["B"] * 9}), "sex").of("representation")[0]
    assert found.p_value is not None
    assert found.p_value > 0.5
    assert found.state is State.UNCLEAR
    assert "balanced" not in found.finding
    many = audit(pd.DataFrame({"sex": ["A", "B"] * 5000}), "sex").of("representation")[0]
    assert many.state is State.WITHIN
    assert "balanced" in many.finding


def test_groups_and_intersections_have_their_rates() -> None:
    # By sex 3 of 4 and 1 of 4; by both, all and half, half and none.
    frame = pd.DataFrame(
        {"sex": list("mmmmffff") * 50, "race": list("aabb") * 100, "y": [1, 1, 1, 0, 1, 0, 0, 0] * 50}
    )
    by_sex, by_race, both = audit(frame, ["sex", "race"], "y").of("label_rates")
    assert by_sex.effect == pytest.approx(0.75 - 0.25)
    assert by_race.effect == pytest.approx(3 / 4 - 1 / 4)
    assert both.effect == pytest.approx(1.0)
    assert {g.group: g.value for g in both.groups} == {"f / a": 0.5, "f / b": 0.0, "m / a": 1.0, "m / b": 0.5}


def test_the_planted_proxy_is_first_and_an_unrelated_column_is_not_one() -> None:
    frame, options = tall_men()
    found = {one.columns: one for one in audit(frame, **options).of("proxies")}
    assert found["sex", "height"].state is State.BEYOND
    assert found["sex",].state is State.BEYOND
    assert found["sex", "noise"].state is State.WITHIN


@pytest.mark.parametrize("n", [100, 200])
def test_a_column_of_values_that_stand_once_or_twice_is_no_proxy(n: int) -> None:
    """Rows are read in the order of the groups: which values are kept must not hang on that."""
    beyond, p_values = 0, []
    for seed in range(12):
        drawn = np.random.default_rng(seed)
        group = drawn.choice(["A", "B"], n)
        name = [f"n{number}" for number in drawn.permutation(n)]
        code = [f"c{number}" for number in drawn.permutation(np.arange(n) // 2)]
        frame = pd.DataFrame({"sex": group, "name": name, "code": code, "y": drawn.choice(["0", "1"], n)})
        found = audit(frame, "sex", "y", audits=["proxies"]).of("proxies")
        beyond += sum(one.state is State.BEYOND for one in found)
        p_values += [one.p_value for one in found if one.p_value is not None]
    assert beyond == 0
    assert p_values
    assert sum(p < 0.05 for p in p_values) <= 0.2 * len(p_values)


def test_suppressed_groups_have_no_figures() -> None:
    frame = pd.DataFrame({"sex": ["A"] * 500 + ["B"] * 480 + ["C"] * 7, "y": [0, 1] * 493 + [1]})
    found = audit(frame, "sex", "y", suppress=10)
    for one in found.of("label_rates") + found.of("representation"):
        rare = next(g for g in one.groups if g.group == "C")
        assert (rare.n, rare.value, rare.low) == (None, None, None)


def test_groups_that_are_alike_are_named_once_each() -> None:
    frame = pd.DataFrame({"sex": ["A", "B"] * 300, "y": [1, 1, 0, 0] * 150, "x": [None, None, "x"] * 200})
    found = audit(frame, "sex", "y", audits=["label_rates", "impact_ratio", "label_noise", "missingness"])
    for one in found.findings:
        assert one.finding.count(" of A") == one.finding.count(" of B") == 1, one.finding


def test_equal_rows_of_one_group_are_compared_with_nothing() -> None:
    frame = pd.DataFrame({"sex": ["A"] * 300, "y": [1, 0, 0] * 100})
    (found,) = audit(frame, "sex", "y", audits=["label_noise"]).findings
    assert (found.state, found.effect, found.n) == (State.NOTE, None, 300)
    assert "33 % of them have the rarer of its labels: all are of A by sex" in found.finding


def test_dropped_categories_and_unknown_people_stand_beside_the_impact_ratio() -> None:
    # 990 of known sex: X has 10 of them, 1 %. A 200 of 490, B 100 of 490: a ratio of one half.
    frame = pd.DataFrame(
        {
            "sex": ["A"] * 490 + ["B"] * 490 + ["X"] * 10 + [None] * 10,
            "y": [1] * 200 + [0] * 290 + [1] * 100 + [0] * 390 + [1] * 5 + [0] * 5 + [0] * 10,
        }
    )
    found = audit(frame, "sex", "y", profile="ll144").of("impact_ratio")[0]
    assert found.effect == pytest.approx(0.5)
    assert "X (5 of 10)" in found.finding
    assert "10 people are of unknown category" in found.finding
    assert {g.group for g in found.groups} == {"A", "B", "X (left out)"}


def test_scores_are_compared_with_the_median() -> None:
    # Of 1 ... 100 those above 50.5: B has 30 of 50, A 20 of 50.
    score = [*range(1, 31), *range(51, 71), *range(31, 51), *range(71, 101)]
    frame = pd.DataFrame({"sex": ["A"] * 50 + ["B"] * 50, "score": score})
    found = audit(frame, "sex", "score", positive=["median"], profile="ll144").of("impact_ratio")[0]
    assert found.effect == pytest.approx(20 / 30)


def test_doubted_labels_are_those_that_the_columns_contradict() -> None:
    # A fifth of the women's labels are wrong, none of the men's; around the border the columns know less.
    found = audit(contradicted_labels()[0], **ASKED).of("label_doubts")[0]
    women, men = found.groups
    assert (women.group, men.group) == ("f", "m")
    assert women.value == pytest.approx(0.2, abs=0.05)
    assert men.value is not None
    assert men.value < 0.05


def test_a_label_that_nothing_tells_is_not_doubted() -> None:
    record = audit(people(), **ASKED, audits=["label_doubts"])
    assert record.findings == ()
    assert any("label_doubts: the other columns tell y with an area of 0.5" in note for note in record.notes)


def test_doubt_by_hand() -> None:
    # Label 0 has .8 on average among its rows (.9 .9 .6), label 1 has .6 (.8 .8 .2). Row 3 of label 0 has .4
    # for 1, below .6; row 6 of label 1 has .8 for 0, which is .8, and .2 for its own, below .6.
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.2, 0.8], [0.8, 0.2]])
    assert in_doubt(scores, np.array([0, 0, 0, 1, 1, 1])).tolist() == [False] * 5 + [True]


def test_weights_are_used() -> None:
    # A weighs 1, B 3: 150 of 300 each. Kish: 300² / (150 + 450) = 150 rows' worth, of which 1.645 standard
    # errors of one half are .067, more than the tolerance.
    frame = pd.DataFrame({"sex": ["A"] * 150 + ["B"] * 50, "w": [1.0] * 150 + [3.0] * 50})
    found = audit(frame, "sex", weights="w").of("representation")[0]
    assert found.effect == pytest.approx(0.0)
    assert found.state is State.UNCLEAR


def test_ten_rows_that_agree_are_no_proof_of_no_drift() -> None:
    # 5 of 10 here and 5 of 10 there: chi-square 0, and nothing is ruled out. Its upper end is that of the
    # chi-square that independence gives on average, 1 with one degree of freedom: (1 + 1.96)² of 20 rows.
    frame = pd.DataFrame({"g": ["a", "b"] * 5})
    found = audit(frame, "g", against=frame.copy(), audits=["drift"]).of("drift")[0]
    assert found.effect == pytest.approx(0.0)
    assert found.low == pytest.approx(0.0)
    assert found.high == pytest.approx((1 + 1.96) / 20**0.5, abs=2e-3)
    assert found.state is State.UNCLEAR


def test_a_small_group_that_agrees_by_chance_does_not_stand_for_no_change() -> None:
    # A changes by one point in 30 000 rows a side; B, with 20 a side, is the same on both by chance.
    def rows(won: int) -> pd.DataFrame:
        y = [1] * won + [0] * (30_000 - won) + [1] * 10 + [0] * 10
        return pd.DataFrame({"g": ["A"] * 30_000 + ["B"] * 20, "y": y})

    found = audit(rows(15_000), "g", "y", against=rows(15_300), audits=["drift"]).of("drift")
    labels = next(one for one in found if one.columns == ("g", "y"))
    assert labels.effect == pytest.approx(0.01)
    assert labels.high is not None
    assert labels.high > 0.2  # of B
    assert labels.state is State.UNCLEAR


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), None])
def test_weights_that_weigh_nothing_sensible_are_refused(weight: float | None) -> None:
    frame = pd.DataFrame({"sex": ["A"] * 60 + ["B"] * 60, "w": [weight] + [1.0] * 119})
    with pytest.raises(BadData, match="negative or no number in 1 of 120 rows"):
        audit(frame, "sex", weights="w")
    with pytest.raises(BadData, match="is 0 in all of 120 rows"):
        audit(frame.assign(w=0.0), "sex", weights="w")


def test_rows_of_weight_0_are_not_there() -> None:
    frame = pd.DataFrame({"sex": ["A"] * 60 + ["B"] * 60 + ["C"] * 9, "y": [0, 1] * 64 + [1]})
    whole = audit(frame.assign(w=[1.0] * 120 + [0.0] * 9), "sex", "y", weights="w")
    assert whole.n == 120
    assert "9 rows of weight 0 are left out." in whole.notes
    rates = whole.of("label_rates")[0]
    assert [figure.group for figure in rates.groups] == ["A", "B"]


@pytest.mark.parametrize("value", ["nan", "-1", "inf"])
def test_a_tolerance_is_a_number_that_something_can_be_compared_with(value: str) -> None:
    with pytest.raises(BadOption, match="cannot use tolerance="):
        audit(pd.DataFrame({"sex": ["A", "B"] * 50}), "sex", audits=[f"representation:tolerance={value}"])


def test_suggested_commands_ask_the_same() -> None:
    frame = people().assign(w=1.0, y=np.where(where(people(), "m", 1, 0.3), 1, people()["y"]))
    found = audit(frame, "sex", "y", weights="w", seed=3, suppress=5).of("label_rates")[0]
    for part in ("--weights w", "--seed 3", "--suppress 5"):
        assert part in (found.command or "")


@pytest.mark.parametrize(("positive", "who"), [("0", "everybody"), ("1", "nobody")])
def test_rates_of_one_kind_alone_show_nothing(positive: str, who: str) -> None:
    # Whoever is decided upon alike: however many rows there are, no difference is ruled out by a decision.
    asked = ["label_rates", "impact_ratio", "drift"]
    here = people(y=np.zeros(4000, dtype=int))
    if who == "nobody":  # of those whose group is known
        here.loc[0, ["sex", "y"]] = [None, 1]
    found = audit(here, "sex", "y", positive=[positive], against=here, audits=asked).findings
    told = [one for one in found if one.name != "drift" or (len(one.columns) == 2 and one.columns[1] == "y")]
    assert [one.name for one in told] == asked
    for one in told:
        assert one.state is State.NOTE, one.name
        assert (one.effect, one.low, one.high) == (None, None, None)
        assert who in one.finding


def test_a_column_without_any_value_is_not_missing_alike() -> None:
    found = audit(people(height=None), "sex", audits=["missingness"]).findings
    assert [(one.state, one.effect) for one in found] == [(State.NOTE, None)]
    assert "height has no value in any row" in found[0].finding


def test_a_weighted_ratio_has_one_interval() -> None:
    # Two categories: the smallest ratio is that of the second, so its interval, at the number of rows that
    # theirs are worth, is the finding's.
    frame = people().assign(w=np.tile([1.0, 9.0], 2000), y=unequal_labels()[0]["y"])
    one = audit(frame, "sex", "y", weights="w", audits=["impact_ratio"]).findings[0]
    least = next(g for g in one.groups if g.low is not None)
    assert (least.value, least.low, least.high) == (one.effect, one.low, one.high)


def test_a_category_is_small_by_its_weight() -> None:
    # X has 30 of 1030 rows (2.9 %), which weigh .1 each: 3 of 1003.
    frame = pd.DataFrame({"sex": ["A"] * 500 + ["B"] * 500 + ["X"] * 30, "y": [0, 1] * 515})
    frame["w"] = [1.0] * 1000 + [0.1] * 30
    one = audit(frame, "sex", "y", weights="w", audits=["impact_ratio"]).findings[0]
    assert "Left out with less than 2 %: X" in one.finding


def test_sixty_groups_have_a_baseline() -> None:
    # Of 60 groups of 20 the 11 that are counted together have the sum of their shares: no distance.
    names = [f"g{i:02}" for i in range(60)]
    given = dict.fromkeys(names, 1 / 60)
    found = audit(pd.DataFrame({"g": names * 20}), "g", baseline=given).of("representation")[0]
    assert found.effect == pytest.approx(0, abs=1e-12)
    lacking = dict.fromkeys(names[:-1], 1 / 59)
    with pytest.raises(BadOption, match="no share for 'g59'"):
        audit(pd.DataFrame({"g": names * 20}), "g", baseline=lacking)


def test_names_of_intersections_are_different() -> None:
    # "a / b" and "c", "a" and "b / c": two groups of 100, one of which has the label.
    frame = pd.DataFrame({"x": ["a / b", "a"] * 100, "z": ["c", "b / c"] * 100, "y": [1, 0] * 100})
    both = audit(frame, ["x", "z"], "y").of("label_rates")[-1]
    assert {g.group: g.value for g in both.groups} == {'"a / b" / c': 1.0, 'a / "b / c"': 0.0}


def test_what_the_other_table_spells_otherwise_is_no_drift() -> None:
    # The same 2000 rows twice, with "Yes" and "no " for "yes" and "no", "F" for "f", "1.0" for 1.
    here = people(n=2000).assign(y=np.where(np.arange(2000) % 4 == 0, "yes", "no"), level=np.arange(2000) % 3)
    there = here.assign(
        y=here["y"].map({"yes": "Yes", "no": "no "}),
        sex=here["sex"].map({"f": "F.", "m": "m"}),
        level=here["level"].map({0: "0.0", 1: "1.0", 2: "2.0"}),
    )
    found = {one.columns: one for one in audit(here, "sex", "y", against=there, audits=["drift"]).findings}
    assert found["sex",].effect == found["sex", "y"].effect == 0
    assert found["sex", "level"].effect == 0
    assert "'F.' for 'f'" in found["sex",].finding
    assert "'Yes' for 'yes'" in found["sex", "y"].finding
    assert "spells 3 values of level otherwise:" in found["sex", "level"].finding
    alike = audit(here, "sex", "y", against=here, audits=["drift"]).findings
    assert not any("otherwise" in one.finding for one in alike)


def test_labels_that_the_other_table_alone_has_are_not_compared() -> None:
    here = people(n=2000).assign(y=np.where(np.arange(2000) % 4 == 0, "yes", "no"))
    there = here.assign(y=here["y"].map({"yes": "hired", "no": "no"}))
    found = {one.columns: one for one in audit(here, "sex", "y", against=there, audits=["drift"]).findings}
    assert (found["sex", "y"].state, found["sex", "y"].effect) == (State.NOTE, None)
    assert "'hired', which this one has not" in found["sex", "y"].finding


def test_copies_are_compared_in_all_columns_but_the_weights() -> None:
    frame = pd.DataFrame({"sex": ["f", "m"] * 50, "y": [1, 1, 0, 0] * 25, "w": range(1, 101)})
    found = audit(frame, "sex", "y", weights="w", audits=["duplicates", "label_noise"]).findings
    assert "in every column but w:" in found[0].finding
    assert "in all columns but y and w," in found[1].finding
    plain = audit(frame.drop(columns="w"), "sex", "y", audits=["duplicates"]).findings[0]
    assert "in every column:" in plain.finding


def test_what_does_not_use_the_weights_says_so() -> None:
    frame = people(n=400).assign(w=2.0)
    asked = ["missingness", "drift", "label_rates"]
    told = audit(frame, "sex", "y", weights="w", against=frame, audits=asked).notes
    for name in asked:
        said = f"{name} counts rows as they are, without w."
        assert (said in told) == (name != "label_rates")


def test_a_word_of_all_documents_stands_with_nobody() -> None:
    # "house" stands in all 300 and all 100, a ratio of log 3. "doctor" stands in 300 of 300 and
    # in 0 of 100: the prior adds 7.5 documents with and 2.5 without it to each.
    found = {one.columns[1]: one for one in audit(texts(300, 100), texts=True).of("association")}
    assert set(found) == {"doctor", "nurse"}
    one = found["doctor"]
    assert one.effect == pytest.approx(np.log(307.5 / 2.5) - np.log(7.5 / 102.5))
    assert max(one.high or 0 for one in found.values()) < 10


def test_what_a_small_group_cannot_show_is_no_association() -> None:
    # 30 of 3000 texts about men have the word, none of 20 about women, where .2 are expected.
    made = [f"He is {'brave' if i < 30 else 'here'} {i}." for i in range(3000)]
    found = audit(made + [f"She is here {i}." for i in range(20)], texts=True).of("association")
    assert "brave" not in {one.columns[1] for one in found}
