"""Prompts to be continued, with the group that each is about: from data sets, or from a file of the
user's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evenhand import sources
from evenhand.benchmarks._tables import read_own, read_tsv
from evenhand.errors import BadOption
from evenhand.files import lines
from evenhand.records import Sample

Origin = Literal[
    "bold-gender",
    "bold-race",
    "bold-religion",
    "bold-politics",
    "bold-profession",
    "honest",
    "honest-queer",
    "toxic",
    "nontoxic",
]
BOLD: Mapping[str, str] = {
    "gender": "gender",
    "race": "race",
    "religion": "religious_ideology",
    "politics": "political_ideology",
    "profession": "profession",
}
HONEST = {"honest": "binary", "honest-queer": "queer_nonqueer"}
SOURCES: Mapping[str, tuple[str, str]] = {
    "bold": ("Dhamala et al. 2021, arXiv:2101.11718; github.com/amazon-science/bold", "CC BY-SA 4.0"),
    "honest": ("Nozza et al. 2021; github.com/MilaNLProc/honest", "MIT"),
    "toxic": (
        "Gehman et al. 2020, arXiv:2009.11462 (RealToxicityPrompts), the 1196 and 1200 prompts that "
        "DecodingTrust drew (Wang et al. 2023)",
        "Apache-2.0; the selection CC BY-SA 4.0",
    ),
    "file": ("the user's own file", "the user's own"),
}
_MASK = " [M]"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to be continued.

    `id` is unique in its set; `cluster` names what is resampled together; `group` is whom it is about, None
    where it is about nobody in particular.
    """

    id: str
    text: str
    cluster: str
    group: str | None
    slices: Mapping[str, str]


def source_of(origin: str) -> tuple[str, str]:
    """Whom the prompts of `origin` (``bold-gender``, ``honest``, ``file``, ...) are from, and their
    licence.
    """
    return SOURCES[origin.partition("-")[0].removeprefix("non")]


def load(origin: Origin, file: str = "") -> list[Prompt]:
    """The prompts of a data set in its own order, or those of the user's `file`.

    Raises:
        BadData: the data set is not on this machine or not the official one; the file is malformed.
        BadOption: both a file and a data set that is not the default are asked for.
    """
    if file and origin != "bold-gender":
        raise BadOption(f"Both file={file} and prompts={origin} are given.", mend="Give one of them.")
    if file:
        return from_file(Path(file))
    if origin in HONEST:
        return honest(HONEST[origin])
    if origin in ("toxic", "nontoxic"):
        return toxicity_prompts(origin)
    return bold(origin.removeprefix("bold-"))


def bold(domain: str) -> list[Prompt]:
    """BOLD's prompts of a domain; the cluster is the page that they open, its group the list it stands on.

    Five prompts of religion and politics are blank in the data and left out.
    """
    text = sources.path(f"bold/{BOLD[domain]}_prompt.json").read_text("utf-8")
    return [
        Prompt(f"bold/{domain}/{group}/{page}/{number}", prompt.rstrip(), f"{group}/{page}", group, slices)
        for group, pages in json.loads(text).items()
        for slices in ({"group": group},)
        for page, found in pages.items()
        for number, prompt in enumerate(found)
        if prompt.strip()
    ]


def honest_file(which: str) -> str:
    """The name of the data file of HONEST's templates, ``binary`` or ``queer_nonqueer``."""
    return f"honest/{which}/en_template.tsv"


def honest(which: str) -> list[Prompt]:
    """HONEST's templates up to the mask; clusters are the identities.

    Groups are the categories of the binary templates, and queer or nonqueer in the others, whose finer
    categories are a slice.
    """
    rows = read_tsv(sources.path(honest_file(which)))
    return [
        Prompt(
            id=f"{which}/{number}",
            text=row["template_masked"].partition(_MASK)[0],
            cluster=row["identity"],
            group=row["category"].partition("_")[0],
            slices={"group": row["category"], "type": row["type"]},
        )
        for number, row in enumerate(rows)
    ]


def toxicity_prompts(which: str) -> list[Prompt]:
    """Prompts of RealToxicityPrompts, ``toxic`` or ``nontoxic``; they are about no group."""
    rows = lines(sources.path(f"real_toxicity_prompts/{which}.jsonl").read_text("utf-8"))
    texts = [json.loads(row)["prompt"]["text"].rstrip() for row in rows]
    return [Prompt(f"{which}/{n}", text, f"{which}/{n}", None, {}) for n, text in enumerate(texts)]


def from_file(path: Path) -> list[Prompt]:
    """The user's prompts, UTF-8: JSON lines with `prompt`, and where wanted `group`, `cluster` and `id`.

    A file whose name does not end in ``.jsonl`` has a prompt a line instead.

    Raises:
        BadData: the file cannot be read or is empty; or some lines are wrong, and all of them are listed.
    """
    return read_own(path, "prompt", dict.fromkeys(("prompt", "group", "cluster", "id"), str), _record)


def _record(number: int, record: Mapping[str, Any]) -> Prompt:
    if not str(record.get("prompt", "")).strip():
        raise ValueError("has no 'prompt'")
    group = record.get("group")
    key = f"file/{record.get('id', number)}"
    slices = {} if group is None else {"group": group}
    return Prompt(key, record["prompt"].rstrip(), record.get("cluster", key), group, slices)


def samples(name: str, found: Iterable[Prompt]) -> tuple[Sample, ...]:
    """The prompts as samples of the benchmark `name`: fields `prompt` and `group`, the group's index or
    None.
    """
    kept = list(found)
    groups = group_names(kept)
    return tuple(
        Sample(
            id=f"{name}/{p.id}",
            cluster=p.cluster,
            fields={"prompt": p.text, "group": None if p.group is None else float(groups.index(p.group))},
            slices=p.slices,
        )
        for p in kept
    )


def group_names(found: Iterable[Prompt]) -> tuple[str, ...]:
    """The groups of the prompts, in the order in which they come."""
    return tuple(dict.fromkeys(p.group for p in found if p.group is not None))
