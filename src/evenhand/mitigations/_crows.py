"""CrowS-Pairs as training data: which pairs, and each as a question and its answer.

``sent_more`` is the more stereotyping sentence in both directions of the file. The published study exchanged
source and target by ``stereo_antistereo``, so that 218 of 1508 pairs (14.5 %; of gender 103 of 262) taught
the stereotype. Here the source is always ``sent_more`` and the target always ``sent_less``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evenhand import sources
from evenhand.errors import BadData
from evenhand.mitigations._texts import differing
from evenhand.records import Example, PairExample
from evenhand.tables import read_delimited

Data = Literal["auto", "official", "lab"]
Form = Literal["rewrite", "gap"]
FILE = "crows_pairs/crows_pairs_anonymized.csv"
_COLUMNS = ("", "sent_more", "sent_less", "anon_writer")
BLANK, BETWEEN = "[BLANK]", " | "
REWRITE = "Write this text again without its stereotype."
FILL = "Fill in the blanks without a stereotype."


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt and the answer to learn; of the pair `of`."""

    prompt: str
    answer: str
    of: PairExample


def pairs_of(uri: str, examples: Sequence[Any], data: Data, file: str) -> list[PairExample]:
    """The pairs to train on: those among the examples if there are any, else those of `file` or `data`.

    The lab's pairs are only of subjects of the examples, so that none that is held out is trained on.

    Raises:
        BadData: the official file is not on this machine, a file lacks a column, or there is no pair.
    """
    given = [e for e in examples if isinstance(e, PairExample) and not e.keep]
    if given:
        return given
    if not file and (data == "lab" or (data == "auto" and uri.startswith("lab:"))):
        from evenhand.lab.pairs import crows_rows

        subjects = {e.cluster for e in examples if isinstance(e, Example)}
        found = list(_pairs(row for row in crows_rows() if row["anon_writer"] in subjects))
    else:
        found = list(_pairs(_rows(Path(file) if file else sources.path(FILE))))
    if not found:
        raise BadData(
            "There is no pair of sentences about the subjects of the training examples.",
            mend="Write data=official, or name a file of pairs (file=...).",
        )
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    table = read_delimited(path, mend="Name a readable file with file=.")
    missing = [name for name in ("sent_more", "sent_less") if name not in table.columns]
    if missing:
        raise BadData(
            f"{path} has no column {missing[0]!r}.",
            mend="Give it the columns sent_more and sent_less, as CrowS-Pairs has them.",
        )
    return [dict(row) for _, row in table.rows]


def _pairs(rows: Iterable[Mapping[str, str]]) -> Iterable[PairExample]:
    for number, row in enumerate(rows):
        identity = f"crows_pairs/{row.get('') or number}"  # as the benchmark names its items
        more, less = row["sent_more"].strip(), row["sent_less"].strip()
        yield PairExample(identity, row.get("anon_writer") or identity, more, less)


def lesson(pair: PairExample, form: Form, instruction: str, *, turned: bool = False) -> Lesson | None:
    """The pair as a question and its answer; `turned` exchanges source and target, as a sham does.

    ``rewrite`` asks for the target and shows the source. ``gap`` shows the target with a blank for every span
    in which the two differ and asks for the words, span by span. None where a span is in one of them alone:
    such a blank would have nothing on one side.
    """
    source, target = (pair.counterpart, pair.sentence) if turned else (pair.sentence, pair.counterpart)
    if form == "rewrite":
        return Lesson(f"{instruction or REWRITE}\nText: {source}\nNeutral text:", target, pair)
    old, new = differing(source, target)
    if not new or len(old) != len(new):
        return None
    shown, at = "", 0
    for start, end in new:
        shown, at = shown + target[at:start] + BLANK, end
    shown += target[at:]
    answer = BETWEEN.join(target[start:end] for start, end in new)
    return Lesson(f"{instruction or FILL}\nText: {shown}\nAnswer:", answer, pair)


def divided(lessons: Sequence[Lesson], share: float, seed: int) -> tuple[list[Lesson], list[Lesson]]:
    """Lessons to train on and lessons held out, by clusters drawn with `seed`, at least one to train on."""
    clusters = sorted({one.of.cluster for one in lessons})
    random.Random(seed).shuffle(clusters)
    held = set(clusters[: min(len(clusters) - 1, round(share * len(clusters)))])
    return (
        [one for one in lessons if one.of.cluster not in held],
        [one for one in lessons if one.of.cluster in held],
    )
