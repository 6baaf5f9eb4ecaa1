"""ROME: rank-one edits of one block's MLP, a subject at a time (Meng et al. 2022; LFTF's table 3).

The down projection W of a block is read as a memory: its input at the last token of a subject is a key k, its
output a value. A value v* is sought that makes the answer as wanted, and W is changed so that W' k = v*, as
little as can be where other keys lie:

    W' = W + (v* - W k) (C⁻¹ k̄)ᵀ / ((C⁻¹ k̄)·k)      C = E[k kᵀ] over ordinary text, k̄ averaged over contexts

As published, k is the key of the bare prompt and k̄ the averaged one. The denominator may then be close to 0
and one edit destroys the model (Gupta et al. 2024): `r_rome` is the repair. In LFTF's table 3, 943 stacked
edits towards the less likely pronoun turned the bias round; ``target=anti`` repeats that, the default aims at
equal groups. EasyEdit's settings for it have C = I, which is not the published method (``C=I`` here).

What differs from the published code: values are sought for many requests at once, on the base (``together=1``
is theirs); texts before the prompts are ordinary sentences, not the model's own; the loss is read at the
model's output, not at a lower layer; and with balanced groups the search stops near the least loss, ln k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._editing.options import Options

if TYPE_CHECKING:
    from evenhand.mitigations._editing.stacks import Work
    from evenhand.mitigations._editing.values import Values


@dataclass(frozen=True)
class Rome(Options):
    """Rank-one edits, stacked, with ROME's two keys. The options are described in `Options`."""

    name: ClassVar[str] = "rome"

    def _stack(self, work: Work) -> list[Values]:
        from evenhand.mitigations._editing.stacks import one_by_one

        return one_by_one(work, one_key=False)


component = Rome
