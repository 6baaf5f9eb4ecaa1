"""Records in a notebook and as data frames: every figure is there, undefined is missing, text is text."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

import pandas as pd

import evenhand
from evenhand.records import Attribution, Audited, Finding, SiteScore
from evenhand.records.shown import MOST
from evenhand.studies.store import load_measurements, load_verification

SAVED = Path(__file__).parents[1] / "golden" / "saved"


def test_a_measurement() -> None:
    record = load_measurements(SAVED / "measured")[0]
    frame = record.to_frame()
    assert list(frame["metric"]) == list(record.metrics)
    for found, (name, one) in zip(frame.to_dict("records"), record.metrics.items(), strict=True):
        assert found["metric"] == name
        for key in ("value", "low", "high", "ideal"):
            wanted = getattr(one, key)
            assert found[key] == wanted if wanted is not None else pd.isna(found[key])
    assert repr(record) == f"<Measurement: {record.benchmark} on {record.model.uri}, {record.n} items>"


def test_a_verification_shows_its_verdict_and_every_effect() -> None:
    record = load_verification(SAVED / "run")
    assert repr(record).startswith(f"<Verification: {record.verdict}: {record.model.uri} with ")
    assert len(record.to_frame()) == len(record.effects)
    html = record._repr_html_()
    assert html.count("<tr>") == 1 + len(record.effects)
    assert str(record.verdict) in html
    assert escape(record.reasons[0]) in html
    assert len(repr(record)) < 100  # the reasons are no part of it


def test_names_of_others_are_text() -> None:
    hostile = "<script>alert(1)</script>"
    finding = Finding("proxies", (hostile,), None, None, None, None, None, 3, hostile)
    record = Audited(hostile, "table", 3, {}, (hostile,), None, (finding,))
    html = record._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "undefined" in html
    assert repr(record).endswith(": 3 rows, 1 findings, 0 beyond their tolerance>")


def test_many_rows_are_cut_and_said_so() -> None:
    scores = tuple(SiteScore(f"block.{i}", i / 7) for i in range(MOST + 3))
    record = Attribution("bmi", False, scores, "a reading")
    assert record._repr_html_().count("<tr>") == 1 + MOST
    assert "3 more rows: to_frame() has all." in record._repr_html_()
    assert len(record.to_frame()) == MOST + 3
    assert "more rows" not in replace(record, scores=scores[:MOST])._repr_html_()
    assert replace(record, scores=()).to_frame().empty


def test_what_verbs_return_is_shown() -> None:
    for name in ("Measurement", "Verification", "Attribution", "Audited", "Plan", "StudyResult"):
        found = getattr(evenhand, name)
        assert found.__repr__ is not object.__repr__
        assert hasattr(found, "_repr_html_"), name


def test_texts_stand_at_the_left_and_no_ideal_is_not_undefined() -> None:
    record = load_measurements(SAVED / "measured")[0]
    html = record._repr_html_()
    assert '<th style="text-align:left">metric</th>' in html
    assert "<th>value</th>" in html
    assert any(one.ideal is None for one in record.metrics.values())
    assert "<td>none</td>" in html
    undefined = sum(v is None for one in record.metrics.values() for v in (one.value, one.low, one.high))
    assert html.count("undefined") == undefined


def test_a_locator_says_whether_it_points_anywhere() -> None:
    scores = (SiteScore("block.0", 0.1), SiteScore("block.1", 0.4))
    found = Attribution("ablation", True, scores, "The fall of the gap.")
    assert repr(found) == "<Attribution: ablation ranks block.1 first of 2>"
    assert "<p>The fall of the gap.</p>" in found._repr_html_()
    assert "points to no block" in repr(replace(found, claims=False))
    assert repr(replace(found, specific=False, claims=False)).endswith("without looking at the attribute>")


def test_a_plan_in_short() -> None:
    planned = evenhand.plan("lab:causal", "lftf", control="none", capability="facts")
    assert repr(planned).startswith("<Plan: lab:causal with lftf: 2 models, at most ")
    assert len(planned.to_frame()) == len(planned.benchmarks)
