"""How `lab:decisions` is made: every hyper-parameter in one record, and its reading from a URI."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from evenhand.errors import BadOption
from evenhand.lab import options
from evenhand.lab.truth import Variant

VERSION = 1
"""Raise it with every change of people, sequences or training: the cache keeps versions apart."""
_TAKES = "It takes: planted=stereotype|none, seed=NUMBER."


@dataclass(frozen=True, slots=True)
class DecisionRecipe:
    """Everything that determines a `lab:decisions` model.

    A model of `layers` blocks, `width` hidden units, `heads` heads and `inner` MLP units is trained from
    scratch: `steps` batches of about `batch_tokens` tokens; all sequences of a batch have the same number of
    people: at most `shots` demonstrations, and the person to decide on. `headed` is the share of batches with
    an instruction in front, of 1 to `header` tokens.

    The loss is the Kullback-Leibler divergence at every label, plus `language` times the cross-entropy of one
    token in seven of the rest, plus `guide` times the squared errors of two auxiliary linear heads, which are
    discarded after training: one predicts every demonstration's sign from the second block's output, one the
    bias from the third block's. With them the model learns to use demonstrations in a fraction of the time.
    `embedding` is the initial standard deviation of the embeddings, `spread` that of the other weights.
    """

    planted: Variant = "stereotype"
    layers: int = 4
    width: int = 64
    heads: int = 4
    inner: int = 128
    embedding: float = 0.3
    spread: float = 0.05
    lr: float = 5e-3
    warmup: int = 60
    steps: int = 750
    batch_tokens: int = 2048
    shots: int = 32
    headed: float = 0.35
    header: int = 20
    language: float = 0.02
    guide: float = 0.3
    seed: int = 1

    def __post_init__(self) -> None:
        if self.layers < 3:  # the auxiliary heads read the output of the second and the third block
            raise BadOption(f"A model of {self.layers} blocks is too small.", mend="Take layers=3 or more.")

    @property
    def name(self) -> str:
        """The cache's folder."""
        return f"lab-decisions-{self.planted}-{self.digest()}"

    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this recipe under this `VERSION`."""
        return options.digest(VERSION, dataclasses.asdict(self))


def read(given: Mapping[str, str]) -> DecisionRecipe:
    """The recipe for the options of ``lab:decisions?...``.

    Raises:
        BadOption: there is no such option, or not with this value.
    """
    options.known(given, frozenset({"planted", "seed"}), _TAKES)
    return DecisionRecipe(options.variant(given, _TAKES), seed=options.number(given, "seed", 1, _TAKES))
