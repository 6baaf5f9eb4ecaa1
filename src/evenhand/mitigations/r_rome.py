"""R-ROME: ROME with one and the same averaged key everywhere (Gupta et al. 2024, Rebuilding ROME).

    W' = W + (v* - W k̄) (C⁻¹ k̄)ᵀ / (k̄ᵀ C⁻¹ k̄)

The denominator is above 0 for every key, so that no single edit can destroy the model. All else, and what
differs from the published code, is as in `rome`; the edits are still stacked, and edits of one subject
replace one another: its key does not depend on what stands behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._editing.options import Options

if TYPE_CHECKING:
    from evenhand.mitigations._editing.stacks import Work
    from evenhand.mitigations._editing.values import Values


@dataclass(frozen=True)
class RRome(Options):
    """Rank-one edits, stacked, with one averaged key. The options are described in `Options`."""

    name: ClassVar[str] = "r_rome"

    def _stack(self, work: Work) -> list[Values]:
        from evenhand.mitigations._editing.stacks import one_by_one

        return one_by_one(work, one_key=True)


component = RRome
