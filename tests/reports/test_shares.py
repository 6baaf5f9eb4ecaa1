"""Group probabilities per profession."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.records import Score
from evenhand.reports import shares
from tests.support import records_factory as make


def test_share_is_the_ratio_of_the_means() -> None:
    # Means (0.6 + 0.0) / 2 = 0.3 and (0.2 + 0.0) / 2 = 0.1: share 0.1 / 0.4. No mass adds nothing.
    items = (
        Score("a/1", "a", {"p.male": 0.6, "p.female": 0.2}),
        Score("a/2", "a", {"p.male": 0.0, "p.female": 0.0}),
    )
    measurement = dataclasses.replace(make.genbiaseval(), scores=items)
    (row,) = shares.rows(measurement)
    assert row.before == pytest.approx((0.3, 0.1))
    assert row.share_before == pytest.approx(0.25)
    assert row.share_after is None


def test_undefined_items_are_left_out_and_no_mass_is_undefined() -> None:
    items = (
        Score("a/1", "a", {"p.male": None, "p.female": None}),
        Score("a/2", "a", {"p.male": 0.3, "p.female": 0.1}),
        Score("b/1", "b", {"p.male": None, "p.female": None}),
        Score("c/1", "c", {"p.male": 1e-9, "p.female": 1e-9}),
    )
    measurement = dataclasses.replace(make.genbiaseval(), scores=items)
    table = {row.cluster: row.share_before for row in shares.rows(measurement)}
    assert table == {"a": pytest.approx(0.25), "b": None, "c": None}


def test_rows_are_sorted_by_the_share_before_and_paired_with_after() -> None:
    before = make.genbiaseval()
    after = make.genbiaseval(make.shrunk(make.SHARES, 0.8), treatment="lftf")
    rows = shares.rows(before, after)
    assert [row.cluster for row in rows] == list(make.SHARES)  # the factory lists them by share
    nurse = rows[-1]
    assert nurse.share_before == pytest.approx(0.95)
    assert nurse.share_after == pytest.approx(0.59)  # 0.5 + 0.45 * 0.2


def test_pair_finds_the_benchmark_with_scales() -> None:
    record = make.verification()
    found = shares.pair(record)
    assert found is not None
    assert found[0].benchmark == "genbiaseval"
    assert found[1].treatment == record.treatment
    assert shares.pair(dataclasses.replace(record, before=record.before[1:])) is None
    assert shares.pair(dataclasses.replace(record, after=())) is None


def test_extremes_keep_both_ends() -> None:
    table = [shares.Row(str(i), (0.5, 0.5), (None, None)) for i in range(10)]
    assert [row.cluster for row in shares.extremes(table, 2)] == ["0", "1", "8", "9"]
    assert len(shares.extremes(table, 5)) == 10


def test_scales_go_from_short_to_long() -> None:
    slices = {f"scale={name}": {} for name in ("sentence", "other", "phrase", "word")}
    measurement = dataclasses.replace(make.genbiaseval(), slices={**slices, "hint=male": {}})
    assert shares.scale_keys(measurement) == [
        "scale=word", "scale=phrase", "scale=sentence", "scale=other"
    ]  # fmt: skip
