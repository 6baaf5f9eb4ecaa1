"""``--fail-on``: which findings make a pipeline stop."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evenhand.errors import UnknownName, UsageError
from evenhand.frames.values import number
from evenhand.records import Audited, Finding, State

_CONDITION = re.compile(r"^\s*(?P<name>\w+)(?:\.(?P<field>\w+))?\s*(?P<sign><=|>=|<|>)\s*(?P<limit>\S+)\s*$")
_FIELDS = ("effect", "low", "high", "p_value", "adjusted", "statistic", "n")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_STATES: Mapping[str, frozenset[State]] = {
    "beyond": frozenset({State.BEYOND}),
    "unclear": frozenset({State.BEYOND, State.UNCLEAR}),
}


@dataclass(frozen=True)
class Failed:
    """What a condition found: the findings that meet it, and why it could not be judged otherwise.

    `undefined` are findings without the figure; `untried` is whether the audit did not run at all, or had no
    row to look at.
    """

    condition: str
    findings: tuple[Finding, ...]
    undefined: tuple[Finding, ...] = ()
    untried: bool = False

    @property
    def open(self) -> bool:
        """Whether it is neither met nor shown to be not."""
        return not self.findings and (self.untried or bool(self.undefined))


def checked(conditions: Sequence[str], known: Sequence[str]) -> None:
    """Refuse conditions that cannot be read, before any counting.

    Raises:
        UsageError: a condition is none.
        UnknownName: it is about an audit or a field that does not exist.
    """
    for one in conditions:
        _read(one, known)


def failed(record: Audited, conditions: Sequence[str], known: Sequence[str]) -> list[Failed]:
    """The findings that meet each condition, such as ``beyond`` or ``label_rates.effect>0.1``."""
    return [_failed(record, one, known) for one in conditions]


def _failed(record: Audited, condition: str, known: Sequence[str]) -> Failed:
    found = _read(condition, known)
    if found is None:
        states = _STATES[condition.strip()]
        met = tuple(one for one in record.findings if one.state in states)
        return Failed(condition, met, untried=not record.tried)
    name, field, sign, limit = found
    own = record.of(name)
    values = [(one, getattr(one, field)) for one in own]
    met = tuple(one for one, value in values if value is not None and _COMPARE[sign](value, limit))
    undefined = tuple(one for one, value in values if value is None)
    return Failed(condition, met, undefined, untried=name not in record.tried)


def _read(condition: str, known: Sequence[str]) -> tuple[str, str, str, float] | None:
    """A condition's parts; None for the name of a state."""
    if condition.strip() in _STATES:
        return None
    match = _CONDITION.match(condition)
    limit = number(match["limit"]) if match else None
    if match is None or limit is None:
        raise UsageError(
            f"{condition!r} is no condition to fail on.",
            mend="Write beyond, unclear (which includes beyond), or such as 'label_rates.effect>0.1'.",
        )
    if match["name"] not in known:
        raise UnknownName("audit", match["name"], known, lister="evenhand ls audits")
    field = match["field"] or "effect"
    if field not in _FIELDS:
        raise UnknownName("field of a finding", field, _FIELDS)
    return match["name"], field, match["sign"], limit
