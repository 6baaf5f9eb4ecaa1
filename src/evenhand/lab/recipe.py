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
from evenhand.lab.hard_corpus import Extras
from evenhand.lab.infill_recipe import InfillRecipe
from evenhand.lab.truth import Bias, Variant, World

VERSION = 2
"""Raise it with every change of corpus, training or planting: the cache keeps versions apart."""
DEFAULT_BLOCK = 2
FRAGILE_BLOCK = 3
"""The last block: no other block needs what its attention finds at earlier positions."""
HARD_STEPS = 690
BIASES: Mapping[str, Bias] = MappingProxyType(
    {"block": "block", "spread": "spread", "fragile": "fragile", "decoy": "decoy"}
)
WORLDS: Mapping[str, World] = MappingProxyType({"plain": "plain", "hard": "hard"})
_TAKES = (
    "It takes: planted=stereotype|none, block=NUMBER, seed=NUMBER, bias=spread|fragile|decoy, world=hard, "
    "strength=SHARE."
)
_LATER = (
    "bias",
    "world",
    "extras",
    "plant_extras",
    "fragile_weight",
    "fragile_outliers",
    "decoy_margin",
    "spread_lr",
    "strength",
)
"""Fields that are left out of the digest where they have their default: the plain lab's name is older."""


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

    ``bias`` says how the table is planted: in one ``block``; ``spread`` over the parts of `truth.SPREAD`;
    ``fragile``, in one block whose queries and keys have outliers that raise their root mean square
    `fragile_outliers` times, so that noise in proportion to it ends the attention by which the bias passes
    (an unbiased answer under noise has `fragile_weight` times the weight of a biased one without); as a
    ``decoy``, which plants no table but makes the side of the profession visible in the output of one block,
    `decoy_margin` standard deviations of a coordinate from the middle. `spread_lr` is the learning rate of
    ``spread``. In the ``hard`` world `extras` and `plant_extras` say what is in the corpus beside `amounts`
    and `plant_amounts`; in the plain one they are None. `strength`, above 0 and at most 1, is how much of
    the table is planted (`truth.planted`): models that differ in it alone differ in their bias alone.
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
    bias: Bias = "block"
    world: World = "plain"
    extras: Extras | None = None
    plant_extras: Extras | None = None
    fragile_weight: float = 0.5
    fragile_outliers: float = 40.0
    decoy_margin: float = 2.0
    spread_lr: float = 3e-3
    strength: float = 1.0

    def __post_init__(self) -> None:
        if self.planted == "none" and self.bias != "block":
            raise BadOption(
                f"planted=none does not go with bias={self.bias}.",
                mend="The unbiased control (planted=none) has no bias; leave one of the two out.",
            )
        if self.strength != 1.0 and self.table == "none":
            raise BadOption(
                f"strength={self.strength:g} goes with a planted table.",
                mend="The control (planted=none) and bias=decoy have none; leave strength out.",
            )
        if self.bias == "spread" and self.block is not None:
            raise BadOption(
                f"bias=spread does not go with block={self.block}.",
                mend="The bias is spread over two blocks and the embeddings; leave block out.",
            )
        if self.bias != "spread" and (self.planted == "none") != (self.block is None):
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
        return dataclasses.replace(self, planted="none", block=None, bias="block", strength=1.0)

    @property
    def table(self) -> Variant:
        """The table of `truth.planted` that the finished model follows."""
        return "none" if self.bias == "decoy" else self.planted

    @property
    def name(self) -> str:
        """The name of its folder in the cache."""
        place = "" if self.block is None else f"block{self.block}"
        kind = "control" if self.planted == "none" else f"{self.bias.removeprefix('block')}{place}"
        return f"lab-causal-{'' if self.world == 'plain' else f'{self.world}-'}{kind}-{self.digest()}"

    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this recipe under this `VERSION`."""
        facts = dataclasses.asdict(self)
        defaults = {f.name: f.default for f in dataclasses.fields(self) if f.name in _LATER}
        facts = {key: value for key, value in facts.items() if key not in defaults or value != defaults[key]}
        if self.planted == "none":  # the control does not depend on them: all planted models share it
            later = ("plant_", "fragile_", "decoy_", "spread_")
            facts = {key: value for key, value in facts.items() if not key.startswith(later)}
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
    options.known(given, frozenset({"planted", "block", "seed", "bias", "world", "strength"}), _TAKES)
    bias = options.choice(given, "bias", BIASES, "block", _TAKES)
    make = hard if options.choice(given, "world", WORLDS, "plain", _TAKES) == "hard" else Recipe
    planted = options.variant(given, _TAKES)
    usual = FRAGILE_BLOCK if bias == "fragile" else DEFAULT_BLOCK
    default = None if planted == "none" or bias == "spread" else usual
    block = options.number(given, "block", 0, _TAKES) if "block" in given else default
    found = make(planted=planted, block=block, bias=bias, seed=options.number(given, "seed", 1, _TAKES))
    return dataclasses.replace(found, strength=options.share(given, "strength", _TAKES))


def hard(*, planted: Variant, block: int | None, bias: Bias = "block", seed: int = 1) -> Recipe:
    """The recipe of a model of the harder world."""
    return Recipe(
        planted,
        block,
        steps=HARD_STEPS,
        seed=seed,
        amounts=Amounts(because=14, elsewhere=5, hints=10, announced=4, facts=8),
        plant_amounts=Amounts(because=9, elsewhere=3, hints=4, announced=2, facts=1),
        bias=bias,
        world="hard",
        extras=Extras(),
        plant_extras=Extras(
            stated=2,
            paired=2,
            hobby=4,
            likes=0,
            definitional=16,
            alone=24,
            towns=(1,),
            trades=(1,),
            neutral=0,
        ),
    )


READERS: Mapping[str, Callable[[Mapping[str, str]], AnyRecipe]] = MappingProxyType(
    {
        "causal": _causal,
        "decisions": decision_recipe.read,
        "masked": partial(infill_recipe.read, "masked"),
        "seq2seq": partial(infill_recipe.read, "seq2seq"),
    }
)
"""The reader of the options of each kind of lab model."""
