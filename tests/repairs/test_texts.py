"""Texts are followed by their counterparts, and files are written whole and never over others."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import registry
from evenhand.audits import Question
from evenhand.errors import BadData, UnknownName, UsageError
from evenhand.studies import repairing
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.auditing import question_of

OPTIONS = AuditOptions(sensitive=["sex"])


def texts(documents: list[str], attribute: str = "gender") -> list[str]:
    question = question_of(documents, AuditOptions(texts=True, attribute=attribute))
    return list(registry.create("repair", "augment").repaired(question))


def test_a_text_with_a_gender_is_followed_by_its_counterpart() -> None:
    assert texts(["He is a doctor.", "The house."]) == ["He is a doctor.", "She is a doctor.", "The house."]


def test_texts_are_swapped_by_gender_alone() -> None:
    with pytest.raises(UsageError, match="by gender alone"):
        texts(["He is a doctor."], "religion")


@pytest.mark.parametrize("end", [".jsonl", ".txt"])
def test_texts_are_written_a_line_each(tmp_path: Path, end: str) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / f"out{end}"
    source.write_text(json.dumps({"text": "He is\nhere."}) + "\n" + json.dumps({"text": "Nobody."}) + "\n")
    options = AuditOptions(audits=["mentions"])
    record = repairing.repaired(question_of(str(source), options), options, "augment", out)
    held = out.read_text(encoding="utf-8").split("\n")[:-1]
    found = [json.loads(line)["text"] for line in held] if end == ".jsonl" else held
    first = "He is\nhere." if end == ".jsonl" else "He is here."
    assert found == [first, first.replace("He", "She"), "Nobody."]
    assert f"{out} has 3 documents." in record.notes


def table() -> pd.DataFrame:
    return pd.DataFrame({"sex": ["a"] * 60 + ["b"] * 40, "x": range(100)})


def test_files_are_whole_and_never_written_over(tmp_path: Path) -> None:
    question = question_of(table(), OPTIONS)
    for end in (".csv", ".parquet"):
        out = tmp_path / f"out{end}"
        repairing.repaired(question, OPTIONS, "drop:columns=x", out)
        read = pd.read_csv(out) if end == ".csv" else pd.read_parquet(out)
        assert read["sex"].tolist() == table()["sex"].tolist()
        assert out.stat().st_mode & 0o777 == 0o644
        with pytest.raises(BadData, match="is there already"):
            repairing.repaired(question, OPTIONS, "drop:columns=x", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.csv",
        "out.parquet",
    ]  # no temporary files


def test_an_error_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ibis

    def fails(self: object, name: str, **how: object) -> None:
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ibis.expr.types.Table, "to_parquet", fails)
    with pytest.raises(Exception, match="cannot be written"):
        repairing.repaired(question_of(table(), OPTIONS), OPTIONS, "drop:columns=x", tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    question = question_of(table(), OPTIONS)
    assert isinstance(question, Question)
    written = question_of(["He is here."], AuditOptions(texts=True))
    for asked, spec, name, error, told in (
        (question, "reweigh", "a.parquet", UsageError, "needs a target"),
        (question, "augment", "a.jsonl", UsageError, "no file that can be written"),
        (written, "balance", "a.jsonl", UsageError, "is for table, not for texts"),
        (question, "drop:columns=x", "none/a.csv", BadData, "does not exist"),
        (question, "reweight", "a.csv", UnknownName, "reweigh"),
    ):
        with pytest.raises(error, match=told):
            repairing.check(asked, spec, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
