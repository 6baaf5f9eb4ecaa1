"""The command that asks the same of a data set, which findings advise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evenhand import quoting
from evenhand.audits._question import SAMPLE
from evenhand.corpora import Corpus, opened_corpus
from evenhand.frames import text_of
from evenhand.frames.opening import shown_address
from evenhand.studies.audit_options import AuditOptions


def is_texts(source: Any, options: AuditOptions) -> bool:
    """Whether a source is a corpus: said by the options, or told by the endings of its files."""
    if options.texts is not None:
        return options.texts
    if isinstance(source, Corpus):
        return True
    names = [source] if isinstance(source, str) or hasattr(source, "suffix") else source
    if not isinstance(names, list | tuple):
        return False
    ends = (".txt", ".jsonl", ".ndjson", ".txt.gz", ".jsonl.gz")
    return bool(names) and all(str(one).rstrip("*").endswith(ends) for one in names)  # also of "*.txt*"


def _named(path: object) -> str:
    """A source as a command names it: without a password, and never as an option."""
    shown = shown_address(str(path))
    return f"./{shown}" if shown.startswith("-") else shown


def _as_text(baseline: str | Mapping[str, Any]) -> str:
    """A baseline as ``--baseline`` takes it."""
    if isinstance(baseline, str):
        return baseline
    several = any(isinstance(value, Mapping) for value in baseline.values())

    def pairs(shares: Mapping[str, float]) -> str:
        return ",".join(
            f"{quoting.quoted(group, ',;:=')}={text_of(float(share))}" for group, share in shares.items()
        )

    if not several:
        return pairs(baseline)
    return ";".join(f"{quoting.quoted(name, ';:')}:{pairs(shares)}" for name, shares in baseline.items())


def command_of(source: Any, options: AuditOptions) -> tuple[str, ...]:
    """The command that asks the same of a file; a data frame stands as frame.parquet."""
    paths = [source] if isinstance(source, str) or hasattr(source, "suffix") else source
    named = isinstance(paths, list | tuple) and all(
        isinstance(one, str) or hasattr(one, "suffix") for one in paths
    )
    if named and is_texts(source, options) and not opened_corpus(source, options.text_column or "text").files:
        paths = ["texts.jsonl"]  # documents in memory, none of which belongs into a command
    paths = paths if named else ["frame.parquet"]
    words = ["evenhand", "audit", *map(_named, paths)]
    for name, value in (("--sensitive", quoting.listed(options.sensitive)), ("--target", options.target)):
        words += [name, value] if value else []
    words += ["--positive", quoting.listed(options.positive)] if options.positive else []
    if options.baseline:
        words += ["--baseline", _as_text(options.baseline)]
    for column, rule in options.bins.items():
        words += ["--bins", f"{quoting.quoted(column, '=')}={rule}"]
    for name, values in options.missing.items():
        of = f"{quoting.quoted(name, '=')}={'|'.join(quoting.quoted(v, '|') for v in values)}"
        words += ["--missing", of if name else ",".join(quoting.quoted(v, ",=") for v in values)]
    against = options.against
    words += ["--against", _named(against)] if isinstance(against, str | Path) else []
    words += ["--weights", options.weights] if options.weights else []
    words += ["--texts"] if options.texts and not options.text_column else []
    words += ["--skip-broken"] if options.skip_broken else []
    for option, number, usual in (
        ("--suppress", options.suppress, 0),
        ("--sample", options.sample, SAMPLE),
        ("--seed", options.seed, 0),
    ):
        words += [option, str(number)] if number != usual else []
    words += ["--text-column", options.text_column] if options.text_column else []
    words += ["--attribute", options.attribute] if options.attribute != "gender" else []
    words += ["--classifier", options.classifier] if options.classifier else []
    return tuple(words)
