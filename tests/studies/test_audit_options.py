"""What an audit cannot be asked is refused in a sentence, before any work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import audit
from evenhand.errors import BadData, BadOption
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
        ("target", ["y"]),
        ("positive", 1),
        ("positive", [None]),
        ("baseline", [0.5, 0.5]),
        ("bins", "age=30"),
        ("missing", 5),
        ("weights", 1),
        ("suppress", -3),
        ("suppress", "10"),
        ("sample", 0),
        ("seed", -1),
        ("classifier", 1),
    ],
)
def test_values_of_another_kind_are_refused(name: str, value: Any) -> None:
    with pytest.raises(BadOption, match=re.escape(f"{name}={value!r} is not valid")):
        AuditOptions(**{name: value})


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
    text = command_of("a.csv", AuditOptions(sensitive="sex,race", baseline=several))[-1]
    assert baselines(text, ["sex", "race"]) == several
