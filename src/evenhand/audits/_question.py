"""What an audit is asked: a data set, the columns that matter in it, and how they are to be read."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from evenhand.audits._respelt import respelt
from evenhand.corpora import Corpus, Counted
from evenhand.errors import BadOption, did_you_mean
from evenhand.frames import OTHER, Cells, Frame
from evenhand.frames.cells import Array, Key
from evenhand.quoting import quoted
from evenhand.records import GroupFigure

BaselineOf = Mapping[str, Mapping[str, float]]
MOST_GROUPS = 50  # groups that stand alone; the smallest beyond are counted together
SAMPLE = 20_000
Classifier = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Question:
    """A table and what is asked about it.

    Attributes:
        frame: the table.
        sensitive: the columns of sensitive attributes; audits also look at their intersection.
        target: the column of labels or decisions; empty for none.
        positive: the target's values that count as favourable; `others` are the rest.
        baseline: by column (several joined by ``*``), the share that each group should have; a column that
            is not there is compared with equal shares.
        against: another table with the same columns, such as the test half.
        suppress: the rows of groups with fewer are in no figure (`evenhand.studies.suppressing`).
        hidden: by attribute the names of such groups, whose rows are not in `frame` and `against`.
        left_out: the same groups by their values, with None for a missing one.
        crossed: whether the intersection of the attributes may be shown.
        as_read: the table before bins and borders; None where that is `frame`, or rows may not be shown.
        whole: the frame with the rows of such groups, as `written`; None where there are none.
        sample: the largest number of rows that audits take which need rows.
        seed: decides samples and draws.
        command: the command that asked, up to what an audit adds.
        notes: what a reader has to know; audits may add to it.
    """

    frame: Frame
    sensitive: tuple[str, ...]
    target: str = ""
    positive: tuple[str, ...] = ()
    baseline: BaselineOf = field(default_factory=dict)
    against: Frame | None = None
    suppress: int = 0
    hidden: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[tuple[str, ...], frozenset[Key]] = field(default_factory=dict)
    crossed: bool = True
    as_read: Frame | None = None
    whole: Frame | None = None
    sample: int = SAMPLE
    seed: int = 0
    command: tuple[str, ...] = ("evenhand", "audit")
    notes: list[str] = field(default_factory=list)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that the table is counted by: the attributes, then the target."""
        return (*self.sensitive, self.target) if self.target else self.sensitive

    @property
    def attributes(self) -> tuple[tuple[str, ...], ...]:
        """Every attribute by itself, and their intersection where there are several and it may be shown."""
        alone = tuple((one,) for one in self.sensitive)
        return (*alone, self.sensitive) if len(alone) > 1 and self.crossed else alone

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that are neither sensitive nor the target."""
        return tuple(name for name in self.frame.columns if name not in self.keys)

    def cells(self, attribute: tuple[str, ...], frame: Frame | None = None) -> Cells:
        """The rows by group of `attribute`, the smallest beyond 50 groups together; unknown ones left out."""
        return self._pooled(self._counts(frame).by(attribute), attribute)

    def labelled(self, attribute: tuple[str, ...], frame: Frame | None = None) -> tuple[Cells, Cells]:
        """The rows by group that have a label, and those of them with a positive one, in the same order."""
        cells = self._counts(frame).where(lambda key: key[-1] is not None)
        whole = self._pooled(cells.by(attribute), attribute)
        won = cells.where(lambda key: key[-1] in self.positive).by(attribute)
        places = {key: i for i, key in enumerate(whole.keys)}
        rule = self._rule(cells.by(attribute))
        n, weight, square = np.zeros((3, len(places)))
        for i, key in enumerate(won.keys):
            place = places[rule(key)]
            n[place] += won.n[i]
            weight[place] += won.weight[i]
            square[place] += won.square[i]
        return whole, Cells(whole.columns, whole.keys, n, weight, square)

    @cached_property
    def respelt(self) -> Mapping[str, Mapping[str, str]]:
        """By column of `keys`: the values of `against` that are spelt otherwise in `frame`, and how."""
        found: dict[str, Mapping[str, str]] = {name: {} for name in self.keys}
        if self.against is None:
            return found
        for name in self.keys:
            here, there = (one.cells(self.keys).by((name,)) for one in (self.frame, self.against))
            order = np.argsort(-here.n, kind="stable").tolist()
            found[name] = respelt([here.names[i] for i in order], there.names)
        return found

    def _counts(self, frame: Frame | None) -> Cells:
        """The counts of a frame; those of the other table by the names that this one has."""
        cells = (frame or self.frame).cells(self.keys)
        if frame is None or frame is not self.against or not any(self.respelt.values()):
            return cells
        rules = [self.respelt[name] for name in cells.columns]
        return cells.mapped(
            lambda key: tuple(
                None if one is None else rule.get(one, one) for one, rule in zip(key, rules, strict=True)
            )
        )

    def _pooled(self, cells: Cells, attribute: tuple[str, ...]) -> Cells:
        if len(cells.keys) <= MOST_GROUPS:
            return cells
        note = (
            f"{'*'.join(attribute)} has {len(cells.keys)} groups; the {len(cells.keys) - MOST_GROUPS + 1} "
            f"smallest are counted together as {OTHER!r}. Bins make groups of numbers and dates: "
            f"--bins {attribute[0]}=30|50 or --bins {attribute[0]}=year."
        )
        if note not in self.notes:
            self.notes.append(note)
        return cells.mapped(self._rule(cells))

    def _rule(self, cells: Cells) -> Callable[[Key], Key]:
        """Which group a cell's key belongs to."""
        if len(cells.keys) <= MOST_GROUPS:
            return lambda key: key
        order = np.argsort(-cells.n, kind="stable")[: MOST_GROUPS - 1]
        largest = {cells.keys[i] for i in order}
        rest = (OTHER,) * len(cells.columns)
        return lambda key: key if key in largest else rest

    def shares(self, attribute: tuple[str, ...], groups: Sequence[str]) -> tuple[tuple[str, ...], Array]:
        """The groups of the baseline, those of the data first, and their shares; equal ones without one.

        Of groups that are counted together, the equal share is that of as many groups.

        Raises:
            BadOption: the baseline has no share for a group of the data, or the shares do not sum to 1.
        """
        name = "*".join(attribute)
        given = self.baseline.get(name)
        if given is None:
            alone = len(self.frame.cells(self.keys).by(attribute).keys)
            rest = " / ".join((OTHER,) * len(attribute))
            parts = np.array([1.0 + (alone - len(groups)) * (group == rest) for group in groups])
            return tuple(groups), parts / max(parts.sum(), 1.0)
        members = self._members(attribute, groups)
        lacking = [one for group in groups for one in members[group] if one not in given]
        if lacking:
            raise BadOption(
                f"The baseline of {name} has no share for {', '.join(map(repr, lacking[:5]))}"
                f"{did_you_mean(lacking[0], given)}.",
                mend=f"Write one for each of: {', '.join(groups[:20])}.",
            )
        total = sum(given.values())
        if abs(total - 1) > 0.011:
            raise BadOption(
                f"The shares of the baseline of {name} sum to {total:g}, not to 1.",
                mend="Write shares that sum to 1, such as A=0.5,B=0.5.",
            )
        placed = {*self.hidden.get(attribute, ()), *(one for own in members.values() for one in own)}
        absent = [one for one in given if one not in placed]
        shares = np.array(
            [*(sum(given[one] for one in members[g]) for g in groups), *(given[g] for g in absent)]
        )
        return (*groups, *absent), shares / shares.sum()

    def _members(self, attribute: tuple[str, ...], groups: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The names of the groups that are counted together as each of `groups`, most often itself alone."""
        parts: dict[str, Sequence[str]] = {one: (one,) for one in groups}
        rest = " / ".join((OTHER,) * len(attribute))
        every = self.frame.cells(self.keys).by(attribute).names
        if rest in parts and rest not in every:  # otherwise the engine counted them together
            parts[rest] = [one for one in every if one not in parts]
        return parts

    def countless(self, attribute: tuple[str, ...]) -> bool:
        """Whether an attribute has so many values that they were counted together before their number was."""
        return any(OTHER in key for key in self.frame.cells(self.keys).by(attribute).keys)

    def reweighing(self) -> str:
        """The command that writes the table with a column of weights, which has a name of its own."""
        (name,) = self.frame.unused("weight")
        spec = "reweigh" if name == "weight" else f"reweigh:column={name}"
        return self.typed("--repair", spec, "--out", "weighed.parquet")

    def dropping(self, column: str) -> str:
        """The command that writes the table without a column."""
        return self.typed("--repair", f"drop:columns={quoted(column, '|,=')}", "--out", "without.parquet")

    def unseen(self, attribute: tuple[str, ...]) -> tuple[GroupFigure, ...]:
        """The groups that are too small to be shown, without figures."""
        return tuple(GroupFigure(name, None) for name in self.hidden.get(attribute, ()))

    @property
    def written(self) -> Frame:
        """The frame of all rows, for what writes rows and shows no figure."""
        return self.frame if self.whole is None else self.whole

    @property
    def withheld(self) -> tuple[str, ...]:
        """What may not be shown, by name: groups, and the intersection of the attributes."""
        names = tuple(name for own in self.hidden.values() for name in own)
        return names if self.crossed else (*names, "*".join(self.sensitive))

    def typed(self, *more: str) -> str:
        """The command that asked, with `more` arguments, quoted for a shell."""
        return shlex.join([*self.command, *more])


@dataclass(frozen=True)
class TextQuestion:
    """A corpus and what is asked about it.

    Attributes:
        corpus: the documents, streamed once for all audits.
        attribute: the name of the lexicon whose groups are looked for.
        classifier: gives each of several texts a score from 0 to 1, such as its toxicity; None for none.
        suppress: documents that mention one group alone, several, or none are in no figure where they are
            fewer.
        seed, command, notes: as of a `Question`.
    """

    corpus: Corpus
    attribute: str = "gender"
    classifier: Classifier | None = None
    suppress: int = 0
    seed: int = 0
    command: tuple[str, ...] = ("evenhand", "audit")
    notes: list[str] = field(default_factory=list)

    def counted(self) -> Counted:
        """What is counted of the corpus, without the kinds of documents that are few: see `suppress`."""
        return self._all().shown(self.suppress)

    @property
    def withheld(self) -> tuple[str, ...]:
        """The kinds of documents that are left out because they are few."""
        every = self._all()
        names = (*every.groups, "several", "none")
        return tuple(name for name, few in zip(names, every.few(self.suppress), strict=True) if few)

    def unseen(self) -> tuple[GroupFigure, ...]:
        """The groups that are too small to be shown, without figures."""
        shown = self.counted().groups
        return tuple(GroupFigure(name, None) for name in self._all().groups if name not in shown)

    def _all(self) -> Counted:
        return self.corpus.counted(self.attribute, seed=self.seed)

    def typed(self, *more: str) -> str:
        """The command that asked, with `more` arguments, quoted for a shell."""
        return shlex.join([*self.command, *more])


Asked = Any  # Question | TextQuestion, whichever the audit reads
