"""Tables are asked and never loaded; what cannot be read is said in a sentence, and nothing is lost."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import audit
from evenhand.errors import BadData, EnvironmentProblem, EvenhandError, UnknownName, UsageError
from evenhand.frames import OTHER, opened
from evenhand.frames.frame import _BEGINNINGS, MOST_CELLS
from evenhand.frames.opening import shown_address
from evenhand.frames.values import BLANKS, BOM, SPACES
from evenhand.records import State, to_json

ROWS = 60_000


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each question to the engine has brought into Python, whoever asked it."""
    seen: list[int] = []
    from ibis.backends.duckdb import Backend as backend

    for name in ("to_pyarrow", "execute", "to_pyarrow_batches", "to_pandas", "to_pandas_batches"):
        own = getattr(backend, name, None)

        def counted(self: Any, *given: Any, _own: Any = own, **more: Any) -> Any:
            found = _own(self, *given, **more)
            seen.append(len(found) if hasattr(found, "__len__") else ROWS)
            return found

        if own is not None:
            monkeypatch.setattr(backend, name, counted)
    return seen


def test_no_column_is_fetched_whole(fetched, tmp_path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], ROWS),
            "y": rng.integers(0, 2, ROWS),
            "wage": rng.normal(size=ROWS),
            "id": np.arange(ROWS),
        }
    )
    frame.to_parquet(tmp_path / "all.parquet")
    found = audit(
        str(tmp_path / "all.parquet"), "sex", "y", sample=5000, against=str(tmp_path / "all.parquet")
    )
    assert found.n == ROWS
    assert fetched
    assert max(fetched) <= MOST_CELLS + 1 < ROWS


def test_an_attribute_that_is_different_in_every_row_is_not_fetched(fetched, tmp_path) -> None:
    pd.DataFrame({"born": np.arange(ROWS), "y": np.arange(ROWS) % 2}).to_parquet(tmp_path / "a.parquet")
    found = audit(str(tmp_path / "a.parquet"), "born", "y", sample=5000)
    assert max(fetched) <= MOST_CELLS + 1
    assert found.of("representation")[0].n == ROWS
    assert any("--bins born=" in note for note in found.notes)


def test_ten_thousand_groups_are_all_counted(tmp_path) -> None:
    # Ten thousand towns of three people, and one of 970: the 49 largest stand alone.
    towns = [f"town{i:05}" for i in range(10_000) for _ in range(3)] + ["capital"] * 970
    frame = pd.DataFrame({"town": towns, "y": [0, 1] * (len(towns) // 2)})
    found = audit(frame, "town", "y", audits=["representation", "label_rates"])
    figures = {g.group: g.n for g in found.of("label_rates")[0].groups}
    assert figures["capital"] == 970
    assert sum(figures.values()) == 30_970
    assert OTHER in figures
    assert any(OTHER in note for note in found.notes)


def test_files_are_read_alike_however_they_are_packed(tmp_path) -> None:
    text = "sex,y\n" + "f,1\nm,0\n" * 50 + "f,0\n"
    frame = pd.DataFrame([line.split(",") for line in text.split()[1:]], columns=["sex", "y"])
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.tsv").write_text(text.replace(",", "\t"))
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write(text)
    frame.to_parquet(tmp_path / "a.parquet")
    for part in range(2):
        frame[part::2].to_parquet(tmp_path / f"part-{part}.parquet")
    sources: list[Any] = [
        str(tmp_path / n) for n in ("a.csv", "a.tsv", "a.csv.gz", "a.parquet", "part-*.parquet")
    ]
    found = [to_json(audit(one, "sex", "y").findings) for one in (*sources, frame)]
    for one in found:
        for finding in one:
            del finding["command"]
    assert all(one == found[0] for one in found)


def test_a_table_of_a_database_is_read(tmp_path) -> None:
    import duckdb

    path = tmp_path / "people.db"
    with duckdb.connect(str(path)) as made:
        made.sql(
            "create table people as select case when i % 4 = 0 then 'f' else 'm' end as sex from "
            "range(400) t(i)"
        )
    found = audit(f"duckdb:{path}#people", "sex").of("representation")[0]
    assert found.effect == pytest.approx(0.25)  # |.25 - .5| + |.75 - .5| over 2
    with pytest.raises(UnknownName, match="'people'"):
        opened(f"duckdb:{path}#peple")
    with pytest.raises(EnvironmentProblem, match="cannot be opened") as caught:
        opened(f"duckdb:{csv(tmp_path, 'sex')}#people")
    assert caught.value.mend == "Name a DuckDB file that no other program writes to."


@pytest.mark.parametrize(
    "source", ["duckdb:nowhere.db#people", "postgres://ann:secret@localhost/base#people", pd.DataFrame()]
)
def test_only_files_can_be_left_out(source) -> None:
    with pytest.raises(UsageError, match=r"--skip-broken leaves out files, and .* is none") as caught:
        audit(source, "sex", skip_broken=True)
    assert "secret" not in str(caught.value)


def test_files_are_left_out_of_the_other_table_as_well(tmp_path) -> None:
    csv(tmp_path, "sex,y\nf,1\nm,0\n", "a.csv")
    csv(tmp_path, "", "b.csv")
    frame = pd.DataFrame({"sex": ["f", "m"], "y": [1, 0]})
    found = audit(frame, "sex", against=str(tmp_path / "*.csv"), audits=["drift"], skip_broken=True)
    assert found.of("drift")[0].n == 4


def csv(tmp_path: Path, text: str | bytes, name: str = "a.csv") -> str:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "asked", "told"),
    [
        ("sex,y\nf,1\n", {"sensitive": "sx"}, "There is no column in .* named 'sx'. Did you mean 'sex'?"),
        ("sex,y\nf,1\n", {"sensitive": "sex", "target": "z"}, "named 'z'"),
        ("sex,y\nf,1\n", {}, "Say which column of .* holds a sensitive attribute"),
        ("sex,y\n,1\n?,0\n", {"sensitive": "sex"}, "sex of .* has no value in any of its 2 rows"),
        ("sex,y\nf,\nm,NA\n", {"sensitive": "sex", "target": "y"}, "target y of .* has no value in any row"),
        ("sex,y\nf,1\nm,0,3\n", {"sensitive": "sex"}, "cannot be read: .*Line: 3"),
        ("sex,y\nf,1\nm\n", {"sensitive": "sex"}, "cannot be read: .*Line: 3"),
        ("sex,sex\nf,1\n", {"sensitive": "sex"}, "'sex' 2 times"),
        (b"sex,y\nf,\xff\n", {"sensitive": "sex"}, "is not UTF-8 text"),
        ("sex,y\rf,1\rm,0\r", {"sensitive": "sex"}, "ends its lines with carriage returns alone"),
        ('"se\rx",y\nf,1\n', {"sensitive": "sx"}, "named 'sx'"),
        ("se\rx,y\nf,1\n", {"sensitive": "sex"}, "The header of .* cannot be read"),
        ("sex,y\nf,1\n".encode("utf-16"), {"sensitive": "sex"}, "iconv -f UTF-16 -t"),
        ("sex,y\nf,1\n".encode("utf-16-be"), {"sensitive": "sex"}, "iconv -f UTF-16BE -t"),
        ("Sex,sex\nf,1\n", {"sensitive": "sex"}, "differ in case alone: 'Sex'; 'sex'"),
        ("", {"sensitive": "sex"}, "is empty"),
        (
            "sex,y\nf,a\nm,b\nm,c\n",
            {"sensitive": "sex", "target": "y"},
            "has several values: .*--positive 'a'",
        ),
        ("sex,y\nf,a\nm,b\n", {"sensitive": "sex", "target": "y", "positive": ["d"]}, "No row has 'd' for y"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "baseline": "f=0.5"}, "no share for 'm'"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "baseline": "f=0.5,m=0.9"}, "sum to 1.4, not to 1"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "baseline": "f"}, "f cannot be read"),
        (
            "sex,y\nf,1\nm,0\n",
            {"sensitive": "sex", "audits": ["representatoin"]},
            "Did you mean 'representation'",
        ),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "audits": ["label_rates"]}, "label_rates needs a target"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "bins": {"y": "2|1"}}, "not numbers in order"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "y", "target": "y"}, "both target and sensitive"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "bins": {"sex": "year"}}, "has no date in any of its 2"),
        ("sex,y\nf,1\nm,0\n", {"sensitive": "sex", "bins": {"sex": "30"}}, "has no number in any of its 2"),
    ],
)
def test_bad_input_is_told_in_a_sentence(tmp_path, text, asked, told) -> None:
    with pytest.raises(EvenhandError, match=told):
        audit(csv(tmp_path, text), **asked)


def test_a_broken_row_is_not_quoted(tmp_path) -> None:
    with pytest.raises(BadData) as caught:
        audit(csv(tmp_path, "sex,y\nf,1\nWilhelmine,0,3\n"), "sex")
    assert "Wilhelmine" not in str(caught.value)


def test_broken_files_of_a_pattern_are_named_or_left_out(tmp_path) -> None:
    csv(tmp_path, "sex,y\nf,1\nm,0\n", "a.csv")
    csv(tmp_path, "", "b.csv")
    csv(tmp_path, b"sex,y\n\xff,1\n", "c.csv")
    with pytest.raises(
        BadData, match=r"2 of 3 files cannot be read: .*b\.csv is empty.*c\.csv is not UTF-8"
    ) as caught:
        audit(str(tmp_path / "*.csv"), "sex")
    assert "--skip-broken" in caught.value.mend
    found = audit(str(tmp_path / "*.csv"), "sex", skip_broken=True)
    assert found.n == 2
    assert "2 of 3 files were left out" in found.notes[0]
    csv(tmp_path, 'sex,y\nm,1\nm,"1\n', "e.csv")  # broken where the header does not tell
    csv(tmp_path, "sex,y\nm,1\nWilhelmine\n", "f.csv")
    with pytest.raises(BadData, match=r"[ef]\.csv cannot be read: .*CSV Error on Line") as caught:
        audit(str(tmp_path / "[aef].csv"), "sex")
    assert "--skip-broken" in caught.value.mend
    assert "strict" not in str(caught.value)
    found = audit(str(tmp_path / "[aef].csv"), "sex", skip_broken=True)
    assert found.n == 2
    assert "2 of 3 files were left out" in found.notes[0]
    assert "Wilhelmine" not in found.notes[0]
    with pytest.raises(BadData) as caught:
        audit(str(tmp_path / "f.csv"), "sex")
    assert "--skip-broken" not in caught.value.mend
    csv(tmp_path, "sex,z\nf,1\n", "d.csv")
    with pytest.raises(BadData, match="other columns"):
        audit(str(tmp_path / "[ad].csv"), "sex")


def broken_page(path: Path) -> None:
    """Overwrite a part of the last column's values in a parquet file, of which the footer stays right."""
    import pyarrow.parquet as pq

    group = pq.ParquetFile(path).metadata.row_group(0)
    column = group.column(group.num_columns - 1)
    start = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(path.read_bytes())
    data[start + 200 : start + 2200] = bytes(2000)
    path.write_bytes(data)


def test_a_broken_page_of_a_parquet_file_is_named_or_left_out(tmp_path) -> None:
    frame = pd.DataFrame({"sex": ["f", "m"] * 2500, "note": [f"note {i * i}" for i in range(5000)]})
    for name in "abc":
        frame.to_parquet(tmp_path / f"{name}.parquet")
    broken_page(tmp_path / "b.parquet")
    every = str(tmp_path / "*.parquet")
    with pytest.raises(BadData, match=r"[^*]b\.parquet cannot be read: .*decompression") as caught:
        audit(every, "sex")
    assert "--skip-broken" in caught.value.mend
    found = audit(every, "sex", skip_broken=True)
    assert found.n == 10_000
    assert re.search(r"1 of 3 files were left out: .*b\.parquet cannot be read", found.notes[0])
    with pytest.raises(BadData, match="of 2 files cannot be read"):
        audit([str(tmp_path / "b.parquet")] * 2, "sex", skip_broken=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [("none.csv", "does not exist"), (".", "is a folder"), ("*.x", "No file fits")],
)
def test_what_is_not_there_is_told(tmp_path, name, told) -> None:
    with pytest.raises(BadData, match=told):
        opened(str(tmp_path / name))
    with pytest.raises(BadData, match="'' names no file"):
        opened("")


def test_what_is_no_data_set_is_told() -> None:
    with pytest.raises(UsageError, match="A int is no data set"):
        opened(3)


def test_a_byte_order_mark_is_no_part_of_a_name_or_of_a_group(tmp_path) -> None:
    found = audit(csv(tmp_path, "\ufeffsex , y\n\ufefff,1\nf ,1\nm,0\n"), "\ufeffsex", "y")
    assert {g.group: g.n for g in found.of("label_rates")[0].groups} == {"f": 2, "m": 1}


def test_groups_of_one_are_counted_and_show_nothing(tmp_path) -> None:
    found = audit(csv(tmp_path, "sex,y\nf,1\nm,0\n"), "sex", "y")
    one = found.of("label_rates")[0]
    assert (one.effect, one.state) == (1.0, State.UNCLEAR)
    alone = audit(csv(tmp_path, "sex,y\nf,1\nf,0\n", "b.csv"), "sex", "y").of("representation")[0]
    assert alone.effect is None
    assert "one group alone" in alone.finding


def test_mixed_types_are_values_as_written() -> None:
    frame = pd.DataFrame({"sex": ["f", 1, 2.5, None, "f", True], "y": [1, 0, 1, 0, 1, 0]})
    found = audit(frame, "sex", "y", audits=["label_rates"]).findings[0]
    assert {g.group: g.n for g in found.groups} == {"f": 2, "1": 1, "2.5": 1, "True": 1}


def test_dates_are_groups_by_year(tmp_path) -> None:
    days = pd.date_range("1990-01-01", periods=4000, freq="D")
    frame = pd.DataFrame({"born": days, "y": np.arange(4000) % 2})
    each = audit(frame, "born", "y", audits=["label_rates"])
    assert any("--bins born=30|50 or --bins born=year" in note for note in each.notes)
    assert sum(g.n or 0 for g in each.findings[0].groups) == 4000
    by_year = audit(frame, "born", "y", bins={"born": "year"}, audits=["label_rates"]).findings[0]
    assert {g.group: g.n for g in by_year.groups}["1992"] == 366
    frame.to_csv(tmp_path / "d.csv", index=False)
    written = audit(
        str(tmp_path / "d.csv"), "born", "y", bins={"born": "decade"}, audits=["label_rates"]
    ).findings[0]
    assert {g.group for g in written.groups} == {"1990", "2000"}


def test_numbers_are_groups_by_bins(tmp_path) -> None:
    found = audit(csv(tmp_path, "age,y\n20,1\n30,0\n49,1\n50,1\n?,1\n"), "age", "y", bins={"age": "30|50"})
    assert {g.group: g.n for g in found.of("label_rates")[0].groups} == {"<30": 1, "30-49": 2, "50+": 1}


def test_signs_for_missing_values_are_seen_wherever_they_stand(fetched, tmp_path) -> None:
    # One of each sign, in both cases and with spaces, in the last of 20 000 rows; 12 of 10 000 f are missing.
    signs = sorted(BLANKS)
    job = ["any"] * (20_000 - 3 * len(signs)) + signs + [one.upper() for one in signs]
    frame = pd.DataFrame({"sex": ["m"] * 10_000 + ["f"] * 10_000, "job": job + [f" {one} " for one in signs]})
    frame.to_parquet(tmp_path / "a.parquet")
    found = audit(str(tmp_path / "a.parquet"), "sex", audits=["missingness"]).findings
    assert [(one.columns, one.effect) for one in found] == [(("sex", "job"), 3 * len(signs) / 10_000)]
    assert max(fetched) <= 2


def test_whatever_is_a_space_is_blank_in_every_column(tmp_path) -> None:
    # 20 spaces of each sort, of f alone, in a column that is asked about and in one that is not.
    spaces = [f"{space}{word}{space}" for space in ("\u00a0", "\u2003", "\u3000", BOM) for word in ("", "NA")]
    frame = pd.DataFrame({"sex": ["f"] * 200 + ["m"] * 200, "age": ["7\u00a0"] * 400, "job": ["a"] * 400})
    frame.loc[:159, "job"] = spaces * 20
    frame["race"] = frame["job"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    itself, *found = audit(str(tmp_path / "a.csv"), "sex,race", audits=["missingness"]).findings
    assert "race itself is missing in 160 of 400 rows" in itself.finding
    assert [(one.columns, one.effect) for one in found] == [(("sex", "job"), 0.8)]
    bins = audit(str(tmp_path / "a.csv"), "age", bins={"age": [5]}, audits=["representation"]).findings[0]
    assert bins.n == 400


def test_every_sign_for_a_missing_value_begins_as_is_said() -> None:
    for sign in [*BLANKS, *map(str.upper, BLANKS), *SPACES]:
        assert any(first <= sign < end for first, end in _BEGINNINGS), sign


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("postgres://me:secret@host:5432/base#people", "postgres://me@host:5432/base#people"),
        ("postgresql://me@host:5432/base#people", "postgresql://me@host:5432/base#people"),
        ("postgres://host/base?password=secret&a=b#t", "postgres://host/base?a=b#t"),
        ("postgres://host/base?a=b&password=secret#t", "postgres://host/base?a=b&#t"),
        ("duckdb:a.db#t", "duckdb:a.db#t"),
        ("a:b@c.csv", "a:b@c.csv"),
    ],
)
def test_a_password_is_in_nothing_that_is_written(source, shown) -> None:
    assert shown_address(source) == shown


def test_an_address_that_cannot_be_reached_is_told_without_its_password() -> None:
    with pytest.raises(EvenhandError) as caught:
        audit("postgres://me:secret@127.0.0.1:1/base#people", "sex")
    assert "secret" not in f"{caught.value} {caught.value.mend}"


def test_columns_may_have_any_name(tmp_path) -> None:
    # Names that the questions use themselves; 3 of 4 and 1 of 4 have the label, and of each group's 80 rows
    # 60 and 20 are equal: but for the first of them all are copies.
    names = ["p0", "0", "rows", "n", "kept", "evenhand_n", "size", "best", "group", "Value", "text"]
    rows = list("aaaabbbb") * 20
    frame = pd.DataFrame(dict.fromkeys(names, rows) | {"y": [1, 1, 1, 0, 1, 0, 0, 0] * 20})
    for name in names:
        asked = ["label_rates", "missingness", "duplicates", "label_noise"]
        rates, copies, noise = audit(frame, name, "y", audits=asked).findings
        assert [g.value for g in rates.groups] == [0.75, 0.25], name
        assert copies.finding.startswith("156 of 160 rows repeat another one"), name
        assert noise.n == 160


def test_names_that_differ_in_case_alone_are_refused_of_every_source(tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"Sex": ["f"], "sex": ["m"]})
    pq.write_table(table, tmp_path / "a.parquet")
    for source in (str(tmp_path / "a.parquet"), table, table.to_pandas()):
        with pytest.raises(BadData, match="differ in case alone: 'Sex'; 'sex'"):
            opened(source)
    with pytest.raises(BadData, match="'sex' 2 times"):
        opened(pd.DataFrame([[1, 2]], columns=["sex", "sex"]))


@pytest.mark.parametrize(
    "text", ["sex;note\nf;a, b, c\nm;d, e, f\n", '"sex";"a,b,c"\nf;1\nm;2\n', "sex|y;z|x\nf|1,2,3|2\nm|3|4\n"]
)
def test_the_header_says_what_separates(tmp_path, text) -> None:
    found = audit(csv(tmp_path, text), "sex", audits=["representation"]).findings[0]
    assert {g.group: g.n for g in found.groups} == {"f": 1, "m": 1}


def test_not_a_number_is_a_missing_value(tmp_path) -> None:
    # 5 of 100 f, in a file that counts no missing value at all.
    import pyarrow as pa
    import pyarrow.parquet as pq

    wage = [float("nan")] * 5 + [1.0] * 195
    pq.write_table(pa.table({"sex": ["f"] * 100 + ["m"] * 100, "wage": wage}), tmp_path / "a.parquet")
    found = audit(str(tmp_path / "a.parquet"), "sex", audits=["missingness"]).findings
    assert [(one.columns, one.effect) for one in found] == [(("sex", "wage"), 0.05)]
