"""Records in a notebook and as data frames: every figure is there, undefined is missing, text is text."""

from __future__ import annotations

from dataclasses import replace
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
    for name in ("Measurement", "Verification", "Attribution", "Audited", "StudyResult"):
        found = getattr(evenhand, name)
        assert found.__repr__ is not object.__repr__
        assert hasattr(found, "_repr_html_"), name
