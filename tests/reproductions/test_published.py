"""The published figures: as the papers print them, consistent with each other, and specs that exist."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from evenhand import registry
from evenhand.errors import UnknownName
from evenhand.linting import Fault, lint
from evenhand.mitigations import Mitigation
from evenhand.reproductions import RECIPES
from evenhand.reproductions.published import Published, Table, figure, read
from evenhand.studies.methods import made_method

PAPERS = Path(__file__).parents[3] / "shared" / "papers"
NOTES = PAPERS.parent / "methods.md"
SOURCES = sorted(RECIPES)
READ = {name: read(name) for name in SOURCES}
TABLES = [(name, table) for name in SOURCES for table in READ[name].tables.values()]
NUMBER = re.compile(r"(?<![\d.(+-])\d*\.?\d+(?![\d)])")


def _words(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", " ", text.lower().replace("*", ""))


@pytest.mark.parametrize(("name", "table"), TABLES, ids=lambda x: getattr(x, "name", x))
def test_a_table_is_whole(name: str, table: Table) -> None:
    published = READ[name]
    assert set(table.columns) <= set(published.columns)
    assert len({row.name for row in table.rows}) == len(table.rows)
    for row in table.rows:
        assert not row.model or row.model in published.models
        assert len(row.printed) <= len(table.columns)
        assert not row.right or len(row.right) == len(row.printed)
        assert row.ours == (not row.printed)


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_file_names_exists(name: str) -> None:
    published = READ[name]
    for column in published.columns.values():
        assert column.absent or registry.get("metric", column.metric).name == column.metric
    for row in (row for table in published.tables.values() for row in table.rows if row.treatment):
        assert isinstance(made_method(row.treatment), Mitigation)
        assert row.treatment == str(registry.parse(row.treatment))  # as a study names its cells
    for one in published.misprints:
        table = published.tables.get(one.table)
        assert table is not None or one.table.startswith("eq")
        assert table is None or set(one.rows) <= {row.name for row in table.rows}
        assert table is None or set(one.columns) <= set(table.columns)


@pytest.mark.parametrize("name", ["lftf", "faircon"])
def test_every_figure_stands_in_the_paper(name: str) -> None:
    """Each row is a line of the paper that begins with the row's name and holds its figures in order."""
    if not PAPERS.is_dir():
        pytest.skip("the papers' texts are not on this machine (../shared/papers)")
    short = READ[name].short.lower()
    found = next(path for path in PAPERS.glob("*.txt") if short in path.read_text()[:40000].lower())
    lines = [re.sub(r"</?b>|\*\*", "", line) for line in found.read_text(encoding="utf-8").splitlines()]
    rows = [row for table in READ[name].tables.values() for row in table.rows if row.printed and row.model]
    for row in (row for row in rows if row.table not in ("5", "7")):  # these are printed in another order
        key = _words(row.name).strip()[:12]
        texts = [line for line in lines if _words(line).strip().startswith(key)]
        assert any(_in_order(row.printed, NUMBER.findall(line)) for line in texts), row


def _in_order(wanted: Sequence[str], there: Sequence[str]) -> bool:
    places = iter(there)
    return all(any(one == value for one in places) for value in wanted)


def test_table_7_stands_in_the_paper_as_a_line() -> None:
    if not PAPERS.is_dir():
        pytest.skip("the papers' texts are not on this machine (../shared/papers)")
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAPERS.glob("003_*.txt"))
    assert f"variance {' '.join(row.printed[0] for row in READ['lftf'].tables['7'].rows)}" in text


def test_table_5_stands_in_the_paper_in_two_parts() -> None:
    if not PAPERS.is_dir():
        pytest.skip("the papers' texts are not on this machine (../shared/papers)")
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAPERS.glob("003_*.txt"))
    for row in READ["lftf"].tables["5"].rows:
        for part in (row.printed[:5], row.printed[5:]):
            assert f"{row.name} {' '.join(part)}" in text


def test_tables_1_and_2_of_faircon_stand_in_the_paper() -> None:
    if not PAPERS.is_dir():
        pytest.skip("the papers' texts are not on this machine (../shared/papers)")
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAPERS.glob("000_*.txt"))
    plain = re.sub(r"</?b>", "", text)
    parities = {"b_P = 0.00": "0.00", "b_P = 0.13": "0.13", "b_P = 0.50": "0.50", "b_P = 1.00": "1.00"}
    for table in ("1", "2"):
        for row in READ["faircon"].tables[table].rows:
            cells = "\t".join((parities.get(row.name, "0.00"), *row.printed))
            assert cells in plain, row


def test_the_figures_of_the_study_stand_in_the_notes() -> None:
    """The study's page shows its tables as pictures: the project's notes have their figures."""
    if not NOTES.is_file():
        pytest.skip("the project's notes are not on this machine (../shared/methods.md)")
    text = NOTES.read_text(encoding="utf-8")
    for row in READ["uqac"].tables["stereoset"].rows:
        assert not row.printed or f"{'/'.join(row.printed)}" in text or set(row.printed) == {"0"}, row


def _faults(published: Published, table: Table, folder: Path, *, right: bool = False) -> list[Fault]:
    path = folder / "table.csv"
    names = {"acc": "accuracy", "word": "Word-Scale", "phrase": "Phrase-Scale", "sentence": "Sentence-Scale"}
    names |= {
        "dpd": "DPD",
        "deo": "DEO",
        "lms": "LMS",
        "ss": "SS",
        "icat": "ICAT",
        "ub": "UB-Score",
        "all": "Avg.",
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        width = max(len(row.printed) for row in table.rows)
        writer.writerow(["row", *(names.get(key, key) for key in table.columns[:width])])
        for row in (row for row in table.rows if row.printed):
            writer.writerow([row.name, *((row.right if right else ()) or row.printed)])
    return lint(path)


def test_the_faults_of_the_tables_are_the_known_misprints(tmp_path: Path) -> None:
    """What the linter finds in a table as printed is stated as a misprint, and is gone in what was meant."""
    lftf, faircon, uqac = READ["lftf"], READ["faircon"], READ["uqac"]
    pairs = [fault.rows for fault in _faults(lftf, lftf.tables["2"], tmp_path) if fault.kind == "duplicate"]
    assert pairs == [(2, 10), (3, 6)]
    names = [row.name for row in lftf.tables["2"].rows]
    known = {frozenset(one.rows) for one in lftf.misprints if one.table == "2"}
    assert known == {frozenset(names[place - 1] for place in pair) for pair in pairs}

    kinds = {fault.kind for fault in _faults(faircon, faircon.tables["3"], tmp_path)}
    assert kinds == {"dpd_above_deo", "exchanged"}
    assert _faults(faircon, faircon.tables["3"], tmp_path, right=True) == []
    assert _faults(faircon, faircon.tables["1"], tmp_path) == []

    (fault,) = [f for f in _faults(uqac, uqac.tables["stereoset"], tmp_path) if f.kind == "icat"]
    # 95.9 (100 - 51.77) / 50 = 92.506
    assert "FLAN-T5-base, intersentence, before" in fault.why
    right = _faults(uqac, uqac.tables["stereoset"], tmp_path, right=True)
    assert [f for f in right if f.kind == "icat"] == []


def test_the_mean_of_table_2_is_weighted_by_prompts() -> None:
    """Avg. = (308 word + 330 phrase + 306 sentence) / 944, to half a unit of the last digit of each part."""
    published = READ["lftf"]
    for row in published.tables["2"].rows:
        values = [figure(published, row, key) for key in ("word", "phrase", "sentence", "all")]
        word, phrase, sentence, mean = (one.value for one in values if one is not None)
        assert (308 * word + 330 * phrase + 306 * sentence) / 944 == pytest.approx(mean, abs=1.01e-4)


def test_a_figure_knows_its_digits_and_its_unit() -> None:
    published = READ["faircon"]
    row = published.tables["3"].rows[0]
    accuracy, dpd = figure(published, row, "acc"), figure(published, row, "dpd")
    assert accuracy is not None
    assert dpd is not None
    # 63.0 % is .630, printed to a tenth of a point: half a unit is .0005
    assert (accuracy.value, accuracy.half) == pytest.approx((0.63, 0.0005))
    # printed .183 under DPD; the columns are exchanged, so .142 is meant
    assert (dpd.printed, dpd.value, dpd.half) == ("0.183", pytest.approx(0.142), pytest.approx(0.0005))
    assert "0.14188" in dpd.doubt
    assert figure(published, row, "twins") is None


def test_an_undefined_share_is_no_figure() -> None:
    published = READ["uqac"]
    row = next(
        row for row in published.tables["stereoset"].rows if row.name.startswith("Bloomz-560m, both, after")
    )
    assert row.printed[1] == "0"
    assert figure(published, row, "ss") is None  # 0 of 0 answers


def test_models_are_known_by_their_names_on_the_hub() -> None:
    published = READ["lftf"]
    assert published.model_of("hf:Qwen/Qwen2.5-7B") == "Qwen2.5-7B"
    assert published.model_of("hf:qwen/qwen2.5-7b@main") == "Qwen2.5-7B"
    assert published.model_of("hf:Qwen/Qwen2.5-7B+treated") == ""  # somebody treated it
    assert published.model_of("hf:./Qwen2.5-7B") == ""
    assert published.model_of("lab:causal") == ""
    assert published.uri_of("qwen2.5-7b") == "hf:Qwen/Qwen2.5-7B"
    assert published.uri_of("lab:causal") == "lab:causal"


def test_an_unknown_table_names_near_ones() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'stereoset'"):
        READ["uqac"].chosen("stereosett")
    assert [table.name for table in READ["lftf"].chosen("4")] == ["4"]
