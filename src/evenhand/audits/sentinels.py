"""Sentinels: values that may stand for a missing one, such as -999, 9999, "unknown" and 1900-01-01."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, ends
from evenhand.decimals import DIGITS, fixed, significant
from evenhand.frames import text_of
from evenhand.frames.values import day, folded, number
from evenhand.quoting import quoted
from evenhand.records import Finding, GroupFigure

_WORDS = (
    "unknown|unk|not known|not stated|not specified|not given|not reported|unspecified|not available|"
    "not applicable|not recorded|refused|declined|declined to answer|decline to answer|prefer not to say|"
    "prefer not to answer|no answer|no response|no data|undisclosed|not disclosed|undefined|unavailable|"
    "blank|(blank)|empty|don't know|dont know|dk|n.a|n. a|n.d|nd|tbd|#value!|#ref!|#div/0!|#name?|0000-00-00"
)
WORDS = frozenset(_WORDS.split("|"))
"""What people and programs write for an unknown value, as `folded`; no audit takes it for a missing one."""
LEAST = 5  # rows of the sample with a number that may be a sign
VALUES = 5  # different values that a column must have beside such numbers
MOST = 5  # different signs at one end of a column's numbers
_NUMERIC = 0.8  # of the known values, from which on a column is one of numbers or of days


@dataclass(frozen=True)
class Sentinels:
    """A hint: values that may be signs of a missing one, in a seeded sample of the table as it stands.

    These are words for an unknown value, texts in a column of numbers, and numbers or days that come again
    and again and lie far outside of all others. They are counted as what they are, a number or a group, until
    ``--missing`` declares them.

    Attributes:
        columns: how many columns are shown, those with the most such rows first.
    """

    columns: int = 20
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: Question) -> list[Finding]:
        """One finding for each column with such values."""
        frame = question.as_read or question.frame
        sample = frame.sample(question.sample, question.seed)
        found = [self._of(question, name, sample[name]) for name in frame.columns]
        made = sorted((one for one in found if one is not None), key=lambda one: -(one.effect or 0))
        if len(made) > self.columns:
            question.notes.append(
                f"{len(made) - self.columns} more columns have values that may stand for a missing one; see "
                f"them with --audits sentinels:columns={len(made)}."
            )
        return made[: self.columns]

    def _of(self, question: Question, name: str, values: Sequence[Any]) -> Finding | None:
        from evenhand.stats.proportions import clopper_pearson

        counts = Counter(text for text in map(text_of, values) if text is not None)
        signs = {sign: why for sign, why in suspects(counts).items() if counts[sign] >= question.suppress}
        if not signs:
            return None
        n, rows = len(values), sum(counts[sign] for sign in signs)
        low, high = clopper_pearson(rows, n)
        told = ", ".join(f"{sign!r} in {counts[sign]} rows ({why})" for sign, why in signs.items())
        option = f"{quoted(name, '=')}={'|'.join(quoted(sign, '|') for sign in signs)}"
        as_what = "a group of its own" if name in question.sensitive else "what it is"
        return Finding(
            "sentinels",
            (name,),
            None,
            None,
            rows / n,
            low,
            high,
            n,
            f"{name} has {told}, {fixed(100 * rows / n, 1)} % of a sample of {n} rows ({ends(low, high)}). "
            f"Does it stand for a missing value? It is counted as {as_what}, unless --missing says so.",
            measure="share of rows with what may stand for a missing value",
            mend=f"If it stands for a missing value, declare it: --missing '{option}'.",
            command=question.typed("--missing", option),
            groups=tuple(GroupFigure(sign, counts[sign], counts[sign] / n) for sign in signs),
        )


def suspects(counts: Mapping[str, int]) -> dict[str, str]:
    """Which texts of a column may be signs of a missing value, and why; `counts` are its values' rows."""
    words = {text: "a word for an unknown value" for text in counts if folded(text) in WORDS}
    rest = {text: n for text, n in counts.items() if text not in words}
    for read, kind in ((number, "numbers"), (_day, "days")):
        known = {text: value for text in rest if (value := read(text)) is not None}
        if sum(rest[text] for text in known) < _NUMERIC * sum(rest.values()) or not known:
            continue
        odd = {text: f"in a column of {kind}" for text, n in rest.items() if text not in known and n >= LEAST}
        rows: Counter[float] = Counter()
        for text, value in known.items():
            rows[value] += rest[text]
        far = {*_far(rows, 1), *_far(rows, -1)}
        apart = {text: "apart from all others" for text, value in known.items() if value in far}
        return {**words, **odd, **apart}
    return words


def _day(text: str) -> float | None:
    """A day, or the day of a moment, as a number of days."""
    found = day(text)
    return None if found is None else float(found.toordinal())


def _far(rows: Mapping[float, int], sign: int) -> set[float]:
    """The numbers at the upper end (`sign` 1) or the lower one (-1) that lie far outside of the others.

    Each is in several rows. They lie as far from the rest as that is wide; a tenth of it is enough for nines
    (-99, 999), and any distance for them and -1 to -9 where nothing else is negative.
    """
    ordered = sorted(rows, key=lambda value: -sign * value)
    for many in range(min(MOST, len(ordered) - VALUES), 0, -1):
        outer, rest = ordered[:many], ordered[many:]
        if any(rows[value] < LEAST or value == 0 for value in outer):
            continue
        width, gap = abs(rest[0] - rest[-1]), abs(outer[-1] - rest[0])
        nines = all(_nines(value) for value in outer)
        below = sign < 0 <= min(rest) and all(_nines(value) or -9 <= value < 0 for value in outer)
        whole = all(float(value).is_integer() for value in outer)
        if gap >= width or (nines and gap >= width / 10) or (below and whole):
            return set(outer)
    return set()


def _nines(value: float) -> bool:
    digits = significant(abs(value), DIGITS).replace(".", "")
    return len(digits) > 1 and set(digits) == {"9"}


component = Sentinels
