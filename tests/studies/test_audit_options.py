"""What an audit cannot be asked is refused in a sentence, before any work."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import audit
from evenhand.errors import BadData, BadOption
from evenhand.studies.audit_options import AuditOptions

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
