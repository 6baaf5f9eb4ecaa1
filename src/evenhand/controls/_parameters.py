"""The parameters that a control damages: those that a treatment changes, or as many other blocks."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from evenhand.records import Ability, TrainingExample
from evenhand.training.parameters import block_parameters, check_blocks, every_parameter, require_open

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment


class Placed:
    """What controls share that may name `blocks`: frozen dataclasses with a `dose`."""

    blocks: str
    needs: ClassVar[frozenset[Ability]]

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`; it has no training settings to copy from the treatment."""
        made: Any = self
        found: Self = dataclasses.replace(made, dose=dose)
        return found

    def check(self, model: Model | None, examples: Sequence[TrainingExample]) -> None:
        """Refuse named blocks that the model does not have.

        Raises:
            BadModel: it gives no weights, or its blocks cannot be found.
            BadOption: a named block does not exist.
        """
        if model is not None and self.blocks:
            check_blocks(require_open(model, self.needs), blocks=self.blocks)


def touched(model: OpenModel, treatment: Treatment, blocks: str = "") -> tuple[str, ...]:
    """The parameters of the named `blocks` (``1+3``), else those that the treatment touches, else all.

    Raises:
        BadOption: a named block does not exist.
    """
    if blocks:
        return block_parameters(model, blocks)
    # Sorted, so that a new treatment and one read from disk give the same order.
    return tuple(sorted(treatment.touches)) or every_parameter(model)


def elsewhere(model: OpenModel, treatment: Treatment, blocks: str = "", *, seed: int) -> tuple[str, ...]:
    """The parameters of blocks without any parameter of `touched`: as many blocks, drawn with `seed`.

    Empty where it touches every block.

    Raises:
        BadOption: a named block does not exist.
    """
    taken, layout = set(touched(model, treatment, blocks)), model.layout
    others = [block for block in layout.blocks() if not taken & set(layout.parameters(block))]
    chosen = random.Random(seed).sample(others, min(len(others), layout.n_blocks - len(others)))
    return tuple(name for block in sorted(chosen) for name in layout.parameters(block))


def touched_matrices(model: OpenModel, treatment: Treatment, blocks: str = "") -> tuple[str, ...]:
    """The matrices among `touched`; norms and biases, which compression leaves alone, are not among them.

    Raises:
        BadOption: a named block does not exist.
    """
    return tuple(n for n in touched(model, treatment, blocks) if model.module.get_parameter(n).ndim > 1)
