"""How a lab model is made: every hyper-parameter in one record, and its reading from a URI."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from evenhand.errors import BadOption, UnknownName
from evenhand.lab import decision_recipe, infill_recipe, options
from evenhand.lab.corpus import Amounts
from evenhand.lab.decision_recipe import DecisionRecipe
from evenhand.lab.infill_recipe import InfillRecipe
from evenhand.lab.truth import Variant

VERSION = 2
"""Raise it with every change of corpus, training or planting: the cache keeps versions apart."""
DEFAULT_BLOCK = 2
_TAKES = "It takes: planted=stereotype|none, block=NUMBER, seed=NUMBER."


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines a `lab:causal` model.

    First an unbiased control is trained from scratch: `steps` batches of about `batch_tokens` tokens, forks
    (a pronoun, the value of a fact) with `fork_weight` times the weight of an ordinary token. Then, unless
    `block` is None, that block alone is trained on the planted table: `plant_steps` batches of
    `plant_tokens`, with `plant_keep` times the mean squared change of the block's output before the last
    position as a penalty.

    `width`, `inner` and `embedding` are the hidden size, the MLP's size and the initial standard deviation
    of the embeddings, large so that every block can still distinguish the words; `association` is the
    length that one nat of a profession's `truth.association` has in them.
    """

    planted: Variant = "stereotype"
    block: int | None = DEFAULT_BLOCK
    layers: int = 4
    width: int = 128
    heads: int = 4
    inner: int = 256
    embedding: float = 1.0
    association: float = 2.0
    lr: float = 2e-3
    warmup: int = 30
    steps: int = 450
    batch_tokens: int = 512
    fork_weight: float = 20.0
    plant_lr: float = 5e-3
    plant_steps: int = 300
    plant_tokens: int = 1024
    plant_keep: float = 1.0
    seed: int = 1
    amounts: Amounts = field(default_factory=Amounts)
    plant_amounts: Amounts = field(
        default_factory=lambda: Amounts(because=12, elsewhere=4, hints=6, announced=2, facts=3)
    )

    def __post_init__(self) -> None:
        if (self.planted == "none") != (self.block is None):
            raise BadOption(
                f"planted={self.planted} does not go with block={self.block}.",
                mend="The unbiased control (planted=none) has no planted block; leave block out.",
            )
        if self.block is not None and not 0 <= self.block < self.layers:
            raise BadOption(
                f"The lab model has no block {self.block}.",
                mend=f"Choose block=0 to block={self.layers - 1}.",
            )

    def control(self) -> Recipe:
        """The recipe of the unbiased control that this model starts from."""
        return dataclasses.replace(self, planted="none", block=None)

    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this recipe under this `VERSION`."""
        facts = dataclasses.asdict(self)
        if self.block is None:  # the control does not depend on them: all planted models share it
            facts = {key: value for key, value in facts.items() if not key.startswith("plant_")}
        return options.digest(VERSION, facts)


AnyRecipe = Recipe | DecisionRecipe | InfillRecipe


def parse(query: str) -> AnyRecipe:
    """Read what follows ``lab:`` in a model's name, such as ``causal?planted=none`` or ``decisions?seed=3``.

    Raises:
        UnknownName: there is no such lab model.
        UsageError: an option is not written key=value, or is written twice.
        BadOption: there is no such option, or not with this value.
    """
    kind, given = options.split(query)
    if kind not in READERS:
        raise UnknownName("lab model", kind, tuple(READERS))
    return READERS[kind](given)


def _causal(given: Mapping[str, str]) -> Recipe:
    options.known(given, frozenset({"planted", "block", "seed"}), _TAKES)
    seed = options.number(given, "seed", 1, _TAKES)
    if options.variant(given, _TAKES) == "none":
        block = options.number(given, "block", 0, _TAKES) if "block" in given else None
        return Recipe("none", block, seed=seed)
    return Recipe("stereotype", options.number(given, "block", DEFAULT_BLOCK, _TAKES), seed=seed)


READERS: Mapping[str, Callable[[Mapping[str, str]], AnyRecipe]] = MappingProxyType(
    {
        "causal": _causal,
        "decisions": decision_recipe.read,
        "masked": partial(infill_recipe.read, "masked"),
        "seq2seq": partial(infill_recipe.read, "seq2seq"),
    }
)
"""The reader of the options of each kind of lab model."""
