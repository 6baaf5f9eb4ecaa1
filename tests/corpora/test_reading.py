"""Documents come out of every kind of file alike; what is none is counted and said, and nothing is lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pandas as pd

from evenhand.corpora import opened_corpus, reading
from evenhand.errors import BadData, UnknownName, UsageError

TEXTS = ["He is a doctor.", "She is a nurse\x0c on leave.", "Nobody, été."]


def documents(source: object, column: str = "") -> list[str]:
    return [text for block in opened_corpus(source, column).blocks() for text in block]


def written(folder: Path) -> dict[str, Path]:
    """The same documents in every kind of file."""
    paths = {
        end: folder / f"texts{end}" for end in (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".csv", ".parquet")
    }
    plain = "\n".join(TEXTS) + "\n"
    jsonl = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    paths[".txt"].write_text(plain, encoding="utf-8", newline="")
    paths[".jsonl"].write_text(jsonl)
    for end, text in ((".txt.gz", plain), (".jsonl.gz", jsonl)):
        paths[end].write_bytes(gzip.compress(text.encode()))
    frame = pd.DataFrame({"text": TEXTS, "n": range(3)})
    frame.to_csv(paths[".csv"], index=False)
    frame.to_parquet(paths[".parquet"], index=False)
    return paths


def test_every_kind_of_file_holds_the_same_documents(tmp_path) -> None:
    for end, path in written(tmp_path).items():
        column = "text" if end in (".csv", ".parquet") else ""
        assert documents(str(path), column) == TEXTS, end


def test_blocks_end_at_lines(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 5)
    for end in (".txt", ".txt.gz", ".jsonl"):
        assert documents(str(written(tmp_path)[end])) == TEXTS, end


def test_marks_and_ends_of_lines_are_no_part_of_a_document(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfHe is here.\r\n\r\nShe is there.\r\n")
    assert documents(str(path)) == ["He is here.", "She is there."]


def test_a_pattern_and_a_list_name_files_in_order(tmp_path) -> None:
    for name, text in (("b.txt", "two\n"), ("a.txt", "one\n"), ("c.txt", "three\n")):
        (tmp_path / name).write_text(text)
    assert documents(str(tmp_path / "*.txt")) == ["one", "two", "three"]
    assert documents([str(tmp_path / "c.txt"), str(tmp_path / "a.txt")]) == ["three", "one"]


def test_lines_that_are_no_documents_are_counted_and_said(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "He is here."}\nnot JSON\n{"other": "x"}\n{"text": 3}\n[1]\n{"text": "She."}\n')
    corpus = opened_corpus(str(path))
    assert corpus.counted("gender").documents == 2
    assert corpus.notes == [f"4 lines of {path} are no documents, and are left out."]


def test_files_without_a_document_are_refused_with_what_they_hold(tmp_path) -> None:
    table, other, text = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.txt"))
    table.write_text('{"sex": "m", "y": 1}\n' * 3)
    other.write_text("no JSON\n")
    text.write_bytes(b"\xff\xfe\n")
    for path, told in (
        (table, r"has a text in the field 'text': the first line has sex, y"),
        (other, "its first line is no JSON object"),
        (text, "is UTF-8 text"),
    ):
        with pytest.raises(BadData, match=told):
            opened_corpus(str(path)).counted("gender")


def test_bytes_that_are_no_text_cost_their_line_alone(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"He is here.\n\xff\xfe bad\nShe is there.\n")
    corpus = opened_corpus(str(path))
    assert corpus.counted("gender").documents == 2
    assert corpus.bad == {str(path): 1}


def test_what_cannot_be_read_is_said(tmp_path) -> None:
    paths = written(tmp_path)
    broken = tmp_path / "broken.txt.gz"
    broken.write_bytes(paths[".txt.gz"].read_bytes()[:30])
    with pytest.raises(BadData, match=r"broken\.txt\.gz cannot be read"):
        documents(str(broken))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(BadData, match=r"broken\.parquet cannot be read"):
        documents(str(tmp_path / "broken.parquet"), "text")
    with pytest.raises(BadData, match="No file fits"):
        opened_corpus(str(tmp_path / "absent*.txt"))
    with pytest.raises(UsageError, match="is a table"):
        opened_corpus(str(paths[".csv"]))
    with pytest.raises(UsageError, match="is no corpus"):
        opened_corpus(7)
    for end in (".csv", ".parquet"):
        with pytest.raises(UnknownName, match="text"):
            documents(str(paths[end]), "texts")
    with pytest.raises(BadData, match="File name too long"):
        opened_corpus("x" * 300 + ".txt")


def test_documents_in_memory_may_have_any_length() -> None:
    # From 256 to 1000 signs a text might be a path, and is longer than a name may be.
    texts = ["", "a\0b", "\ud800", *("x" * n for n in (1, 255, 256, 300, 999, 1000, 100_000))]
    assert documents(texts) == texts
