"""A datasheet of an audited data set: what the data tell, and the questions that the owner answers.

After Gebru et al. 2021, "Datasheets for Datasets", section by section.
"""

from __future__ import annotations

from pathlib import Path

from evenhand.files import write_atomically
from evenhand.outputs import UNSEALED, check_unchanged, sealed
from evenhand.provenance import line
from evenhand.records import Audited, State

SIGN = b"<!-- evenhand datasheet -->"
_OPEN = {
    "Motivation": ("For what purpose was the data set made, and by whom?", "Who paid for it?"),
    "Collection": (
        "How were the data collected, when and where?",
        "Did the people know, and did they agree?",
        "Who was not reached?",
    ),
    "Uses": ("For what may it be used?", "For what must it not be used?"),
    "Distribution and upkeep": ("Under which licence?", "Who corrects errors, and how is that told?"),
}
_ANSWER = "*To be answered by the owner.*"


def text(record: Audited) -> str:
    """The datasheet as Markdown."""
    unit = "rows" if record.kind == "table" else "documents"
    parts = [
        SIGN.decode(),
        f"# Datasheet: {_plain(record.source)}",
        "",
        f"Written by {line(record.made_by)}.",
        "",
    ]
    for head in ("Motivation",):
        parts += _open(head)
    parts += ["## Composition", "", f"- {record.n} {unit}"]
    parts += [f"- column {_plain(name)}: {kind}" for name, kind in record.columns.items()]
    parts += [
        f"- sensitive: {_plain(', '.join(record.sensitive)) or 'none'}; target: "
        f"{_plain(record.target or 'none')}",
        "",
    ]
    parts += ["## What the audit found", ""]
    for state in (State.BEYOND, State.UNCLEAR, State.WITHIN, State.NOTE):
        parts += [
            f"- **{state.value}**: {_plain(one.finding)}" for one in record.findings if one.state is state
        ]
    parts += ["", *(f"- {_plain(note)}" for note in record.notes), ""]
    for head in ("Collection", "Uses", "Distribution and upkeep"):
        parts += _open(head)
    return "\n".join(parts)


def write(path: Path, record: Audited) -> None:
    """Write the datasheet, whole or not at all.

    Raises:
        BadData: the file exists and is no unchanged datasheet: answers that an owner wrote are kept.
        NoSpace: the disk is full or not writable.
    """
    check_unchanged(path, SIGN)
    write_atomically(
        path, sealed(f"{text(record)}\n<!-- {UNSEALED} -->\n".encode("utf-8", "backslashreplace"))
    )


def _open(head: str) -> list[str]:
    return [
        f"## {head}",
        "",
        *(part for question in _OPEN[head] for part in (f"**{question}**", "", _ANSWER, "")),
    ]


def _plain(words: str) -> str:
    """Text of the data without what Markdown or HTML would act on."""
    for sign in "\\`*_<>#|[]":
        words = words.replace(sign, f"\\{sign}" if sign not in "<>" else {"<": "&lt;", ">": "&gt;"}[sign])
    return " ".join(words.split())
