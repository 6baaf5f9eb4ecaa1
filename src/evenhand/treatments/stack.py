"""Treatments one after the other as one: each was fitted to the model that the ones before it treated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.folders import replace_folder
from evenhand.models import Model
from evenhand.records import digest
from evenhand.treatments._base import CARD, KIND, About, Kind, Treatment, damaged, write_card


@dataclass(frozen=True)
class StackTreatment:
    """The `parts` in the order in which they are applied; they are taken off in the opposite order."""

    about: About
    parts: tuple[Treatment, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the parts' digests, in order."""
        return digest("stack", [part.digest for part in self.parts])

    @property
    def touches(self) -> frozenset[str]:
        """The parameters that one of the parts changes."""
        return frozenset(name for part in self.parts for name in part.touches)

    def evidence(self, model: Model) -> Mapping[str, Any]:
        """`parts`: the proof of each, on the model that the ones before it treated."""
        return {"parts": [{"method": part.about.method, **part.about.proof} for part in self.parts]}

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """The model with every part; on exit they are taken off from the last to the first.

        Raises:
            EvenhandError: what one of the parts raises.
        """
        with ExitStack() as applied:
            for part in self.parts:
                model = applied.enter_context(part.applied(model))
            yield model

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, and each part as a treatment of its own in ``1``, ``2``, ..."""
        with replace_folder(folder, kind=KIND) as temporary:
            for number, part in enumerate(self.parts, start=1):
                part.save(temporary / str(number))
            write_card(temporary, "stack", self.about, {"parts": len(self.parts), "digest": self.digest})


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    from evenhand.treatments._loading import load

    number = card.get("parts")
    if not isinstance(number, int) or number < 1:
        raise damaged(folder, f"{CARD} does not say how many parts there are")
    made = StackTreatment(about, tuple(load(folder / str(i)) for i in range(1, number + 1)))
    if made.digest != card.get("digest"):
        raise damaged(folder, f"its parts do not have the digest that {CARD} states")
    return made


component = Kind(StackTreatment, _load)
