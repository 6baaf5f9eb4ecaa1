"""What is counted and remembered alike: numbers of several kinds, and only the newest of many names."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Tally:
    """Numbers of several kinds, the fields of a subclass; two of one subclass are added kind by kind."""

    def __add__(self, other: Self) -> Self:
        theirs = asdict(other)
        return type(self)(**{name: value + theirs[name] for name, value in asdict(self).items()})


class Newest(OrderedDict[K, V]):
    """The `most` entries that were kept last: nobody fills the memory by inventing names."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> None:
        """Keep `value` as the newest entry; the oldest go where there are too many."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > self._most:
            self.popitem(last=False)
