"""Gaussian noise on blocks that the treatment does not touch, as many as it touches.

Like noise on the treated weights it carries no signal about any attribute (control family d). Compared with
that family it shows whether it matters *where* a model is damaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._parameters import elsewhere
from evenhand.controls._weights import NoiseControl
from evenhand.errors import BadModel
from evenhand.training.parameters import check_blocks, require_open

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.records import TrainingExample
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class NoiseElsewhere(NoiseControl):
    """Add independent noise of `dose` times each tensor's root mean square to blocks drawn by the seed.

    Attributes:
        dose: noise in units of the tensor's own root mean square; above 0.
        blocks: numbers, joined by ``+``, of the blocks to leave unchanged; empty means those that the
            compared treatment touches, or without a treatment, the located block.
    """

    name: ClassVar[str] = "noise_elsewhere"
    ladder: ClassVar[Ladder] = Ladder("d", start=0.1, lowest=1e-3, highest=4.0)
    wants_sites: ClassVar[bool] = True

    def check(self, model: Model | None, examples: Sequence[TrainingExample]) -> None:
        """Refuse a model whose blocks cannot be found, and named blocks that it does not have.

        Raises:
            BadModel, BadOption: as said.
        """
        if model is not None:
            check_blocks(require_open(model, self.needs), blocks=self.blocks)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of as many other blocks as the treatment touches; empty where it touches all."""
        return elsewhere(model, treatment, self.blocks, seed=seed)

    def _nothing(self, spec: str) -> BadModel:
        return BadModel(
            f"{spec} finds no block to damage: the treatment changes every block.",
            mend="Name the blocks to leave alone (noise_elsewhere:blocks=3), or use noise.",
        )


component = NoiseElsewhere
