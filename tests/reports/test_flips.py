"""The browser of items: which items changed sides, packed into the page within a budget, texts redacted."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
from base64 import b64decode
from typing import Any

import pytest

from evenhand import registry, reports
from evenhand.records import Measurement, Score, Verification
from evenhand.reports import flips, texts
from tests.support import records_factory as make

TURNED = {**make.SHARES, "mobster": 0.9, "nurse": 0.1, "librarian": 0.2}


def turned() -> Verification:
    """Three of nine professions change sides, on three scales each."""
    record = make.verification()
    return dataclasses.replace(record, after=(make.genbiaseval(TURNED, treatment="t"), *record.after[1:]))


def unpacked(data: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(b64decode(data, validate=True)))
    return found


def test_every_item_with_a_side_is_packed_the_changed_ones_first() -> None:
    (found,) = flips.flips(turned())
    items = unpacked(found.packed)
    # cook (.5) has no side: 24 of 27 items, of which 3 x 3 changed
    assert (found.held, found.left_out, len(items["ids"])) == (24, "", 24)
    assert items["start"] == "genbiaseval/gender/"
    assert items["ids"][0] == "mobster/word"
    sides = [[items["sides"][k] for k in items[when]] for when in ("before", "after")]
    assert [a != b for a, b in zip(*sides, strict=True)] == [True] * 9 + [False] * 15
    # mobster .05 -> .9 and nurse .95 -> .1 moved by .85, librarian .8 -> .2 by .6: last of those that changed
    assert [items["about"][k] for k in items["of"][:9]] == ["mobster"] * 3 + ["nurse"] * 3 + ["librarian"] * 3
    assert [items["shares"][0][0], items["shares"][1][0]] == [50, 900]  # thousandths
    assert items["share"] == "P(she) share"
    (scale,) = items["slices"]
    assert (scale["name"], scale["values"]) == ("scale", ["phrase", "sentence", "word"])


def test_a_page_without_texts_holds_none_and_says_how_to_get_them() -> None:
    html = reports.verification_html(turned())
    assert "--texts" in html
    assert "texts" not in unpacked(flips.flips(turned())[0].packed)


def test_texts_stand_in_the_short_table_and_in_the_browser_of_items() -> None:
    own = {"genbiaseval": {"genbiaseval/gender/mobster/word": "The mobster smiled because"}}
    (found,) = flips.flips(turned(), own)
    assert found.items.rows[0][-1] == "The mobster smiled because"
    assert found.items.rows[1][-1] == ""  # this item has no text
    assert unpacked(found.packed)["texts"][:2] == ["The mobster smiled because", ""]


def test_items_beyond_the_budget_are_left_out_and_counted() -> None:
    (whole,) = flips.flips(turned())
    (changed,) = flips.flips(turned(), budget=len(whole.packed) - 1)
    assert changed.held == 9
    assert changed.left_out == "The 15 items that kept their side are not in this file."
    few = dataclasses.replace(changed)
    for budget in range(len(changed.packed) - 1, 0, -4):
        (few,) = flips.flips(turned(), budget=budget)
        assert len(few.packed) <= budget or few.held == 1
        if few.held < 9:
            break
    assert few.held < 9
    assert few.left_out == f"To keep this file small it holds the {few.held} of them with the largest move."
    assert (few.n, few.total) == (24, 9)  # the counts are of all items


def test_a_study_packs_only_what_changed() -> None:
    assert flips.flips(turned(), whole=False)[0].held == 9


def test_nothing_is_packed_where_nothing_changed() -> None:
    (found,) = flips.flips(make.verification())
    assert (found.total, found.packed, found.held) == (0, "", 0)


def hundred_thousand() -> Verification:
    """A run of 100 000 items of 2000 subjects whose shares move at random."""
    rng = random.Random(1)

    def scored(shares: list[float]) -> tuple[Score, ...]:
        return tuple(
            Score(
                f"genbiaseval/gender/subject {i % 2000:04d}/{i:06d}",
                f"subject {i % 2000:04d}",
                {"p.male": 0.9 * (1 - share), "p.female": 0.9 * share},
                {"scale": make.SCALES[i % 3]},
            )
            for i, share in enumerate(shares)
        )

    old = [rng.uniform(0.01, 0.99) for _ in range(100_000)]
    new = [min(0.99, max(0.01, share + rng.gauss(0, 0.25))) for share in old]
    record = make.verification()

    def taken(m: Measurement, shares: list[float]) -> Measurement:
        return dataclasses.replace(m, scores=scored(shares), n=len(shares))

    return dataclasses.replace(
        record,
        before=(taken(record.before[0], old), *record.before[1:]),
        after=(taken(record.after[0], new), *record.after[1:]),
    )


@pytest.mark.slow
def test_a_report_of_100_000_items_stays_below_3_mb() -> None:
    record = hundred_thousand()
    (found,) = flips.flips(record)
    assert found.n == 100_000
    assert len(found.packed) <= flips.BUDGET
    assert found.held >= found.total > 10_000
    assert len(reports.verification_html(record).encode()) < 3_000_000


def _measured_on(benchmark: Any, data: str) -> Measurement:
    samples = benchmark.load()[:3]
    scores = tuple(Score(s.id, s.cluster, {"correct": 1.0}) for s in samples)
    m = make.simple(benchmark.name, "accuracy", 1.0)
    return dataclasses.replace(m, scores=scores, protocol=dataclasses.replace(m.protocol, data=data))


def test_texts_are_read_from_the_very_data_that_were_measured() -> None:
    benchmark = registry.create("benchmark", "facts:set=lab")
    found, why = texts.texts([_measured_on(benchmark, benchmark.card.digest)])
    first = benchmark.load()[0]
    assert why == []
    assert len(found[benchmark.name]) == 3  # of the items that were measured, and of no other
    assert found[benchmark.name][first.id] == benchmark.ask(first)[0].context
    none, said = texts.texts([_measured_on(benchmark, "other")])
    assert none == {}
    assert "not those that were measured" in said[0]


def test_texts_of_a_benchmark_that_is_gone_are_said_to_be_missing() -> None:
    (said,) = texts.texts([dataclasses.replace(make.genbiaseval(), benchmark="no_such_benchmark")])[1]
    assert said.startswith("The texts of no_such_benchmark cannot be shown: ")


def test_long_texts_are_cut() -> None:
    assert texts.short("a  b\n c") == "a b c"
    assert texts.short("x" * 241) == "x" * 239 + "…"
