"""``--repair``: a repaired data set is written as a new file, streamed, and audited as the first was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from evenhand.audits import Question, TextQuestion
from evenhand.errors import BadData, BadOption, UsageError
from evenhand.files import disk_errors, lines, real_path, whole
from evenhand.frames.cells import key_of, named
from evenhand.frames.frame import readable
from evenhand.frames.writing import write
from evenhand.records import Audited, Finding
from evenhand.repairs import Repaired
from evenhand.studies.advising import fitting
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.auditing import answered, audited, options_of, question_of
from evenhand.studies.reading import are_scores
from evenhand.studies.suppressing import check_alike

TABLES, TEXTS = (".parquet", ".csv"), (".jsonl", ".txt")


def repair(
    source: Any,
    spec: str,
    out: Path | str,
    sensitive: str | Sequence[str] = (),
    target: str = "",
    **options: Any,
) -> Audited:
    """Write a repaired copy of a data set to `out`, and audit that; `source` stays as it is.

    ``repair(frame, "reweigh", "weighed.parquet", "sex", "hired")``: `spec` is a repair with its options, the
    others are what ``audit`` takes. The first note says what was done.

    Raises:
        EvenhandError: as `evenhand.audit`, `check` and `repaired`.
    """
    given = options_of(sensitive, target, options)
    if not isinstance(out, str | Path) or not str(out) or "\0" in str(out):
        raise BadOption(f"out={out!r} is not a file.", mend="Give its name, such as 'weighed.parquet'.")
    question = question_of(source, given)
    return repaired(question, given, spec, Path(out))


def check(question: Question | TextQuestion, spec: str, out: Path) -> Any:
    """What the repair that a spec names will write: a `Repaired` table, or an iterator of documents.

    Nothing is written yet, and of rows only what the repair has to count.

    Raises:
        BadData: the file is there already, or its folder is not.
        UnknownName: there is no such repair.
        UsageError: the repair does not fit the data set, or the file's ending is not one that is written.
        as the repair itself, and `evenhand.studies.advising`.
    """
    made = fitting(question, spec)
    ends = TABLES if isinstance(question, Question) else TEXTS
    if out.suffix not in ends:
        raise UsageError(
            f"{out} is no file that can be written here.", mend=f"Name one that ends in {' or '.join(ends)}."
        )
    if out.exists():
        raise BadData(f"{out} is there already, and data are never written over.", mend="Name a new file.")
    if not real_path(out).parent.is_dir():
        raise BadData(f"The folder of {out} does not exist.", mend=f"Make it: mkdir -p {out.parent}")
    return made.repaired(question)


def repaired(question: Question | TextQuestion, options: AuditOptions, spec: str, out: Path) -> Audited:
    """Write the repaired data set to `out` and audit it.

    Raises:
        as `check`, and NoSpace where the file cannot be written.
        UsageError: it is written, and cannot be audited as was asked, or not without telling of groups that
            may not be shown.
    """
    result = check(question, spec, out)
    if isinstance(question, TextQuestion):
        told = _write_texts(out, result, question.corpus.column)
        after = audited(str(out), dataclasses.replace(options, texts=True))
        return _with_note(_shown_before(question, options, after), told)
    _write_table(out, result)
    try:
        after = _after(out, question, options, result)
    except UsageError as error:
        raise UsageError(f"{out} is written, but cannot be audited: {error.what}", mend=error.mend) from None
    return _with_note(after, result.told)


def _after(out: Path, question: Question, options: AuditOptions, result: Repaired) -> Audited:
    """The audit of the written file: columns that the repair left out are no longer asked about."""
    there = set(result.table.columns)
    labels = result.renamed.get(question.target, {})
    read_otherwise = options.bins or options.missing or are_scores(options.positive)
    # What was binned is written as groups, and what was compared with a border as labels.
    again = dataclasses.replace(
        options,
        sensitive=[name for name in question.sensitive if name in there],
        target=question.target if question.target in there else "",
        positive=tuple(dict.fromkeys(labels.get(one, one) for one in question.positive)),
        baseline=_renamed(question, result),
        bins={},
        missing=(),  # written as empty cells
        against=question.against if read_otherwise else options.against,
        weights=result.weights or (options.weights if options.weights in there else ""),
    )
    asked = question_of(str(out), again, before=question)
    if isinstance(asked, Question):
        check_alike(question, asked)
    return answered(asked, again)


def _shown_before(question: TextQuestion, options: AuditOptions, after: Audited) -> Audited:
    """The audit of repaired texts, without findings that the one before does not have with the same groups.

    What was too rare to be shown is less so now, and how rare it was would follow: `augment` writes each text
    that mentions a gender twice.
    """
    if question.suppress < 2:
        return after
    known = {(one.name, one.columns): _hidden(one) for one in answered(question, options).findings}
    lost = [one for one in after.findings if known.get((one.name, one.columns)) != _hidden(one)]
    if not lost:
        return after
    names = dict.fromkeys(one.name for one in lost)
    note = f"Not shown after the repair, for it would tell what was too rare before: {', '.join(names)}."
    return dataclasses.replace(
        after,
        findings=tuple(one for one in after.findings if one not in lost),
        tried=tuple(one for one in after.tried if one not in names),
        notes=(*after.notes, note),
    )


def _hidden(one: Finding) -> frozenset[str]:
    """The groups that a finding names without a figure."""
    return frozenset(group.group for group in one.groups if group.n is None)


def _renamed(question: Question, result: Repaired) -> dict[str, dict[str, float]]:
    """The baseline with the names that groups, also those of the intersection, have in the repaired table."""
    made: dict[str, dict[str, float]] = {}
    crossed = "*".join(question.sensitive)
    for name, shares in question.baseline.items():
        columns = question.sensitive if name == crossed else (name,)
        own = made.setdefault(name, {})
        for group, share in shares.items():
            key = key_of(group, len(columns))
            values = zip(columns, key or (), strict=False)
            new = named(tuple(result.renamed.get(c, {}).get(v, v) for c, v in values)) if key else group
            own[new] = own.get(new, 0.0) + share
    return made


def _with_note(record: Audited, told: str) -> Audited:
    return dataclasses.replace(record, notes=(told, *record.notes))


def _write_table(out: Path, result: Repaired) -> None:
    """Write a table, whole or not at all; the engine streams it."""
    with disk_errors(out), readable(str(out)), whole(real_path(out)) as (name, _):
        write(result.table, name, as_csv=out.suffix == ".csv")


def _write_texts(out: Path, documents: Iterable[str], column: str) -> str:
    """Write documents, a line each; returns how many there are, in a sentence."""
    n = 0
    with disk_errors(out), whole(real_path(out)) as (_, file):
        for document in documents:
            line = (
                json.dumps({column: document}, ensure_ascii=False)
                if out.suffix == ".jsonl"
                else _one_line(document)
            )
            file.write(line.encode("utf-8", "replace") + b"\n")
            n += 1
    return f"{out} has {n} documents."


def _one_line(document: str) -> str:
    return " ".join(lines(document))
