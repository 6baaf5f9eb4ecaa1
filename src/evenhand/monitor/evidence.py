"""What the counts of a use case say about a profile: rates by group with intervals, and what is not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from evenhand.monitor.figures import Question, attributes, figures
from evenhand.monitor.indicators import INDICATORS, Figure
from evenhand.monitor.profiles import Profile
from evenhand.stats.gaps import Rates, ratio_ends
from evenhand.stats.ratios import NO_ENDS

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

WORDS = "Evidence for {what}. It does not say that a rule is met: that is for people to judge."


@dataclass(frozen=True)
class Compared:
    """The impact ratios of one attribute, as a profile asks for them.

    Attributes:
        attribute: by which groups are made.
        rows: of each group its name, people, share selected with its ends, and ratio to the highest share;
            the ratio is None where the group is left out, or nobody was selected.
        ratio, low, high: the lowest ratio of the groups that are compared, with its 95 % interval.
        left_out: groups with less than the profile's share of the people.
        unknown: people of unknown value.
        reading: in a sentence, beside the ratio that the profile names.
    """

    attribute: str
    rows: tuple[tuple[str, int, float | None, float | None, float | None, float | None], ...]
    ratio: float | None
    low: float | None
    high: float | None
    left_out: tuple[str, ...]
    unknown: int
    reading: str


@dataclass(frozen=True)
class Evidence:
    """What is shown for a profile: `figures` by attribute, `compared`, and the first and last day."""

    profile: Profile
    use_case: str
    since: date | None
    until: date | None
    people: int
    compared: tuple[Compared, ...]
    figures: tuple[tuple[str, Figure], ...]

    @property
    def words(self) -> str:
        """What it is, and what it is not."""
        return WORDS.format(what=self.profile.evidence_for)


def evidence(store: Store, profile: Profile, question: Question) -> Evidence:
    """The figures of `profile` for a use case, by every attribute, or by the one of `question`.

    Raises:
        NotThere: nothing has come in for the use case.
    """
    names = [question.attribute] if question.attribute else attributes(store, question.use_case)
    wanted = [name for name in profile.indicators if name in INDICATORS]
    compared, found = [], []
    people = 0
    for name in names or [""]:
        own = Question(**{**vars(question), "attribute": name})
        shown = figures(store, own, dict.fromkeys([*wanted, "selection_rate"]))
        rates = [one for one in shown if one.indicator == "selection_rate"]
        people = next((one.n for one in rates if one.group == ""), 0)
        compared.append(_compared(profile, name, [one for one in rates if one.group], people))
        found += [(name, one) for one in shown if one.indicator in wanted]
    shown_compared = tuple(one for one in compared if one.rows)
    return Evidence(
        profile, question.use_case, question.since, question.until, people, shown_compared, tuple(found)
    )


def _compared(profile: Profile, attribute: str, rates: list[Figure], people: int) -> Compared:
    known = sum(one.n for one in rates)
    held = [one for one in rates if one.value is not None and one.n >= profile.least * max(known, 1)]
    highest = max((one.value or 0.0 for one in held), default=0.0)
    rows = tuple(
        (
            one.group,
            one.n,
            one.value,
            one.low,
            one.high,
            one.value / highest if one in held and one.value is not None and highest else None,
        )
        for one in rates
    )
    ratio, ends = None, NO_ENDS
    if len(held) > 1 and highest:
        shares = np.array([one.value for one in held])
        ratio = float(shares.min() / highest)
        ends = ratio_ends(Rates(shares, np.array([float(one.n) for one in held])))
    left_out = tuple(one.group for one in rates if one not in held)
    reading = _reading(profile, ratio, *ends)
    return Compared(attribute, rows, ratio, *ends, left_out, people - known, reading)


def _reading(profile: Profile, ratio: float | None, low: float | None, high: float | None) -> str:
    if ratio is None:
        return "There is no ratio: fewer than two groups are compared, or nobody was selected."
    if not profile.ratio:
        return "The source names no limit for the ratio."
    limit = f"{profile.ratio:g}, which the source names"
    if high is not None and high < profile.ratio:
        return f"The ratio lies below {limit}, with its whole interval."
    if low is not None and low >= profile.ratio:
        return f"The ratio does not lie below {limit}, with its whole interval."
    return f"These counts do not show whether the ratio lies below {limit}: its interval holds that."
