"""``--suppress``: what is shown does not change with the rows of a group that is too small to be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import audit
from evenhand.audits import Question
from evenhand.errors import UsageError
from evenhand.records import Audited, GroupFigure, to_json
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.auditing import question_of


def people(rare: int, label: int, seed: int = 0) -> pd.DataFrame:
    """500 of A, 480 of B, and `rare` of C with `label`, who are tall and have no job; x and y of each."""
    rng = np.random.default_rng(seed)
    n = 980
    frame = pd.DataFrame(
        {
            "sex": ["A"] * 500 + ["B"] * 480,
            "race": ["x", "y"] * 490,
            "hired": (np.arange(n) % 3 == 0).astype(int),
            "height": rng.normal(170, 8, n).round(0),
            "job": np.where(rng.random(n) < 0.1, None, "any"),
            "home": np.where(np.arange(n) % 4 == 0, "Own.", "own"),
        }
    )
    more = {"sex": "C", "race": ["x", "y"] * (rare // 2), "hired": label, "height": 250.0, "job": None}
    more["home"] = "own"
    return pd.concat([frame, pd.DataFrame(more)], ignore_index=True)


def shown(record: Audited) -> Any:
    """All that an audit tells, but for when it was made."""
    return to_json(replace(record, made_by=None))


def test_nothing_that_is_told_depends_on_a_group_that_is_not_shown() -> None:
    # C has 4 people without the label, or 8 with it: every figure of all findings is the same.
    options: dict[str, Any] = {"sensitive": ["sex", "race", "home"], "target": "hired", "suppress": 10}
    for more in ({}, {"baseline": "sex:A=0.5,B=0.48,C=0.02"}, {"weights": "height"}):
        first, second = (
            audit(people(rare, label), **options, against=people(rare, label, seed=1), **more)
            for rare, label in ((4, 0), (8, 1))
        )
        assert first.n == 980  # not 984: their number would follow
        assert len(first.of("drift")) > 4
        assert len(first.of("label_rates")) == 4
        (spelt,) = first.of("spellings")
        assert (spelt.columns, spelt.effect, spelt.n) == (("home",), 0.25, 980)
        assert shown(first) == shown(second)


def test_the_name_of_such_a_group_is_told() -> None:
    found = audit(people(8, 1), "sex", "hired", suppress=10)
    for name in ("representation", "label_rates", "impact_ratio", "missingness", "duplicates"):
        one = found.of(name)[-1]
        assert GroupFigure("C", None) in one.groups, name
        assert [g.group for g in one.groups if g.n is None] == ["C"], name
    assert any("fewer than 10 rows" in note and "sex: C" in note for note in found.notes)
    assert {g.group: g.n for g in audit(people(8, 1), "sex", "hired").of("label_rates")[0].groups}["C"] == 8


def test_a_group_that_is_small_in_one_of_two_tables_is_in_neither() -> None:
    here, there = people(40, 1), people(8, 1)
    found = audit(here, "sex", "hired", against=there, suppress=10, audits=["drift"])
    assert found.n == 980
    for one in found.findings:
        assert " C " not in one.finding
        assert all(g.n is None for g in one.groups if g.group.startswith("C"))


def test_few_rows_of_an_intersection_are_left_out_of_all_figures() -> None:
    # 4 of A are z, in both attributes large groups: 300 z in all. Without them A has 496, and z 296.
    frame = people(0, 0).assign(race=["z"] * 4 + ["x"] * 496 + ["z"] * 296 + ["y"] * 184)
    found = audit(frame, ["sex", "race"], "hired", suppress=10)
    by_sex, by_race, both = found.of("label_rates")
    assert {g.group: g.n for g in by_sex.groups} == {"A": 496, "B": 480}
    assert {g.group: g.n for g in by_race.groups} == {"x": 496, "y": 184, "z": 296}
    assert {g.group: g.n for g in both.groups} == {"A / x": 496, "B / y": 184, "B / z": 296, "A / z": None}


def test_an_intersection_of_small_groups_alone_is_not_shown() -> None:
    # 49 races of 20, of each 10 and 10 by sex: all of the intersection is small, and none of the rest is.
    frame = people(0, 0).assign(race=[f"r{i % 49:02}" for i in range(980)], sex=["A", "B"] * 490)
    frame["sex"] = np.where(np.arange(980) // 49 % 2, "A", "B")
    found = audit(frame, ["sex", "race"], "hired", suppress=15)
    assert found.n == 980
    assert [one.columns for one in found.of("representation")] == [("sex",), ("race",)]
    assert any("sex*race is not shown" in note for note in found.notes)


def test_leaving_rows_out_may_make_further_groups_small() -> None:
    # 8 of C, and of race w 12, 4 of which are of C: without C w has 8, fewer than 10.
    frame = people(8, 1)
    frame.loc[[*range(8), *range(980, 984)], "race"] = "w"
    found = audit(frame, ["sex", "race"], suppress=10)
    assert found.n == 980 - 8
    assert any("sex: C; race: w" in note for note in found.notes)


def test_where_no_group_may_be_shown_that_is_said() -> None:
    with pytest.raises(UsageError, match="No group of sex has 600 rows"):
        audit(people(4, 0), "sex", suppress=600)


def test_repairs_keep_the_rows_of_small_groups() -> None:
    question = question_of(people(8, 1), AuditOptions(sensitive=["sex"], target="hired", suppress=10))
    assert isinstance(question, Question)
    assert (question.frame.rows, question.written.rows) == (980, 988)


def test_rare_spellings_have_no_number() -> None:
    frame = people(0, 0)
    frame.loc[:2, "sex"] = "a"
    one = audit(frame, "sex", suppress=10).of("spellings")[0]
    assert "'A', 'a'" in one.finding
    assert (one.effect, one.n) == (None, 977)
    assert all(figure.n is None for figure in one.groups)


def documents(few: int) -> list[str]:
    made = [f"The christian doctor of house {i}." for i in range(300)]
    made += [f"The jewish nurse of house {i}." for i in range(200)]
    return made + [f"The muslim nurse and doctor of house {i}." for i in range(few)]


def test_nothing_that_is_told_of_texts_depends_on_such_a_group() -> None:
    options: dict[str, Any] = {"texts": True, "attribute": "religion", "suppress": 10}
    options["classifier"] = lambda texts: [0.9 if "muslim" in one else 0.1 for one in texts]
    first, second = (audit(documents(few), **options) for few in (4, 9))
    assert {one.name for one in first.findings} >= {"mentions", "cooccurrence", "association", "toxicity"}
    told = [[one for one in record.findings if one.name != "languages"] for record in (first, second)]
    assert told[0] == told[1]
    assert [g.group for g in first.of("mentions")[0].groups if g.n is None] == ["muslim"]


def test_one_of_two_genders_with_few_documents_leaves_nothing_to_compare() -> None:
    # How many texts have no counterpart tells how many the others are, so that it is not shown either.
    texts = [f"He is in house {i}." for i in range(300)] + [f"She is in house {i}." for i in range(7)]
    found = audit(texts, texts=True, suppress=10)
    assert found.of("counterfactuals") == ()
    one = found.of("mentions")[0]
    assert one.effect is None
    assert "Fewer than two groups" in one.finding
    assert not any("7" in finding.finding for finding in found.of("mentions"))
