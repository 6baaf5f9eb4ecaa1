"""The options of an audit, as a record, and the check of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evenhand.audits._question import SAMPLE
from evenhand.registry import LARGEST_SEED
from evenhand.studies import audit_values as values
from evenhand.studies.options import check_whole

LEAST_SAMPLED = 100  # rows: of fewer, no group has enough for the audits that need them
MOST_SAMPLED = 1_000_000_000  # more than any memory holds


@dataclass(frozen=True)
class AuditOptions:
    """What is asked about a data set, and how it is to be read.

    Values may be given in any form whose meaning is plain: one or several, a list, a set, an array. They are
    kept in one form (`evenhand.studies.audit_values`).

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
        sample: the largest number of rows taken for audits that need rows, at least 100.
        skip_broken: whether files of a table that cannot be read are left out.
        seed: decides samples and draws.

    Raises:
        BadOption: a value that cannot be used; the message names the option.
    """

    sensitive: Sequence[str] = ()
    target: str = ""
    positive: Sequence[str] = ()
    baseline: str | Mapping[str, Any] = ""
    bins: Mapping[str, Any] = field(default_factory=dict)
    missing: Any = ()
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
        check_whole("sample", self.sample, LEAST_SAMPLED, MOST_SAMPLED)
        made: dict[str, Any] = {name: int(getattr(self, name)) for name in ("seed", "suppress", "sample")}
        for name in ("target", "weights", "profile", "text_column", "attribute", "classifier"):
            made[name] = values.text(name, getattr(self, name))
        made["texts"] = None if self.texts is None else values.truth("texts", self.texts)
        made["skip_broken"] = values.truth("skip_broken", self.skip_broken)
        made["sensitive"] = values.names("sensitive", self.sensitive)
        made["positive"] = values.labels("positive", self.positive)
        made["baseline"] = values.baseline(self.baseline)
        made["bins"] = values.rules(self.bins)
        made["missing"] = values.signs(self.missing)
        made["audits"] = values.specs(self.audits)
        for name, value in made.items():
            object.__setattr__(self, name, value)
