"""StereoSet's items: three sentences a cluster, read from its table and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evenhand import sources
from evenhand.benchmarks._tables import Data, Problems, read_csv
from evenhand.records import Sample

Row = Mapping[str, str]
DATA = "stereoset/ptbr_llm.csv"
COLUMNS = (
    "dataset_type", "cluster_id", "bias_type", "target", "context", "sentence", "gold_label", "sentence_id"
)  # fmt: skip
TASKS = ("intrasentence", "intersentence")
GOLD = {"stereotype": "stereotype", "anti-stereotype": "anti", "unrelated": "unrelated"}
ROLES = tuple(GOLD.values())
BLANK = "BLANK"


def rows(file: str, data: Data) -> tuple[list[tuple[int, dict[str, str]]], Problems]:
    """The rows of the table with their line numbers, and the problems found in reading it."""
    if data == "lab":
        from evenhand.lab.pairs import stereoset_rows

        return list(enumerate(stereoset_rows(), start=1)), Problems(Path("the lab's items"))
    return read_csv(Path(file) if file else sources.path(DATA), COLUMNS)


def samples(rows: Sequence[tuple[int, Row]], problems: Problems) -> tuple[Sample, ...]:
    """The items, one for each cluster of three rows.

    Raises:
        BadData: a row or a cluster is malformed; all problems of the table at once.
    """
    clusters: dict[tuple[str, str], dict[str, Row]] = {}
    lines: dict[tuple[str, str], int] = {}
    seen: dict[str, int] = {}
    for line, row in rows:
        _check(line, row, problems)
        if row["sentence_id"] in seen:
            problems.add(line, f"is already on line {seen[row['sentence_id']]}", "sentence_id")
        seen[row["sentence_id"]] = line
        key = (row["dataset_type"], row["cluster_id"])
        role = GOLD.get(row["gold_label"], "")
        if role in clusters.setdefault(key, {}):
            problems.add(line, f"cluster {row['cluster_id']} has a second {row['gold_label']}", "gold_label")
        clusters[key][role] = row
        lines[key] = line
    for key, roles in clusters.items():
        _check_cluster(lines[key], key[1], roles, problems)
    problems.raise_any()
    terms = sorted({row["target"] for _, row in rows})
    return tuple(_sample(roles, terms.index(roles["anti"]["target"])) for roles in clusters.values())


def _check(line: int, row: Row, problems: Problems) -> None:
    problems.one_of(line, row, "dataset_type", TASKS)
    problems.one_of(line, row, "gold_label", GOLD)
    if row["dataset_type"] == "intrasentence" and _span(row) is None:
        problems.add(line, f"is not the context with {BLANK} filled", "sentence")


def _check_cluster(line: int, name: str, roles: Mapping[str, Row], problems: Problems) -> None:
    missing = [label for label, role in GOLD.items() if role not in roles]
    if missing and "" not in roles:
        problems.add(line, f"cluster {name} has no {' and no '.join(missing)}", "gold_label")
    for column in ("context", "target", "bias_type"):
        if len({row[column] for row in roles.values()}) > 1:
            problems.add(line, f"cluster {name} has more than one", column)


def _span(row: Row) -> tuple[int, int] | None:
    """Characters of the words that fill the first blank, whole words; None where the context does not fit.

    The published sentences change the letters' case, and a few blanks are followed by an ending ("BLANKed").
    """
    before, blank, after = row["context"].partition(BLANK)
    text, tail = row["sentence"], after.partition(BLANK)[0]
    if not blank or not text.lower().startswith(before.lower()):
        return None
    if BLANK in after:
        end = text.lower().find(tail.lower(), len(before) + 1)
    else:
        end = len(text) - len(tail) if text.lower().endswith(tail.lower()) else -1
    if end <= len(before):
        return None
    while end < len(text) and text[end].isalnum():
        end += 1
    return len(before), end


def _sample(roles: Mapping[str, Row], term: int) -> Sample:
    rows = [roles[role] for role in ROLES]
    first = rows[0]
    fields: dict[str, Any] = {
        "context": first["context"],
        "target": first["target"],
        "options": tuple(row["sentence"] for row in rows),
        "roles": ROLES,
        "term": float(term),
    }
    if first["dataset_type"] == "intrasentence":
        fields["spans"] = tuple(_span(row) for row in rows)
    return Sample(
        id=f"stereoset/{first['cluster_id']}",
        cluster=first["target"],
        fields=fields,
        slices={"task": first["dataset_type"], "domain": first["bias_type"]},
    )
