"""MEMIT: many edits at once, spread over several blocks (Meng et al. 2023, Mass-editing memory).

Values z are sought at the output of the highest block, all requests at once. Then each block from the lowest
up takes an equal share of what is left to do, in least squares over all keys K, in float64:

    W' = W + R Kᵀ (lambda C + K Kᵀ)⁻¹      R = (z - h) / (blocks still to come, this one included)

h is what the highest block gives now, and K is read again after each block. `weight` (lambda) says how much
ordinary text counts beside one request: of a single edit q / (1 + q) comes through, q = kᵀ C⁻¹ k / lambda,
which for an ordinary key is about d / lambda, d being the number of inputs. The published 15000 is for d
near 8192; by default lambda is scaled to d, so that q is the same. Options and what else differs from the
published code are as in `rome`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._editing.options import Options
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from evenhand.mitigations._editing.stacks import Work
    from evenhand.mitigations._editing.values import Values


@dataclass(frozen=True)
class Memit(Options):
    """Edits of several blocks at once. Without a locator blocks 4 to 8 of 28, scaled to the model's depth.

    Attributes:
        weight: lambda, the weight of C beside the keys; None is 15000 / 8192 for each input of the map. The
            other options are described in `Options`.
    """

    weight: float | None = None

    name: ClassVar[str] = "memit"
    several: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self.name, self, from_zero=("weight",))

    def _stack(self, work: Work) -> list[Values]:
        from evenhand.mitigations._editing.stacks import all_at_once

        return all_at_once(work, weight=self.weight)


component = Memit
