"""The options of an audit, as a record, and the check of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evenhand import quoting
from evenhand.audits._question import SAMPLE
from evenhand.errors import BadOption
from evenhand.frames import text_of
from evenhand.registry import LARGEST_SEED
from evenhand.studies.options import check_whole


@dataclass(frozen=True)
class AuditOptions:
    """What is asked about a data set, and how it is to be read.

    Attributes:
        sensitive: columns of sensitive attributes; empty for texts.
        target: the column of labels or decisions.
        positive: the target's favourable values; ``>0.5`` or ``median`` for scores. Without any, the one that
            usually means yes.
        baseline: the shares that groups should have: ``A=0.5,B=0.5``, by column
            ``{"sex": {"A": 0.5, "B": 0.5}}``, or a file with the columns group and share (or count).
        bins: by column borders that make groups of numbers, or ``year`` and ``decade`` of dates.
        missing: values that stand for a missing one: ``age=-999|-99``, or ``unknown`` for every column.
        against: another data set with the same columns, such as the test half.
        weights: the column of the rows' weights.
        audits: names of audits with options; empty for all that apply.
        profile: a named set of them, ``ll144``.
        texts: whether the source is a corpus; by default so where its files end in .txt or .jsonl.
        text_column: the column or field that holds the text.
        attribute: of texts, the lexicon of groups.
        classifier: of texts, what scores their toxicity: ``lexicon`` for a word list, ``hf:org/name``,
            ``hf:./folder``; empty for none.
        suppress: groups of fewer rows are named and in no figure.
        sample: the largest number of rows taken for audits that need rows.
        skip_broken: whether files that cannot be read are left out.
        seed: decides samples and draws.
    """

    sensitive: Sequence[str] = ()
    target: str = ""
    positive: Sequence[str] = ()
    baseline: str | Mapping[str, Any] = ""
    bins: Mapping[str, Any] = field(default_factory=dict)
    missing: Sequence[str] | Mapping[str, Any] = ()
    against: Any = None
    weights: str = ""
    audits: Sequence[str] = ()
    profile: str = ""
    texts: bool | None = None
    text_column: str = ""
    attribute: str = "gender"
    classifier: str = ""
    suppress: int = 0
    sample: int = SAMPLE
    skip_broken: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        check_whole("suppress", self.suppress, 0)
        check_whole("sample", self.sample, 1)
        for name in ("target", "weights", "profile", "text_column", "attribute", "classifier"):
            _check(name, getattr(self, name), str, "a text")
        _check("baseline", self.baseline, str | Mapping, "shares: 'A=0.5,B=0.5', or {'A': 0.5, 'B': 0.5}")
        _check("bins", self.bins, Mapping, "borders by column: {'age': [30, 50]}")
        _check("missing", self.missing, str | Mapping | Sequence, "such as 'age=-999'")
        object.__setattr__(self, "sensitive", _names("sensitive", self.sensitive))
        object.__setattr__(self, "positive", _names("positive", self.positive, values=True))


def _check(name: str, value: object, kind: Any, what: str) -> None:
    if not isinstance(value, kind):
        raise BadOption(f"{name}={value!r} is not valid.", mend=f"Write {what}.")


def _names(name: str, given: object, *, values: bool = False) -> list[str]:
    """The names in a text or a list; values may be of any type, and are named as groups are."""
    if isinstance(given, str):
        return quoting.names(given)
    if isinstance(given, Sequence | set | frozenset) and not isinstance(given, bytes):
        found = [text_of(one) if values and not isinstance(one, str) else one for one in given]
        if all(isinstance(one, str) for one in found):
            return [str(one) for one in found]
    raise BadOption(f"{name}={given!r} is not valid.", mend="Write a name, or a list of names.")
