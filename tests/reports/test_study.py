"""The report of a study: the front, the flips, the transfer matrix, what is marked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from evenhand import reports
from evenhand.records import Score, VerdictName, Verification
from evenhand.reports import flips, pareto, studied, study_view
from evenhand.studies import reasons
from evenhand.studies.grid.candidates import Entry
from evenhand.studies.grid.cells import DONE, FAILED, Cell, State
from evenhand.studies.grid.file import StudyFile
from evenhand.studies.grid.result import Chosen, Outcome, StudyResult
from evenhand.studies.grid.selection import Selection, Setting
from evenhand.studies.grid.table import rows
from evenhand.studies.options import VerifyOptions
from tests.support import records_factory as make

NAMES = ("gentle", "strong", "<b>broken</b>")


def _outcome(name: str, record: Verification | None) -> Outcome:
    state = State(DONE, seconds=90.0) if record else State(FAILED, error="NoEffect: it did nothing.")
    return Outcome(Cell("lab:causal", name, name, 0, Path("runs") / name), state, record)


@pytest.fixture
def result() -> StudyResult:
    study = StudyFile(
        "s", ("lab:causal",), tuple(Entry(name, (name,)) for name in NAMES), (0,), VerifyOptions()
    )
    gentle = make.verification(VerdictName.MITIGATED, shrink=0.3)
    strong = make.verification(VerdictName.AT_A_COST, shrink=0.9)
    outcomes = (_outcome("gentle", gentle), _outcome("strong", strong), _outcome(NAMES[2], None))
    selection = Selection("dev", "gentle", "least bias", (Setting("gentle", 0.5, 0.2, 1.0, 0.01),))
    return StudyResult(study, Path("runs"), outcomes, (Chosen("lab:causal", "gentle", selection),))


def test_the_front_holds_what_nothing_beats() -> None:
    # (.1, .3) and (.3, .1) trade one for the other; (.3, .3) is beaten by both, (.3, .2) by (.3, .1)
    assert pareto.on_front([(0.1, 0.3), (0.3, 0.1), (0.3, 0.3), (0.3, 0.2)]) == [True, True, False, False]
    assert pareto.on_front([(0.1, 0.1), (0.1, 0.1)]) == [True, True]


def test_the_points_have_intervals_on_both_axes(result: StudyResult) -> None:
    found = pareto.points(result.outcomes)
    assert [(one.number, one.name, one.tone) for one in found] == [
        (1, "gentle", "good"),
        (2, "strong", "mixed"),
    ]
    drawn = pareto.figure(found, 0.533, 0.01, ("loss", "bias"))
    assert [trace["marker"]["color"] for trace in drawn["data"]] == ["var(--good)", "var(--mixed)"]
    for trace in drawn["data"]:
        assert trace["error_x"]["array"] == [pytest.approx(0.004)]
        assert trace["error_y"]["array"] == [pytest.approx(0.02)]
        assert len(trace["text"]) == 1
    low, high = drawn["layout"]["yaxis"]["range"]
    assert low <= 0 < 0.533 < high
    table = pareto.table(found, "t")
    assert table.rows[0][:2] == ("1. gentle", "● mitigated")


def test_sides_of_an_item() -> None:
    def side(**values: float | None) -> str:
        return flips.side(Score("i", "c", {key.replace("_", "."): value for key, value in values.items()}))

    assert side(p_male=0.6, p_female=0.3) == "he"
    assert side(p_male=0.3, p_female=0.6) == "she"
    assert side(p_male=0.5, p_female=0.5) == ""
    assert side(p_male=0.5, p_female=None) == ""
    assert (side(correct=1.0), side(correct=0.0), side(correct=None)) == ("right", "wrong", "")
    assert (side(preferred=1.0), side(preferred=0.5)) == ("preferred", "")


def test_flips_are_counted_both_ways() -> None:
    turned = {**make.SHARES, "mobster": 0.9, "nurse": 0.1, "librarian": 0.2}
    record = make.verification()
    after = (make.genbiaseval(turned, treatment="t"), *record.after[1:])
    (found,) = flips.flips(dataclasses.replace(record, after=after))
    # three scales each; cook (.5) has no side, so 8 of 9 professions have one
    assert (found.n, found.total) == (24, 9)
    assert found.counts == (("she", "he", 6), ("he", "she", 3))
    assert found.items.rows[0] == ("genbiaseval/gender/mobster/word", "mobster", "he", "she")


def test_the_transfer_matrix_says_what_changed(result: StudyResult) -> None:
    found = study_view.transfer(result, "lab:causal")
    assert found is not None
    assert [head[0] for head in found.heads] == [
        "genbiaseval", "genhinteval", "facts:set=lab", "perplexity:text=lab",
    ]  # fmt: skip
    (gentle, entries), (strong, _) = found.rows
    assert (gentle, strong) == ("gentle", "strong")
    # the gap falls by 30 % with an interval of .03 to each side; UB loses .02 with as much: it holds 0
    assert [one.said for one in entries[:2]] == ["better", "unresolved"]
    assert entries[0].tone == "good"


def test_a_fall_without_control_models_is_not_judged(result: StudyResult) -> None:
    fell = dataclasses.replace(
        make.verification(),
        verdict=VerdictName.NO_EVIDENCE,
        control=None,
        reasons=(f"{reasons.NOT_JUDGED}. ...",),
    )
    one = dataclasses.replace(result, outcomes=(_outcome("gentle", fell),))
    assert studied.overview(one).rows[0][2] == "not judged"


def test_a_verdict_that_does_not_hold_is_marked(result: StudyResult) -> None:
    assert [row["p_control_holm"] for row in rows(result.outcomes) if row["metric"] == "afgb"] == [
        2 * 0.0005, 2 * 0.0005,
    ]  # fmt: skip
    assert studied.NOT_HELD not in str(studied.overview(result).rows)
    weak = dataclasses.replace(make.control(), p_value=0.03)
    record = result.outcomes[1].record
    assert record is not None
    second = _outcome("strong", dataclasses.replace(record, control=weak))
    first = dataclasses.replace(make.verification(), control=weak)
    two = dataclasses.replace(result, outcomes=(_outcome("gentle", first), second, result.outcomes[2]))
    # two p-values of .03: Holm gives .06 for both
    assert [row["holds"] for row in rows(two.outcomes) if row["metric"] == "afgb"] == [False, False]
    assert str(studied.overview(two).rows).count(studied.NOT_HELD) == 2
    assert studied.HELD in studied.notes(two)


def test_the_page_is_whole_without_a_script(result: StudyResult) -> None:
    text = reports.study_html(result)
    assert text == reports.study_html(result)
    assert len(text) < 3_000_000
    assert "<b>broken</b>" not in text
    assert "&lt;b&gt;broken&lt;/b&gt;" in text
    for part in ("2 of 3 cells are done", "NoEffect: it did nothing.", "● mitigated", "◆ mitigated at a cost",
                 "The setting, chosen on dev items", "0 of 24 items changed sides"):  # fmt: skip
        assert part in text, part
    assert text.count('<details class="figures" open') == text.count('<div class="plot"')
    assert "http" not in text.split('id="plotly"')[0].split("</style>")[1]


def test_a_study_without_a_done_cell_has_a_page(result: StudyResult) -> None:
    none = dataclasses.replace(result, outcomes=(result.outcomes[2],), chosen=())
    text = reports.study_html(none)
    assert "0 of 3 cells are done" in text
    assert "Bias against capability" not in text
    assert "2 of 3 cells were not begun" in text
