"""Rules on scores, fitted per group: thresholds and calibration. They need only numpy and given scores.

A score is the probability of the favourable decision, in [0, 1]; a rule also needs each person's group,
because it treats equal scores of different groups differently. `expected` gives the probability of a
favourable decision under the rule (for a calibration: the calibrated probability), `decide` gives decisions.
Thresholds may be mixtures, whose decisions are partly random: the random draw depends only on the rule's seed
and the person's name, so the same person always gets the same decision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData, UnknownName
from evenhand.files import parse_json, write_atomically
from evenhand.outputs import check_ours
from evenhand.records import digest, from_json, to_json

Array = NDArray[np.float64]
FORMAT = "evenhand-rule/1"
SURE = 1e-6  # scores are kept this far from 0 and 1 before their log-odds are taken
NEVER, ALWAYS = 2.0, -1.0  # thresholds that no score in [0, 1] passes, and that every score passes
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Cut:
    """With probability `share`, favour scores above `at` (or, where not `above`, those below it).

    `at` may be `ALWAYS` or `NEVER`, outside [0, 1]: JSON has no infinities.
    """

    share: float
    at: float
    above: bool = True


@dataclass(frozen=True, slots=True)
class Mixture:
    """One group's rule: a mixture of cuts whose shares sum to 1.

    With probability `ignore` the score is not used and `constant` is the probability of favour: equalised
    odds needs that where one group's scores are more informative than another's.
    """

    cuts: tuple[Cut, ...]
    ignore: float = 0.0
    constant: float = 0.0

    def __call__(self, scores: Array) -> Array:
        """The probability of favour at each score, [n] to [n]."""
        drawn = np.zeros(len(scores))
        for cut in self.cuts:
            drawn += cut.share * ((scores > cut.at) if cut.above else (scores < cut.at))
        return self.ignore * self.constant + (1 - self.ignore) * drawn


@dataclass(frozen=True, slots=True)
class Curve:
    """One group's calibration: ``sigmoid(slope * logit(p) + intercept)``, or with knots interpolation.

    A temperature T is the slope 1/T without intercept. `xs` ascend; scores outside take the nearest knot.
    """

    slope: float = 1.0
    intercept: float = 0.0
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()

    def __call__(self, scores: Array) -> Array:
        """The calibrated probability of each score, [n] to [n]."""
        if self.xs:
            return np.interp(scores, self.xs, self.ys)
        return sigmoid(self.slope * logit(scores) + self.intercept)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Group thresholds under `constraint`, the best for `objective`; `seed` is that of random decisions."""

    groups: tuple[str, ...]
    mixtures: tuple[Mixture, ...]
    constraint: str
    objective: str
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a rule that does not cover every group.

        Raises:
            BadData: a group without a mixture, or shares that do not sum to 1.
        """
        _one_each(self.groups, len(self.mixtures), "mixtures")
        for name, mixture in zip(self.groups, self.mixtures, strict=True):
            total = sum(cut.share for cut in mixture.cuts)
            if abs(total - 1) > SURE:
                raise BadData(f"The shares of {name} sum to {total:g}.", mend="Write shares that sum to 1.")

    def expected(self, scores: ArrayLike, groups: Sequence[str]) -> Array:
        """The probability of a favourable decision for each row, [n].

        Raises:
            BadData: scores outside [0, 1], or groups that the rule does not know, listed by row.
        """
        return _by_group(self.groups, self.mixtures, scores, groups)

    def decide(
        self, scores: ArrayLike, groups: Sequence[str], people: Sequence[str] | None = None
    ) -> NDArray[np.int64]:
        """1 or 0 for each row. `people` names them (an id or a prompt); without names, rows are numbered.

        Raises:
            BadData: as for `expected`, or the numbers of rows differ.
        """
        chance = self.expected(scores, groups)
        names = [str(row) for row in range(len(chance))] if people is None else people
        _same_length({"scores": len(chance), "people": len(names)})
        return (np.array([uniform_draw(self.seed, name) for name in names]) < chance).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve for each group; `methods` says how each was fitted (platt, temperature or isotonic)."""

    groups: tuple[str, ...]
    curves: tuple[Curve, ...]
    methods: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a rule that does not cover every group.

        Raises:
            BadData: a group without a curve, or knots that are not pairs in ascending order.
        """
        _one_each(self.groups, len(self.curves), "curves")
        for name, curve in zip(self.groups, self.curves, strict=True):
            if len(curve.xs) != len(curve.ys) or (np.diff(curve.xs) <= 0).any():
                raise BadData(f"The knots of {name} do not ascend.", mend="Write each x once, with one y.")

    def expected(self, scores: ArrayLike, groups: Sequence[str]) -> Array:
        """The calibrated probability of the favourable outcome for each row, [n].

        Raises:
            BadData: scores outside [0, 1], or groups that the rule does not know, listed by row.
        """
        return _by_group(self.groups, self.curves, scores, groups)

    def decide(
        self, scores: ArrayLike, groups: Sequence[str], people: Sequence[str] | None = None
    ) -> NDArray[np.int64]:
        """1 where the calibrated probability exceeds one half, else 0; `people` changes nothing here.

        Raises:
            BadData: as for `expected`.
        """
        return (self.expected(scores, groups) > 0.5).astype(np.int64)


Rule = Thresholds | Calibration
KINDS: Mapping[str, type[Rule]] = {"thresholds": Thresholds, "calibration": Calibration}


def kind_of(rule: Rule) -> str:
    """The name of the rule's kind in files: ``thresholds`` or ``calibration``."""
    return next(name for name, kind in KINDS.items() if isinstance(rule, kind))


def save_rule(rule: Rule, path: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write the rule as JSON, whole or not at all; `extra` holds further JSON values for the file.

    Raises:
        NoSpace: the disk is full or not writable; an older file is untouched.
        BadData: there is a file of that name that holds no rule, or one that was changed since.
    """
    body = {"kind": kind_of(rule), "rule": to_json(rule), "extra": to_json(dict(extra or {}))}
    check_ours(path, FORMAT.encode())
    if path.is_file() and path.stat().st_size:
        try:
            read_rule(path)
        except BadData as error:
            raise BadData(f"{path} is not replaced: {error.what}", mend="Name another file.") from None
    text = json.dumps({"format": FORMAT, "digest": digest(body), **body}, indent=2, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())


def load_rule(path: Path) -> Rule:
    """The rule that `save_rule`, or ``evenhand mitigate --with thresholds``, wrote.

    Raises:
        BadData: no such file, or a damaged one.
    """
    return read_rule(path)[0]


def read_rule(path: Path) -> tuple[Rule, Mapping[str, Any]]:
    """The rule, and the further values of its file.

    Raises:
        BadData: no such file, or a damaged one.
    """
    mend = "Write it again with `evenhand mitigate`, or take it from a backup."
    try:
        found = parse_json(path.read_bytes())
        body = {key: found[key] for key in ("kind", "rule", "extra")}
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, not {FORMAT!r}")
        if found["digest"] != digest(body):
            raise ValueError("its contents do not have the digest that it states")
        if body["kind"] not in KINDS:
            raise UnknownName("kind of rule", str(body["kind"]), KINDS)
        return from_json(KINDS[body["kind"]], body["rule"]), body["extra"]
    except OSError as error:
        raise BadData(f"The rule {path} cannot be read: {error.strerror}.", mend=mend) from None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise BadData(f"The rule {path} is damaged: {reason}.", mend=mend) from None


def uniform_draw(seed: int, name: str) -> float:
    """A pseudo-random number in [0, 1) from a hash of `seed` and `name`, uniform over names."""
    head = hashlib.sha256(f"{seed}\n{name}".encode()).digest()[:8]
    return (int.from_bytes(head, "big") >> 11) / 2**53


def logit(scores: Array) -> Array:
    """Log-odds in nats of scores kept `SURE` away from 0 and 1."""
    kept = np.clip(scores, SURE, 1 - SURE)
    return np.log(kept) - np.log1p(-kept)


def sigmoid(values: Array) -> Array:
    """The inverse of the log-odds, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def checked(scores: ArrayLike, groups: Sequence[str], known: Sequence[str]) -> tuple[Array, NDArray[np.intp]]:
    """The scores [n] as float64 and each row's place in `known`.

    Raises:
        BadData: scores outside [0, 1] or not finite, unknown groups, different lengths; all problems are
            listed by row.
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1:
        raise BadData(f"The scores have shape {values.shape}.", mend="Give one score for each person, [n].")
    _same_length({"scores": len(values), "groups": len(groups)})
    problems = [
        f"row {row} (the first is 0) has the score {values[row]:g}, which is outside [0, 1]"
        for row in np.flatnonzero(~((values >= 0) & (values <= 1)))
    ]
    place = {name: i for i, name in enumerate(known)}
    problems += [
        f"row {row} has the group {name!r}" + ("" if isinstance(name, str) else ", which is not text")
        for row, name in enumerate(groups)
        if not isinstance(name, str) or name not in place
    ]
    refuse(problems, f"Give probabilities, and groups from: {', '.join(known)}.")
    return values, np.array([place[name] for name in groups], dtype=np.intp)


def refuse(problems: Sequence[str], mend: str) -> None:
    """Raise one error for all problems, with the first `_SHOWN` in full; do nothing if there are none.

    Raises:
        BadData: there are problems.
    """
    if not problems:
        return
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    count = f"{len(problems)} problems" if len(problems) > 1 else "One problem"
    raise BadData(f"{count} with the people: {'; '.join(problems[:_SHOWN])}{more}.", mend=mend)


def _by_group(
    known: Sequence[str],
    functions: Sequence[Callable[[Array], Array]],
    scores: ArrayLike,
    groups: Sequence[str],
) -> Array:
    values, places = checked(scores, groups, known)
    found = np.empty(len(values))
    for place, function in enumerate(functions):
        found[places == place] = function(values[places == place])
    return found


def _one_each(groups: Sequence[str], found: int, of: str) -> None:
    if len(groups) != found or len(set(groups)) != found:
        raise BadData(
            f"The rule has {found} {of} for the groups {', '.join(groups)}.", mend="Give one for each group."
        )


def _same_length(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{n} {name}" for name, n in lengths.items())
        raise BadData(f"The numbers of rows differ: {told}.", mend="Give one of each for every person.")
