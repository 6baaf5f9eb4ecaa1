"""What an audit cannot be asked is refused in a sentence, before any work."""

from __future__ import annotations

import datetime
import gzip
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

import pyarrow as pa

from evenhand import audit, repair
from evenhand.errors import BadData, BadOption, UsageError
from evenhand.studies.audit_command import command_of
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.reading import baselines

FRAME = pd.DataFrame({"sex": ["a", "b"] * 50, "y": [0, 1, 1, 1] * 25, "w": 1.0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sensitive", None),
        ("sensitive", 5),
        ("sensitive", [["sex"]]),
        ("sensitive", {"sex": 1}),
        ("sensitive", [b"sex"]),
        ("target", ["y"]),
        ("target", b"y"),
        ("positive", [None]),
        ("positive", [[1]]),
        ("positive", [float("nan")]),
        ("positive", {"y": 1}),
        ("positive", b"1"),
        ("baseline", [0.5, 0.5]),
        ("baseline", {"a": 0.5, "sex": {"a": 0.5, "b": 0.5}}),
        ("baseline", {1: {"a": 0.5, "b": 0.5}}),
        ("baseline", pd.DataFrame({"sex": ["a", "b"], "share": [0.5, 0.5]})),
        ("bins", "age=30"),
        ("bins", None),
        ("bins", {1: [30]}),
        ("missing", None),
        ("missing", b"20"),
        ("missing", [b"20"]),
        ("missing", [("age", 20)]),
        ("missing", {1: [20]}),
        ("missing", {"age": None}),
        ("missing", {"age": []}),
        ("missing", {"age": [[20]]}),
        ("missing", {"age": {"a": 20}}),
        ("missing", {"age": [float("nan")]}),
        ("weights", 1),
        ("suppress", -3),
        ("suppress", "10"),
        ("sample", 0),
        ("sample", 99),
        ("sample", 10**30),
        ("sample", 100.0),
        ("seed", -1),
        ("texts", "no"),
        ("texts", 1),
        ("skip_broken", "no"),
        ("skip_broken", None),
        ("audits", 3),
        ("audits", [3]),
        ("audits", {"representation": 1}),
        ("classifier", 1),
    ],
)
def test_values_of_another_kind_are_refused(name: str, value: Any) -> None:
    shown = " ".join(repr(value).split())  # in one line
    with pytest.raises(BadOption, match=re.escape(f"{name}={shown} is not valid")):
        AuditOptions(**{name: value})


@pytest.mark.parametrize(
    "rule",
    [
        *(None, "", "abc", [], [[30]], [True], [None], [1j], [float("nan")], [10**400], [50, 30], ["30|50"]),
        *(b"30", {"a": 30}, [30, 30 + 1e-15], [float("inf")], pd.DataFrame({"a": [30]})),
    ],
    ids=repr,
)
def test_borders_that_are_no_numbers_in_order_are_refused(rule: Any) -> None:
    with pytest.raises(
        BadOption, match=r"^The bins of age are .*, not numbers in order\. Write --bins age=30"
    ):
        AuditOptions(bins={"age": rule})


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"a": 0.5, "b": float("nan")}, "a share of 'b' that is no number above 0: nan"),
        ({"a": 0.5, "b": float("inf")}, "a share of 'b' that is no number above 0: inf"),
        ({"a": 0.5, "b": 0}, "a share of 'b' that is no number above 0: 0"),
        ({"a": 0.5, "b": -0.5}, "a share of 'b' that is no number above 0: -0.5"),
        ({"a": 0.5, "b": True}, "a share of 'b' that is no number above 0: True"),
        ({"a": 0.5, "b": "0.5"}, "a share of 'b' that is no number above 0: '0.5'"),
        ({"a": 0.5, "b": None}, "a share of 'b' that is no number above 0: None"),
        ({"a": 10**400}, "a share of 'a' that is no number above 0: 1000"),
        ({"a": Decimal("sNaN")}, "a share of 'a' that is no number above 0"),
        ({"a": 0.5, None: 0.5}, "names no group: None"),
        ({("a", "x"): 1.0}, "names no group"),
        ({1: 0.5, "1": 0.5}, "names a group twice: '1'"),
        ({"sex": {}}, "of sex has no group"),
        ({"sex": {"a": "x"}}, "of sex has a share of 'a'"),
    ],
)
def test_shares_that_are_none_are_refused(shares: Any, told: str) -> None:
    with pytest.raises(BadOption, match=rf"^The baseline.* {re.escape(told)}.*: 'A=0\.5,B=0\.5'"):
        AuditOptions(baseline=shares)


ALIKE: dict[str, tuple[Any, list[Any]]] = {
    "sensitive": (
        ["sex"],
        ["sex", {"sex"}, ("sex",), np.array(["sex"]), pd.Series(["sex"]), [np.str_("sex")]],
    ),
    "positive": (["1"], [1, 1.0, "1", [np.int64(1)], np.array([1]), pd.Series([1]), range(1, 2), Decimal(1)]),
    "missing": (
        {"": ["20"]},
        [20, [20], ["20"], "20", (20,), {20}, frozenset([20]), range(20, 21), np.array([20]), np.int8(20)],
    ),
    "bins": (
        {"age": "30|50"},
        [
            {"age": rule}
            for rule in (
                *([30, 50], (30, 50), {30, 50}, np.array([30, 50]), pd.Series([30, 50]), range(30, 51, 20)),
                *(["30", "50.0"], "30|50", [Decimal(30), np.float32(50)], pa.array([30, 50])),
            )
        ]
        + [pd.Series({"age": [30, 50]})],
    ),
    "baseline": (
        {"a": 0.5, "b": 0.5},
        [{"a": kind(0.5), "b": kind(0.5)} for kind in (float, np.float64, np.float32, np.float16, Decimal)]
        + [pd.Series({"a": 0.5, "b": 0.5}), {"a": Fraction(1, 2), "b": Fraction(1, 2)}],
    ),
    "audits": (("drift",), ["drift", ["drift"], {"drift"}, np.array(["drift"])]),
    "sample": (500, [np.int64(500)]),
    "skip_broken": (True, [np.True_]),
}


@pytest.mark.parametrize(("name", "value"), [(name, one) for name, (_, own) in ALIKE.items() for one in own])
def test_whatever_has_a_plain_meaning_is_taken(name: str, value: Any) -> None:
    made = getattr(AuditOptions(**{name: value}), name)
    assert made == ALIKE[name][0]
    assert type(made) is type(ALIKE[name][0])
    assert getattr(AuditOptions(**{name: made}), name) == made  # options are made again where one is replaced


def test_values_of_all_types_are_named_as_groups_are() -> None:
    days = [datetime.date(1960, 1, 1), pd.Timestamp("1960-01-01"), np.datetime64("1960-01-01", "ns")]
    for day in days:
        (named,) = AuditOptions(missing={"born": [day]}).missing["born"]
        assert named in ("1960-01-01", "1960-01-01T00:00:00")
    frame = FRAME.assign(
        ok=[True, True, True, False] * 25, born=pd.to_datetime(["1960-01-01", "1961-01-01"] * 50)
    )
    for sign in (True, "true", "TRUE", np.True_):
        (one,) = audit(frame, "y", audits="missingness", missing={"ok": sign}).of("missingness")
        assert (one.columns, one.effect) == (("y", "ok"), pytest.approx(1 / 3))  # 2 of 3 with 1, all with 0
    for shares in ({True: 0.75, False: 0.25}, {np.True_: 0.75, "false": 0.25}):
        assert audit(frame, "ok", audits="representation", baseline=shares).findings[0].effect == 0
    assert audit(frame, "y", audits="representation", baseline={0: 0.25, 1: 0.75}).findings[0].effect == 0
    found = audit(frame, "sex", audits="missingness", missing={"born": days[2]}).of("missingness")
    assert [one.effect for one in found] == [1.0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"classifier": 3}, "classifier=3 is not valid"),
        ({"classifier": lambda texts: [0.0] * len(texts)}, "--classifier is about texts"),
        ({"weights": "born"}, "born of the data frame holds no numbers"),
        ({"bins": {"born": [30]}}, "born of the data frame holds no numbers"),
        ({"bins": {"w": "year"}}, "w of the data frame holds no dates"),
        ({"target": "born", "positive": ">0.5"}, "born of the data frame holds no numbers"),
        ({"against": ""}, "'' names no file"),
        ({"missing": {"y": True}}, "No row of the data frame has 'true' in y"),
        ({"audits": ["drift:columns=x"]}, "drift:columns=x is not valid"),
        ({"baseline": {True: 1.0}}, "no share for 'a', 'b'"),
        ({"target": "number", "positive": "many"}, "No row has 'many' for number. It has: '0', .* and more"),
        ({"target": "number", "positive": ">..5"}, "No row has '>..5' for number"),
        ({"target": "number", "positive": ">1e999"}, "'>1e999' has no border"),
        ({"sensitive": "number", "bins": {"number": [30], "NUMBER ": [50]}}, "name the column number twice"),
    ],
)
def test_what_cannot_be_asked_of_these_columns_is_refused(asked: dict[str, Any], told: str) -> None:
    frame = FRAME.assign(born=pd.Timestamp("1960-01-01"), number=range(100))
    with pytest.raises(UsageError, match=told):
        audit(frame, **{"sensitive": "sex", **asked})


@pytest.mark.parametrize("rule", [">49", ">=50", "> 4.9e1", ">+49."])
def test_a_border_may_be_written_as_any_number(rule: str) -> None:
    frame = FRAME.assign(number=range(100))
    found = audit(frame, "sex", "number", positive=rule, audits="label_rates").findings[0]
    assert [group.value for group in found.groups] == [0.5, 0.5]


@pytest.mark.parametrize(
    "scores",
    [
        [0.5],
        None,
        ["a"] * 120,
        [2.0] * 120,
        [float("nan")] * 120,
        [None] * 120,
        iter([0.5] * 120),
        {},
        np.ones((120, 1)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_classifier_gives_a_number_for_each_text(scores: Any) -> None:
    texts = ["He is a doctor.", "She is a nurse."] * 60
    assert audit(texts, texts=True, classifier=lambda own: pd.Series([0.5] * len(own))).of("toxicity")
    with pytest.raises(BadData, match="did not give one number from 0 to 1 for each text"):
        audit(texts, texts=True, classifier=lambda _: scores)


def test_a_baseline_without_a_sensitive_column_is_refused() -> None:
    columns = ["number_of_applications", "n_selected_or_n_above_median", "result", "impact_ratio"]
    frame = pd.DataFrame([[10, 5, 0.5, 1.0]] * 2, columns=columns)
    with pytest.raises(BadOption, match="baseline is about no column"):
        audit(frame, baseline={"a": 1.0})


def test_the_other_table_may_write_its_columns_in_another_case() -> None:
    other = FRAME.rename(columns={"sex": "SEX", "y": "Y"})
    found = audit(FRAME, "sex", "y", against=other, audits="drift").findings
    assert found == audit(FRAME, "sex", "y", against=FRAME, audits="drift").findings


@pytest.mark.parametrize("out", [3, None, b"a.csv", [], "", "a\0.csv"])
def test_a_repair_is_written_to_a_file(out: Any) -> None:
    with pytest.raises(BadOption, match=re.escape(f"out={out!r} is not a file")):
        repair(FRAME, "reweigh", out, "sex", "y")


def test_labels_are_named_as_groups_are() -> None:
    assert AuditOptions(positive=[1, 2.0, True, "x, y"]).positive == ["1", "2", "true", "x, y"]
    assert AuditOptions(positive='"x, y",z', sensitive="a,b").positive == ["x, y", "z"]
    by_number, by_text = (
        audit(FRAME, "sex", "y", positive=one, audits="label_rates").findings for one in ([1], "1")
    )
    assert by_number == by_text


def test_a_frame_of_odd_columns() -> None:
    with pytest.raises(BadData, match="has no column"):
        audit(pd.DataFrame(index=range(3)), "sex")
    found = audit(FRAME.assign(z=[1j] * 100), "sex", audits="representation")
    assert found.n == 100
    with pytest.raises(BadOption, match="w holds the weights"):
        audit(FRAME, "sex", weights="w", missing="w=1")


@pytest.mark.parametrize("pattern", ["*.txt", "*.txt*", "[ab].txt*"])
def test_a_pattern_of_texts_names_texts(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("He is a doctor.\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"She is a nurse.\n"))
    found = audit(str(tmp_path / pattern))
    assert (found.kind, found.n) == ("texts", 2 if pattern.endswith("*") else 1)


def test_a_recommended_command_asks_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv("-a.csv", index=False)
    given = AuditOptions(
        sensitive="sex",
        baseline={"f": 0.4, "a=b": 0.6},
        bins={"sex": [3000001.0, 5e6]},
        against=Path("-a.csv"),
    )
    words = command_of("-a.csv", given)
    assert words[2] == "./-a.csv"
    assert {'f=0.4,"a=b"=0.6', "sex=3000001|5000000", "./-a.csv"} <= set(words[3:])
    assert baselines('f=0.4,"a=b"=0.6', ["sex"]) == {"sex": given.baseline}
    several = {"sex": {"f": 0.5, "m": 0.5}, "race": {"x:y": 1.0}}
    fine = AuditOptions(bins={"age": [30 + 1e-9, 30 + 2e-9]}, missing={"": ["a=b"]})
    assert command_of("a.csv", fine)[3:] == ("--bins", "age=30.000000001|30.000000002", "--missing", '"a=b"')
    assert AuditOptions(bins={"age": "30.000000001|30.000000002"}, missing='"a=b"') == fine
    text = command_of("a.csv", AuditOptions(sensitive="sex,race", baseline=several))[-1]
    assert baselines(text, ["sex", "race"]) == several
