"""Guestbroken: as guestbench, but every sample has the same id and the card does not say how to read it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

from evenhand_guest.bench import Guestbench

from evenhand.records import Card, Sample


@dataclass(frozen=True)
class Guestbroken(Guestbench):
    """Pronouns after professions.

    Attributes:
        n: how many professions.
    """

    @cached_property
    def card(self) -> Card:
        return Card("guestbroken", "1", "Broken", "a guest", "CC0", digest=self.digest)

    def read(self) -> list[Sample]:
        return [dataclasses.replace(sample, id="guestbroken/one") for sample in super().read()]
