"""Checks of a method's numeric options when it is made, before any model is opened."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

from evenhand.errors import BadOption

Rate = float | Literal["paper"] | None
"""A learning rate: a number, ``paper`` for LFTF's 1e-5 on any width, None for that scaled to the width."""
_Range = tuple[str, Callable[[Any], bool]]
_WHOLE: _Range = ("a whole number from 1", lambda v: isinstance(v, int) and v >= 1)
_POSITIVE: _Range = ("a number above 0", lambda v: v > 0)
_FROM_ZERO: _Range = ("a number from 0", lambda v: v >= 0)
_SHARE: _Range = ("from 0 to below 1", lambda v: 0 <= v < 1)


def check_numbers(
    name: str,
    method: object,
    *,
    whole: Iterable[str] = (),
    positive: Iterable[str] = (),
    from_zero: Iterable[str] = (),
    shares: Iterable[str] = (),
) -> None:
    """Refuse a `method` whose named fields are out of range; None stands for a field's own default.

    Raises:
        BadOption: a field of `whole` is no whole number from 1, one of `positive` not above 0, one of
            `from_zero` below 0, one of `shares` outside [0, 1), or any of them no finite number.
            True and False are no numbers here; ``paper`` is one for a learning rate, `lr`.
    """
    asked = ((_WHOLE, whole), (_POSITIVE, positive), (_FROM_ZERO, from_zero), (_SHARE, shares))
    wrong = [
        f"{field}={getattr(method, field)} ({said})"
        for (said, fits), fields in asked
        for field in fields
        for value in [getattr(method, field)]
        if value is not None and not _fits(value, fits) and (field, value) != ("lr", "paper")
    ]
    if wrong:
        raise BadOption(f"{name} cannot use {'; '.join(wrong)}.", mend="Write values in these ranges.")


def check_batch(batch: int, groups: int) -> None:
    """Refuse batches that cannot hold one member of each of so many groups.

    Raises:
        BadOption: they cannot.
    """
    if batch < groups:
        raise BadOption(
            f"A batch of {batch} cannot hold all {groups} groups.", mend=f"Write batch as {groups} or more."
        )


def _fits(value: Any, fits: Callable[[Any], bool]) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and fits(value)
