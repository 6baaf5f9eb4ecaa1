"""What repairs write: figures that were worked out by hand, and rows that stay as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

import evenhand
from evenhand import registry
from evenhand.errors import BadData, BadOption, UnknownName, UsageError
from evenhand.repairs import Repaired
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.auditing import question_of
from evenhand.studies.repairing import repaired as written

# Of a 3 yes and 1 no, of b 1 yes and 3 no.
EIGHT = pd.DataFrame(
    {"sex": list("aaaabbbb"), "y": ["yes"] * 3 + ["no"] + ["yes"] + ["no"] * 3, "x": range(8)}
)


def repaired(frame: pd.DataFrame, spec: str, **options: Any) -> Repaired:
    given = {"sensitive": ["sex"], "target": "y" if "y" in frame else "", **options}
    made: Repaired = registry.create("repair", spec).repaired(question_of(frame, AuditOptions(**given)))
    return made


def rows(made: Repaired) -> pd.DataFrame:
    return made.table.to_pandas()


def test_weights_make_group_and_label_independent() -> None:
    # P(a) P(yes) / P(a and yes) = .5 × .5 / (3 / 8) = 2/3; for a and no .25 / (1 / 8) = 2.
    made = repaired(EIGHT, "reweigh")
    found = rows(made).sort_values("x")
    assert found["weight"].tolist() == pytest.approx([2 / 3] * 3 + [2] + [2] + [2 / 3] * 3)
    assert made.weights == "weight"
    weighed = found.groupby(["sex", "y"])["weight"].sum()
    assert weighed.tolist() == pytest.approx([2] * 4)
    assert found[["sex", "y", "x"]].reset_index(drop=True).equals(EIGHT)


def test_rows_of_unknown_group_or_label_weigh_1() -> None:
    more = pd.DataFrame({"sex": [None, "a"], "y": ["yes", None], "x": [8, 9]})
    found = rows(repaired(pd.concat([EIGHT, more]), "reweigh:column=w")).sort_values("x")
    assert found["w"].tolist()[-2:] == [1.0, 1.0]
    assert found["w"].tolist()[:4] == pytest.approx([2 / 3] * 3 + [2])


def test_a_column_of_weights_is_not_written_over() -> None:
    with pytest.raises(UsageError, match="has a column x already"):
        repaired(EIGHT, "reweigh:column=x")


def test_balance_keeps_what_is_rare_whole() -> None:
    # 1000 a and 200 b, half each: all of b, and each a with the chance 200 / 1000.
    frame = pd.DataFrame({"sex": ["a"] * 1000 + ["b"] * 200, "x": range(1200)})
    found = rows(repaired(frame, "balance"))
    counts = found["sex"].value_counts()
    assert counts["b"] == 200
    assert counts["a"] == pytest.approx(200, abs=5 * np.sqrt(1000 * 0.2 * 0.8))
    assert found["x"].is_unique


def test_balance_follows_the_baseline() -> None:
    # .8 and .2 of 500 and 500: of a all, of b 500 / .8 × .2 = 125.
    frame = pd.DataFrame({"sex": ["a"] * 500 + ["b"] * 500, "x": range(1000)})
    counts = rows(repaired(frame, "balance", baseline="a=0.8,b=0.2"))["sex"].value_counts()
    assert counts["a"] == 500
    assert counts["b"] == pytest.approx(125, abs=5 * np.sqrt(500 * 0.25 * 0.75))


def test_balance_by_label_makes_rates_equal() -> None:
    # a 300 of 400, b 100 of 400, both 400 of 800 are wanted at one half: a no (100) and b yes (100) stay
    # whole, and each of the others with the chance 100 / 300.
    y = [1] * 300 + [0] * 100 + [1] * 100 + [0] * 300
    frame = pd.DataFrame({"sex": ["a"] * 400 + ["b"] * 400, "y": y, "x": range(800)})
    counts = rows(repaired(frame, "balance:by=label")).groupby(["sex", "y"]).size()
    assert (counts["a", 0], counts["b", 1]) == (100, 100)
    assert counts["a", 1] == pytest.approx(100, abs=5 * np.sqrt(300 * 2 / 9))
    assert counts["b", 0] == pytest.approx(100, abs=5 * np.sqrt(300 * 2 / 9))
    with pytest.raises(UsageError, match="needs a target"):
        repaired(frame.drop(columns="y"), "balance:by=label")


def test_one_group_cannot_be_balanced() -> None:
    with pytest.raises(UsageError, match="There are 1 groups"):
        repaired(pd.DataFrame({"sex": ["a"] * 10}), "balance")


def test_augmenting_writes_every_row_once_for_each_group() -> None:
    found = rows(repaired(EIGHT, "augment"))
    assert len(found) == 16
    assert found.groupby("sex").size().tolist() == [8, 8]
    # Each row is there with both groups, otherwise as it is: 4 of 8 say yes in both.
    assert found.groupby("sex")["y"].apply(lambda y: (y == "yes").mean()).tolist() == [0.5, 0.5]
    assert found.groupby("x")["sex"].nunique().tolist() == [2] * 8


def test_too_many_groups_are_not_multiplied() -> None:
    frame = pd.DataFrame({"sex": [f"g{i}" for i in range(11)] * 3})
    with pytest.raises(UsageError, match="has 11 groups, more than 10"):
        repaired(frame, "augment")


def test_rows_of_one_group_have_no_counterparts() -> None:
    with pytest.raises(UsageError, match="sex has 1 groups, fewer than 2"):
        repaired(EIGHT.assign(sex="a"), "augment")


def test_one_of_each_row_is_kept() -> None:
    found = rows(repaired(pd.concat([EIGHT, EIGHT[:3]]), "deduplicate"))
    assert len(found) == 8
    assert found.sort_values("x").reset_index(drop=True).equals(EIGHT)


def test_columns_are_left_out_but_not_those_that_are_asked_about() -> None:
    assert list(rows(repaired(EIGHT, "drop:columns=x")).columns) == ["sex", "y"]
    for spec, error in (
        ("drop", BadOption),
        ("drop:columns=sex", BadOption),
        ("drop:columns=z", UnknownName),
    ):
        with pytest.raises(error):
            repaired(EIGHT, spec)


def test_spellings_become_the_most_frequent_one() -> None:
    frame = pd.DataFrame(
        {"sex": ["M", "M", "m ", "F", "F", "f."], "y": ["yes"] * 2 + ["no"] * 2 + ["Yes", "no"]}
    )
    found = rows(repaired(frame, "spell", positive=["yes"]))
    assert sorted(found["sex"]) == ["F"] * 3 + ["M"] * 3
    assert sorted(found["y"]) == ["no"] * 3 + ["yes"] * 3
    assert "nothing" in repaired(EIGHT, "spell").told


@pytest.mark.parametrize(
    ("spec", "rate"),
    [("reweigh", 4 / 8), ("balance:by=label", 4 / 8), ("balance", None), ("augment", 4 / 8), ("spell", None)],
)
def test_several_favourable_labels_are_one_kind(tmp_path: Any, spec: str, rate: float | None) -> None:
    # Of a 3 yes or YES and 1 no, of b 1 and 3, a hundred times: yes and YES are favourable, and stay so.
    frame = pd.concat([EIGHT.assign(y=["yes", "YES", "yes", "no", "YES", "No.", "no", "no"])] * 100)
    given = AuditOptions(
        sensitive=["sex"], target="y", positive=["yes", "YES"], audits=["label_rates"], baseline="a=0.5,b=0.5"
    )
    question = question_of(frame, given)
    after = written(question, given, spec, tmp_path / "new.parquet")
    (found,) = after.of("label_rates")
    assert found.effect == pytest.approx(0.5 if rate is None else 0, abs=0.12)
    if rate is not None:
        assert [one.value for one in found.groups] == pytest.approx([rate] * 2, abs=0.1)
    labels = set(pd.read_parquet(tmp_path / "new.parquet")["y"])
    assert labels == ({"yes", "no"} if spec == "spell" else {"yes", "YES", "no", "No."})


def test_a_baseline_follows_its_groups_names(tmp_path: Any) -> None:
    frame = pd.DataFrame({"sex": ["M"] * 30 + ["m"] * 20 + ["f"] * 50})
    given = AuditOptions(sensitive=["sex"], baseline="M=0.2,m=0.3,f=0.5", audits=["representation"])
    after = written(question_of(frame, given), given, "spell", tmp_path / "new.parquet")
    assert after.of("representation")[0].effect == 0  # half each, where M and m are half


def test_a_baseline_of_an_intersection_follows_its_groups_names(tmp_path: Any) -> None:
    # 25 each of M and f, in "x / y" and z. The baseline has a group, m / Z, that no row has.
    sex = ["M"] * 30 + ["m"] * 20 + ["f"] * 50
    frame = pd.DataFrame({"sex": sex, "race": ["x / y", "z"] * 48 + ["x / y", "Z"] * 2})
    shares = {'M / "x / y"': 0.15, "M / z": 0.2, 'm / "x / y"': 0.1, "m / z": 0.04, "m / Z": 0.01}
    shares |= {'f / "x / y"': 0.25, "f / z": 0.23, "f / Z": 0.02}
    both = {"sex*race": shares, "sex": {"M": 0.2, "m": 0.3, "f": 0.5}}
    given = AuditOptions(sensitive=["sex", "race"], baseline=both, audits=["representation"])
    after = written(question_of(frame, given), given, "spell", tmp_path / "new.parquet")
    of = {one.columns: one for one in after.of("representation")}
    assert of[("sex",)].effect == pytest.approx(0)
    assert of[("sex", "race")].effect == pytest.approx(0)
    assert len(of[("sex", "race")].groups) == 4


@pytest.mark.parametrize(
    "asked", [{"bins": {"age": [40]}}, {"missing": {"age": [-9]}}, {"positive": [">0.5"]}]
)
def test_another_table_is_read_after_a_repair_as_it_was_before(asked: dict[str, Any], tmp_path: Any) -> None:
    # The other table has the ages and the scores as they are, and no group of its own by another name.
    frame = pd.DataFrame({"age": [20, 50, -9, 60] * 50, "y": [0.2, 0.7, 0.9, 0.1] * 50})
    given = AuditOptions(
        sensitive=["age"], target="y", against=frame, audits="drift", **{"positive": "0.7", **asked}
    )
    question = question_of(frame, given)
    after = written(question, given, "reweigh", tmp_path / "new.parquet")
    assert after.of("drift")
    assert [one.effect for one in after.of("drift") if "y" not in one.columns] == [0.0]


def test_values_of_every_type_are_found_by_their_names() -> None:
    days = pd.to_datetime(["2020-01-01", "2021-05-06"] * 4).date
    for values in ([1, 2] * 4, [1.5, 2.5] * 4, [True, False] * 4, list(days)):
        found = rows(repaired(EIGHT.assign(sex=values), "reweigh"))
        sums = found.groupby(["sex", "y"])["weight"].sum()
        assert sums.tolist() == pytest.approx([2] * 4), values


@pytest.mark.parametrize(
    "values",
    [
        [0.1 + 0.2, 0.25],  # 0.30000000000000004 is named 0.3
        [2**53 + 1, 2**53],  # one number as doubles
        pd.to_datetime(["2020-01-01 10:00:00.123456", "2021-05-06 00:00:00.5"]).tolist(),
        ["a\u00a0", "b"],  # engines do not strip all that is a space
        ["\ta", "b b"],
    ],
)
def test_groups_are_found_by_their_values_not_by_their_names(values: list[Any]) -> None:
    # As above: 2/3 and 2, whatever the groups are called.
    frame = EIGHT.assign(sex=[values[0]] * 4 + [values[1]] * 4)
    found = rows(repaired(frame, "reweigh")).sort_values("x")
    assert found["weight"].tolist() == pytest.approx([2 / 3] * 3 + [2] + [2] + [2 / 3] * 3)
    assert found["sex"].tolist() == frame["sex"].tolist()
    both = rows(repaired(frame, "augment"))
    assert both.groupby("sex")["x"].nunique().tolist() == [8, 8]
    assert len(rows(repaired(frame, "balance"))) == 8  # both groups are whole


def test_weights_are_of_double_precision(tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    repaired(EIGHT, "reweigh").table.to_parquet(tmp_path / "a.parquet")
    assert str(pq.read_schema(tmp_path / "a.parquet").field("weight").type) == "double"
    assert pq.read_table(tmp_path / "a.parquet")["weight"].to_pylist()[0] == 2 / 3


def test_weights_that_are_given_are_kept_in_the_new_ones() -> None:
    # a yes weighs 1, 1, 2 and a no 4, b yes 2 and b no 1, 2, 3: a 8, b 8, yes 6, no 10 of 16.
    # a yes: 8/16 × 6/16 / (4/16) = .75; a no: .5 × 10/16 / (4/16) = 1.25; b yes: .5 × 6/16 / (2/16) = 1.5;
    # b no: .5 × 10/16 / (6/16) = 5/6. Each times the weight that the row had.
    old = [1, 1, 2, 4, 2, 1, 2, 3]
    made = repaired(EIGHT.assign(w=old), "reweigh", weights="w")
    found = rows(made).sort_values("x")
    ratios = [0.75] * 3 + [1.25] + [1.5] + [5 / 6] * 3
    assert found["weight"].tolist() == pytest.approx([w * r for w, r in zip(old, ratios, strict=True)])
    sums = found.groupby("sex")["weight"].sum()
    favourable = found[found["y"] == "yes"].groupby("sex")["weight"].sum()
    assert (favourable / sums).tolist() == pytest.approx([6 / 16] * 2)
    assert "holds those of the column w as well" in made.told


def test_weights_that_are_not_given_are_named() -> None:
    made = repaired(EIGHT.assign(fnlwgt=1.0), "reweigh")
    assert "fnlwgt was not taken for weights; --weights fnlwgt" in made.told
    with pytest.raises(UsageError, match="has a column Weight already"):
        repaired(EIGHT.assign(Weight=1.0), "reweigh")


def test_values_that_are_counted_together_are_not_weighed_as_one() -> None:
    frame = pd.DataFrame({"sex": [f"n{i}" for i in range(12_000)], "y": ["yes", "no"] * 6000})
    with pytest.raises(UsageError, match="sex has too many different values to be weighed"):
        repaired(frame, "reweigh")
    with pytest.raises(UsageError, match="There are more than"):
        repaired(frame, "balance")


def test_copies_may_differ_in_their_weights() -> None:
    frame = pd.concat([EIGHT.assign(w=1.0), EIGHT.assign(w=2.0)])
    assert len(rows(repaired(frame, "deduplicate", weights="w"))) == 8
    assert len(rows(repaired(frame, "deduplicate"))) == 16


def test_a_column_may_have_any_sign_in_its_name() -> None:
    frame = EIGHT.assign(**{"a|b": 1, "c,d": 2, "a": 3, 'an "e"': 4, "f=g": 5})
    for spec, kept in (
        ('drop:columns="a|b"', ["x", "c,d", "a", 'an "e"', "f=g"]),
        ('drop:columns="a|b"|"c,d"|x', ["a", 'an "e"', "f=g"]),
        ('drop:columns= "an ""e""" | f=g', ["x", "a|b", "c,d", "a"]),
    ):
        assert list(rows(repaired(frame, spec)).columns) == ["sex", "y", *kept], spec
    for spec, told in (
        ("drop:columns=c,d", "names 2 components. Write one"),
        ("drop:columns=a|b", "There is no column 'b' in the data frame, but 'a|b'"),
        ('drop:columns="a|b', "a double quote that is not closed"),
        ('drop:columns="a|b"x', "is not one name in double quotes"),
    ):
        with pytest.raises(UsageError, match=re.escape(told)):
            repaired(frame, spec)


def test_a_row_of_unknown_group_is_not_multiplied() -> None:
    found = rows(repaired(EIGHT.assign(sex=[*"aaaabbb", "?"]), "augment"))
    assert found.groupby("sex").size().to_dict() == {"?": 1, "a": 7, "b": 7}


def test_a_repair_from_python_writes_a_copy_and_audits_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({"sex": ["f"] * 40 + ["m"] * 60, "hired": ["yes"] * 10 + ["no"] * 40 + ["yes"] * 50})
    kept = frame.copy()
    after = evenhand.repair(frame, "reweigh", tmp_path / "out.parquet", "sex", "hired", positive=["yes"])
    assert after.notes[0].startswith("Reweighed")
    (rates,) = after.of("label_rates")
    assert rates.effect == pytest.approx(0, abs=1e-9)
    assert "weight" in pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(frame, kept)
    with pytest.raises(BadData, match="is there already"):
        evenhand.repair(frame, "reweigh", str(tmp_path / "out.parquet"), "sex", "hired", positive=["yes"])
    with pytest.raises(BadOption, match="no option 'repair'"):
        evenhand.repair(frame, "reweigh", tmp_path / "b.parquet", "sex", "hired", repair="x")
