"""What was not measured, slices, and the methods with their sources."""

from __future__ import annotations

import dataclasses

from evenhand import reports
from evenhand.records import CapabilityResult, Check, Estimate, Measurement
from evenhand.reports import methods, shares, slices, unmeasured
from tests.support import records_factory as make

NOTHING = Estimate(None, None, None, 0)


def test_each_method_has_its_words_and_its_source() -> None:
    rows = {row[0]: row[1:] for row in methods.of_verification(make.verification()).rows}
    said, cited = rows["mitigation lftf:loss=mass_preserving"]
    assert said == "Fine-tune the located block until every group's term is equally likely."
    assert cited.startswith("Qin et al. 2025")
    assert rows["locator bmi"][1] == "LFTF, eq. 4; ShortGPT"
    assert rows["control sham"][0] == "Fit the compared treatment's method without its signal."
    assert rows["benchmark genbiaseval"] == (
        "Pronouns after a profession",
        "LFTF (2025)",
    )  # the run's own card
    assert rows["figure ub"][0] == "UB: following an explicit hint"


def test_a_method_that_is_not_installed_is_named_without_a_source() -> None:
    record = dataclasses.replace(make.verification(), treatment="no_such_method")
    assert methods.of_verification(record).rows[0] == ("mitigation no_such_method", "–", "–")


def test_what_a_run_lacks_is_said() -> None:
    record = make.verification()
    assert unmeasured.of_verification(record) == (
        "Other fits of the method: this is one, with seed 0 (`--seeds` makes more).",
    )
    none = Check("mass", NOTHING, NOTHING, NOTHING, 0.1, None, "")
    bare = dataclasses.replace(
        record, control=None, uncontrolled="No weights.", location=None, guards=(none,), limited=True,
        capability=CapabilityResult(None, ()), treatment="treated: hf:./ours",
    )  # fmt: skip
    said = " ".join(unmeasured.of_verification(bare))
    for part in (
        "limited to a part",
        "Control models. No weights.",
        "probability of the groups' words was kept",
        "no benchmark of capability",
        "no locator was run",
        "How the treated model was made",
    ):
        assert part in said, part
    unread = dataclasses.replace(record, control=make.control(matched=False))
    assert "by sham: not matched" in " ".join(unmeasured.of_verification(unread))


def test_undefined_items_are_counted() -> None:
    m = make.genbiaseval()
    found = dataclasses.replace(m.metrics["afgb_normalised"], undefined=3)
    some = dataclasses.replace(m, metrics={**m.metrics, "afgb_normalised": found})
    said = unmeasured.of_measurements([some])
    assert "3 of 27 items of genbiaseval: they have no defined value and are left out." in said
    assert "What the model can do: no benchmark of capability was measured." in said


def _sliced() -> Measurement:
    m = make.simple("bbq", "accuracy", 0.7)
    there = {"accuracy": make.estimate(0.6)}
    return dataclasses.replace(m, slices={"a=1": there, "a=2": there, "a=1 & b=1": there})


def test_slices_and_intersections_are_collapsed_tables() -> None:
    record = make.verification()
    record = dataclasses.replace(record, before=(_sliced(),), after=(_sliced(),))
    single, crossed = slices.of_verification(record)
    assert [part.title for part in (single, crossed)] == [
        "bbq, accuracy by slice: 2 rows",
        "bbq, accuracy by intersection of slices: 1 row",
    ]
    assert single.table.rows[0] == ("a=1", "0.600 [0.580 to 0.620]", "0.600 [0.580 to 0.620]", "27")
    html = reports.measurements_html([_sliced()])
    assert "<summary>bbq by slice: 2 rows</summary>" in html
    assert html.count('<details class="items">') == 2  # closed: no wall of rows


def test_what_is_drawn_by_slice_is_not_repeated() -> None:
    assert slices.of_verification(make.verification()) == ()


def test_very_many_slices_are_cut() -> None:
    there = {"accuracy": make.estimate(0.6)}
    many = dataclasses.replace(_sliced(), slices={f"a={i}": there for i in range(500)})
    (part,) = slices.of_measurement(many)
    assert (len(part.table.rows), part.cut) == (slices.MOST, "The first 400 of 500 rows.")


def test_the_largest_changes_come_first() -> None:
    after = make.genbiaseval({**make.SHARES, "student": 0.1, "nurse": 0.9}, treatment="t")
    first, second, *rest = shares.by_change(shares.rows(make.genbiaseval(), after))
    # student .6 -> .1, nurse .95 -> .9, the others stay
    assert (first.cluster, second.cluster) == ("student", "nurse")
    assert all(abs(row.change or 0.0) < 1e-9 for row in rest)
