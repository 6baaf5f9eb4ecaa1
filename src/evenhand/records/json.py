"""The one JSON round trip of the records, and the digest of everything that is stored."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = [
    "digest", "from_json", "to_json",
]  # fmt: skip

T = TypeVar("T")


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `parts`: the key of everything that is stored."""
    text = json.dumps(
        [to_json(part) for part in parts], sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(value: Any) -> Any:
    """A record as plain JSON values (dicts, lists, strings, finite numbers, None).

    Raises:
        ValueError: a float is NaN or infinite: undefined must be None by the time it is stored.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [to_json(item) for item in items]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} cannot be stored: an undefined figure is None")
    return value


def from_json(kind: type[T], data: Any) -> T:
    """The inverse of `to_json` for the record class `kind`, with validation.

    Raises:
        pydantic.ValidationError: the data does not have the shape of `kind`.
    """
    value: T = _validator(kind)(data)  # type: ignore[arg-type]  # a class is hashable
    return value


@functools.cache
def _validator(kind: Any) -> Callable[[Any], Any]:
    """What reads records of a class, built once: that takes longer than to read one."""
    import pydantic

    return pydantic.TypeAdapter[Any](kind).validate_python
