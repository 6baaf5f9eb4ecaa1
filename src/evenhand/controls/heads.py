"""Attention heads drawn at random from the whole model give nothing, as many as the dose says.

It carries no signal about any attribute (control family h, made with ``--control full``). A model whose
treatment took out parts of it, such as heads or a block's attention, is compared with models that lack as
much: where the bias passes through one of the parts, they scatter, and the fall is no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._weights import WeightControl
from evenhand.errors import BadModel, UnknownName
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import named_blocks

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from evenhand.models import OpenModel
    from evenhand.models.projections import Projection
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Heads(WeightControl):
    """Set attention heads to 0, drawn at random from all blocks: `dose` is their share.

    Of ``dose * n`` of n heads the whole ones are drawn and give nothing; the next one gives less by the
    remaining part, so that any two doses differ. Blocks without one plain output matrix of their attention
    (state-space blocks, weights of few bits) keep their heads; a model of such blocks alone has no such
    family.

    Attributes:
        dose: share of the heads that give nothing; above 0, below 1.
        blocks: block numbers joined by ``+``; empty means all, whatever the compared treatment touches.
    """

    name: ClassVar[str] = "heads"
    ladder: ClassVar[Ladder] = Ladder("h", start=0.1, lowest=0.01, highest=0.98, extra=True)

    def __post_init__(self) -> None:
        check_numbers("heads", self, positive=("dose",), shares=("dose",))

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The output matrices of the attention in `blocks`, else in all blocks; empty without any."""
        return tuple(projection.weight for projection, _ in self._projections(model))

    def changed(self, model: OpenModel, names: Sequence[str], draws: Generator) -> dict[str, Tensor]:
        """The matrices without the inputs of the heads that were drawn."""
        import torch

        found = self._projections(model)
        counts = [number for _, number in found]
        rank = torch.randperm(sum(counts), generator=draws)
        left = 1 - (self.dose * sum(counts) - rank).clamp(0, 1)  # what each head still gives, [n]
        weights = {}
        for (projection, number), own in zip(found, torch.split(left, counts), strict=True):
            size = projection.width // number
            matrix = projection.parameter.detach().float().cpu()
            changed = projection.turned(matrix) * own.repeat_interleave(size)  # [out, in], a factor an input
            weights[projection.weight] = projection.turned(changed).contiguous()
        return weights

    def _projections(self, model: OpenModel) -> list[tuple[Projection, int]]:
        """The output matrices of the attention, each with its number of heads; one that blocks share, once.

        Raises:
            BadOption: a named block does not exist.
        """
        from evenhand.models.projections import heads, output_projection

        found = {}
        for block in named_blocks(model, self.blocks) if self.blocks else model.layout.blocks():
            try:
                projection = output_projection(model, block, "attention")
                found[projection.weight] = projection, heads(model.module, projection)
            except (BadModel, UnknownName):  # it has no attention, or none that can be taken apart
                continue
        return list(found.values())


component = Heads
