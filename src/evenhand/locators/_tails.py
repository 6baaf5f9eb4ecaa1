"""The probes of a locator by their tails, see `evenhand.scoring.tails`: earlier tokens run once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evenhand.records import Example

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import OpenModel
    from evenhand.scoring.tails import Tail
    from evenhand.scoring.terms import Prompts


class Tails:
    """The probes in portions, each a `Tail`; those that fit into memory are kept for the next time."""

    def __init__(self, model: OpenModel, prompts: Prompts) -> None:
        from evenhand.scoring.tails import portions

        self._model = model
        self._prompts = prompts
        self._portions = list(portions(prompts))
        self._kept: dict[int, Tail] = {}

    def __len__(self) -> int:
        return len(self._portions)

    def __iter__(self) -> Iterator[Tail]:
        from evenhand.scoring.kept import MEMORY
        from evenhand.scoring.tails import Tail

        blocks = self._model.layout.as_blocks()
        for i, chosen in enumerate(self._portions):
            tail = self._kept.get(i)
            if tail is None:
                tail = Tail(self._model.module, blocks, self._prompts, chosen)
                if sum(one.nbytes for one in self._kept.values()) + tail.nbytes <= MEMORY:
                    self._kept[i] = tail
            yield tail


def tails_of(model: OpenModel, probes: Sequence[Example]) -> Tails | None:
    """The probes by their tails; None where the model or the probes do not allow it."""
    from evenhand.scoring.kept import kept_of
    from evenhand.scoring.tails import sound, unfit
    from evenhand.scoring.terms import Prompts

    if not probes:
        return None
    prompts = Prompts(model, probes)
    if unfit(model.module, prompts) is not None:
        return None
    passed = kept_of(model.module).passes(
        "tails", lambda: sound(model.module, model.layout.as_blocks(), prompts)
    )
    return Tails(model, prompts) if passed else None


def distinct_places(places: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Each (batch row, position) pair once: texts that share a beginning predict at one place."""
    import torch

    rows, positions = torch.unique(torch.stack(places), dim=1)
    return rows, positions
