"""What arrays from outside must be before a figure is made of them.

One set of checks for every function of `evenhand.metrics` that takes arrays: numbers are numbers, never text
or None; lengths agree; probabilities lie in 0 to 1; weights are valid. Each error names the array, the index
and the value of its first bad entry, and the expected values. NaN means undefined where it is allowed.
The metrics themselves read columns that a benchmark made, and are not slowed down by checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
ROUNDING = 1e-6  # largest excess of a probability beyond 0 or 1 by single precision
WEIGH = "weights needs a finite number of at least 0 for each entry, not all of them 0."
_NUMBERS, _TEXT, _TIMES = "biuf", "US", "mM"


def numbers(values: ArrayLike, name: str, expected: str, *, ndim: int | None = 1) -> Array:
    """`values` as float64 of `ndim` dimensions, or of any (None); NaN stays.

    `name` is what an error calls the entries (a plural), `expected` its sentence on what to give instead.

    Raises:
        BadData: None, text or another thing than numbers; rows of different lengths; other dimensions.
    """
    found = _array(values, name, expected)
    if found.dtype.kind not in _NUMBERS:
        each = np.asarray(values, dtype=object)
        for position, value in np.ndenumerate(each):
            if not isinstance(value, Real | Decimal):
                raise _holds(name, position, value, expected)
        found = each
    if ndim is not None and found.ndim != ndim:
        if found.size or found.ndim > ndim:
            raise _dimensions(name, found.ndim, ndim, expected)
        return np.empty((0,) * ndim)
    return found.astype(np.float64, copy=False)


def one_of(
    values: Array, known: Sequence[float] | NDArray[Any], name: str, expected: str, *, nan: bool = True
) -> Array:
    """`values`, each one of `known`, or NaN where `nan` allows it.

    Raises:
        BadData: another value.
    """
    _check(values, np.isin(values, known) | (nan & np.isnan(values)), name, expected)
    return values


def probabilities(values: ArrayLike, *, ndim: int = 2) -> Array:
    """`values` as probabilities, of shape [n, k] for `ndim` 2; NaN is undefined.

    Raises:
        BadData: no numbers, other dimensions, or an entry outside 0 to 1 by more than rounding.
    """
    expected = "Give probabilities from 0 to 1, " + (
        "a row for each item and in it one for each group; NaN where there is none."
        if ndim == 2
        else "one for each entry; NaN where there is none."
    )
    return shares(numbers(values, "probabilities", expected, ndim=ndim), "probabilities", expected)


def shares(values: Array, name: str, expected: str, *, nan: bool = True) -> Array:
    """`values`, each in 0 to 1 up to rounding, or NaN where `nan` allows it.

    Raises:
        BadData: another value.
    """
    inside = (values >= -ROUNDING) & (values <= 1 + ROUNDING)
    _check(values, inside | (nan & np.isnan(values)), name, expected)
    return values


def at_least_0(values: Array, name: str, expected: str, *, nan: bool = True, infinite: bool = False) -> Array:
    """`values`, none of them negative; NaN and infinity where they are allowed.

    Raises:
        BadData: another value.
    """
    fine = (values >= 0) & (infinite | np.isfinite(values))
    _check(values, fine | (nan & np.isnan(values)), name, expected)
    return values


def weights(values: ArrayLike, n: int, *, ndim: int = 1) -> Array:
    """Weights [n] of `n` entries, or [B, n] for `ndim` 2: one row a resample, which may be all 0.

    Raises:
        BadData: no numbers, another length, a negative or infinite weight or NaN; for `ndim` 1 also when all
            are 0, so that nothing would count.
    """
    found = numbers(values, "weights", WEIGH, ndim=ndim)
    if found.shape[-1] != n:
        raise BadData(f"There are {n} entries but {found.shape[-1]} of weights.", mend=WEIGH)
    at_least_0(found, "weights", WEIGH, nan=False)
    if ndim == 1 and n and not found.any():
        raise BadData("The weights are all 0.", mend=WEIGH)
    return found


def one_length(n: int, of: str, **others: Array) -> None:
    """Check that each of `others` has `n` entries; `of` is what `n` counts, such as "people".

    Raises:
        BadData: some have another length; the message gives each.
    """
    wrong = {name: len(values) for name, values in others.items() if len(values) != n}
    if wrong:
        raise BadData(
            f"There are {n} {of} but {', '.join(f'{size} of {name}' for name, size in wrong.items())}.",
            mend="Give arrays of one length, one entry for each person or item.",
        )


def groups(values: ArrayLike) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different labels in sorted order, and each entry's place among them [n].

    Labels are text, numbers or other things that have an order. A missing label (None, NaN) is refused: the
    people without one may belong to any group.

    Raises:
        BadData: a label is missing, or text and numbers are mixed; not one dimension.
    """
    expected = "group takes a label for each person, all of one kind; leave out people without one."
    array = _array(values, "groups", expected)
    if array.dtype.kind not in _NUMBERS + _TEXT + _TIMES or not isinstance(values, np.ndarray):
        array = np.asarray(values, dtype=object)  # what numpy made of a list may have NaN as the text "nan"
    if array.ndim != 1:
        raise _dimensions("groups", array.ndim, 1, expected)
    _check(array, ~_each(array, _missing), "groups", expected)
    text = _each(array, lambda label: isinstance(label, str))
    if text.any():
        _check(array, text, "groups", expected)
        array = array.astype(str)
    try:
        names, index = np.unique(array, return_inverse=True)
    except TypeError:
        raise BadData("The groups hold labels that cannot be sorted.", mend=expected) from None
    return names, index


def _missing(label: Any) -> bool:
    """None, NaN, and pandas' NA and NaT, whose comparisons are never True."""
    other = label
    equal = label == other
    return label is None or not isinstance(equal, bool | np.bool_) or not equal


def _each(array: NDArray[Any], test: Callable[[Any], bool]) -> Mask:
    return np.fromiter(map(test, array), dtype=bool, count=len(array))


def _array(values: ArrayLike, name: str, expected: str) -> NDArray[Any]:
    if np.ma.is_masked(values):  # np.asarray would bring back the values that the mask hides
        raise BadData(f"The {name} have masked entries.", mend=expected)
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        raise BadData(
            f"The {name} are not an array: rows of different lengths, or none at all.", mend=expected
        ) from None


def _check(values: NDArray[Any], fine: Mask, name: str, expected: str) -> None:
    """Raise an error about the first of `values` that is not `fine`, if there is one."""
    if not fine.all():
        position = tuple(int(i) for i in np.argwhere(~fine)[0])
        raise _holds(name, position, values[position], expected)


def _holds(name: str, position: tuple[int, ...], value: Any, expected: str) -> BadData:
    shown = f"{value:g}" if isinstance(value, float | np.floating) else repr(value)
    where = f" at position {', '.join(map(str, position))}" if position else ""
    return BadData(f"The {name} hold {shown}{where}.", mend=expected)


def _dimensions(name: str, found: int, wanted: int, expected: str) -> BadData:
    return BadData(
        f"The {name} have {found} dimension{'' if found == 1 else 's'}, not {wanted}.", mend=expected
    )
