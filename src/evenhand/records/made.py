"""What made a record: the program, its packages and the machine, so that a figure can be traced later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "MadeBy",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made a record; `evenhand.provenance` fills it in.

    Attributes:
        evenhand: version of this program.
        commit: git commit of its source, None where that is not known.
        python: version of Python.
        platform: system and processor, such as ``Linux-6.1.0-x86_64-with-glibc2.36``.
        packages: versions of the packages that decide figures, of those that were in use.
        device: where the model's weights were (``cpu``, or the graphics card's name); None without weights.
        dtype: the precision of the weights; None without weights.
    """

    evenhand: str
    commit: str | None
    python: str
    platform: str
    packages: Mapping[str, str]
    device: str | None = None
    dtype: str | None = None
