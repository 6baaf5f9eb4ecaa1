"""Every fault that the notes list is found in the tables as printed, and nothing in the others."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from evenhand import sources
from evenhand.linting import Fault, lint
from tests.linting import published


def found(text: str, tmp_path: Path, **named) -> list[Fault]:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return lint(path, **named)


def kinds(text: str, tmp_path: Path) -> list[tuple[str, tuple[int, ...]]]:
    return [(fault.kind, fault.rows) for fault in found(text, tmp_path)]


def test_the_last_two_columns_are_exchanged(tmp_path) -> None:
    # .183 > .142 and .136 > .081: the notebook behind the table prints EOD .18269 and DPD .14188
    faults = found(published.FAIRCON_3, tmp_path)
    assert Counter(fault.kind for fault in faults) == {"dpd_above_deo": 2, "exchanged": 1}
    exchanged = next(fault for fault in faults if fault.kind == "exchanged")
    assert exchanged.rows == (1, 2)
    assert [name[:6] for name in exchanged.columns] == ["$M_{d_", "$M_{eo"]
    # (.183 - .0005) - (.142 + .0005) = .040
    assert "at least 0.040 apart" in faults[0].why


def test_two_pairs_of_models_print_the_same_rows(tmp_path) -> None:
    assert kinds(published.LFTF_2, tmp_path) == [("duplicate", (2, 10)), ("duplicate", (3, 6))]


def test_two_misprinted_changes(tmp_path) -> None:
    # .1456 - .0804 = .0652, not .652; .3673 - .3895 = -.0222, not -.2965
    faults = found(published.LFTF_8, tmp_path)
    assert [(one.kind, one.rows, one.columns) for one in faults] == [
        ("difference", (1, 2), ("Word-Scale",)),
        ("difference", (1, 3), ("UB-Score",)),
    ]
    assert "+0.0652, and +0.652 is printed" in faults[0].why
    assert "-0.0222, and -0.2965 is printed" in faults[1].why


def test_an_icat_that_its_scores_contradict(tmp_path) -> None:
    # 95.9 * 48.23 / 50 = 92.505; the table prints 92.91, the notebook 92.51
    (fault,) = found(published.STEREOSET, tmp_path)
    assert (fault.kind, fault.rows, fault.columns) == ("icat", (5,), ("pre LMS", "pre SS", "pre ICAT"))
    assert "92.51, and 92.91 is printed" in fault.why


def test_the_same_regard_before_and_after(tmp_path) -> None:
    assert kinds(published.REGARD, tmp_path) == [("duplicate", (5, 6))]


@pytest.mark.parametrize("name", published.CLEAN)
def test_nothing_is_found_where_the_notes_list_nothing(name, tmp_path) -> None:
    assert found(published.CLEAN[name], tmp_path) == []


def test_accuracies_that_200_answers_can_give(tmp_path) -> None:
    # 151/200 = 75.5 %; no count of 300 gives it: 226/300 = 75.33, 227/300 = 75.67
    assert found(published.FAIRCON_1, tmp_path, n=200) == []
    first = found(published.FAIRCON_1, tmp_path, n=300)[0]
    assert (first.kind, first.rows) == ("precision", (1,))
    assert "226 give 75.33 and 227 give 75.67" in first.why


@pytest.fixture(scope="module")
def audits() -> list[Fault]:
    path = Path(os.environ.get(sources.VARIABLE, "")) / "ll144" / "audits_part.csv"
    if not path.is_file():
        pytest.skip("ll144/audits_part.csv is not on this machine")
    return lint(path)


def test_the_published_audits_as_counted(audits) -> None:
    counts = Counter(fault.kind for fault in audits)
    print(dict(counts))
    assert counts["ratio_above_one"] == 174  # as the audit `published_ratios` counts them
    assert counts == {
        "ratio_above_one": 174,
        "contradicted_ratio": 50,
        "ratio_of_nobody": 12,
        "contradicted_rate": 6,
        "precision": 6,
        "duplicate": 2,
    }
    # Black or African American women and men: 807 people, .756 and .878 in both rows
    assert any(one.kind == "duplicate" and one.rows == (1672, 1678) for one in audits)
    # 29 of 107 is .271, beside a printed .19
    assert any(one.kind == "contradicted_rate" and "29 of 107 is 0.27" in one.why for one in audits)
    # 41/63 = .651 and 42/63 = .667: none is .66
    assert any(one.kind == "precision" and "no count of 63 gives 0.66" in one.why for one in audits)
