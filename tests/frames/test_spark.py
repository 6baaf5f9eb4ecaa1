"""In which CSV files every line is a row, so that several tasks of Spark may read one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.frames import spark
from evenhand.frames.headers import Header

HEAD = b"sex,job\n"


def split(tmp_path: Path, data: bytes, name: str = "a.csv", separator: str = ",") -> bool:
    (tmp_path / name).write_bytes(data)
    return spark.row_a_line(Header(tmp_path / name, ("sex", "job"), separator))


@pytest.mark.parametrize(
    "rows",
    [
        b"f,x\nm,y\n",
        b"f,x\r\nm,y",
        b'"f","x, y"\nm,"he said ""yes"""\n',
        b"f,\n,\n",
        "f,\u00e9\u2028\n".encode(),
        b"",
    ],
)
def test_lines_that_are_rows(rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert split(tmp_path, HEAD + rows)
    monkeypatch.setattr(spark, "_BLOCK", 3)  # wherever a block ends
    assert split(tmp_path, HEAD + rows)


@pytest.mark.parametrize(
    "rows",
    [
        b'f,"x\ny"\nm,y\n',  # a line break in a cell
        b'f,"x\r\ny"\n',
        b'f,5"\nm,"x\ny"\n',  # as many quotes before the line break as behind a whole cell
        b'f,"open\nm,y\n',
        b'f, "x"\n',
        b'f,"x"y\n',
        b"f,x\ry\n",
        b"f,x\n\nm,y\n",  # Spark leaves empty lines out where it splits
        b"f,x\n \t\r\nm,y\n",
    ],
)
def test_lines_that_may_be_none(rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not split(tmp_path, HEAD + rows)
    monkeypatch.setattr(spark, "_BLOCK", 3)
    assert not split(tmp_path, HEAD + rows)


def test_packed_files_and_single_columns_are_not_split(tmp_path: Path) -> None:
    assert not split(tmp_path, HEAD, "a.csv.gz")
    (tmp_path / "b.csv").write_bytes(b"sex\nf\n")
    assert not spark.row_a_line(Header(tmp_path / "b.csv", ("sex",)))


def test_other_separators(tmp_path: Path) -> None:
    assert split(tmp_path, b"sex|job\nf|x,y\n", separator="|")
    assert split(tmp_path, b"sex\tjob\nf\tx\n", separator="\t")
    assert not split(tmp_path, b'sex|job\nf|"x|\ny"\n', separator="|")
