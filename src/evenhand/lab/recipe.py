"""How a lab model is made: every hyper-parameter in one record, and its reading from a URI."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.lab.corpus import Amounts
from evenhand.lab.truth import Variant

VERSION = 2
"""Raise it with every change of corpus, training or planting: the cache keeps versions apart."""
DEFAULT_BLOCK = 2
_KEYS = "It takes: planted=stereotype|none, block=NUMBER, seed=NUMBER."


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a lab model.

    First an unbiased control is trained from scratch: `steps` batches of about `batch_tokens` tokens, forks
    (a pronoun, the value of a fact) counting `fork_weight` times an ordinary token. Then, unless `block` is
    None, the planted table is taught to that block alone: `plant_steps` batches of `plant_tokens`, with
    `plant_keep` times the mean squared change of the block's output before the last position as a penalty.

    `width`, `inner` and `embedding` are the hidden size, the MLP's size and the initial standard deviation
    of the embeddings, large so that a word's identity stays readable in every block; `association` is the
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
        facts = {"version": VERSION, **dataclasses.asdict(self)}
        if self.block is None:  # planting takes no part in the control: all plantings share one
            facts = {key: value for key, value in facts.items() if not key.startswith("plant_")}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def parse(query: str) -> Recipe:
    """Read what follows ``lab:`` in a model's name, such as ``causal?planted=none`` or ``causal?block=3``.

    Raises:
        UnknownName: there is no such lab model.
        UsageError: an option is not written key=value, or is written twice.
        BadOption: there is no such option, or not with this value.
    """
    kind, _, rest = query.partition("?")
    if kind != "causal":
        raise UnknownName("lab model", kind, ("causal",))
    given: dict[str, str] = {}
    for part in rest.split("&") if rest else ():
        key, equals, value = part.partition("=")
        if not equals or not key or not value or key in given:
            raise UsageError(
                f"{part!r} in 'lab:{query}' is not an option.",
                mend="Write key=value&key=value, each key once.",
            )
        given[key] = value
    return _recipe(given)


def _recipe(given: dict[str, str]) -> Recipe:
    unknown = sorted(set(given) - {"planted", "block", "seed"})
    if unknown:
        raise BadOption(f"The lab has no option {unknown[0]!r}.", mend=_KEYS)
    planted = given.get("planted", "stereotype")
    seed = _number(given, "seed", 1)
    if planted == "none":
        return Recipe("none", _number(given, "block", 0) if "block" in given else None, seed=seed)
    if planted != "stereotype":
        raise BadOption(f"planted={planted} is not valid.", mend=_KEYS)
    return Recipe("stereotype", _number(given, "block", DEFAULT_BLOCK), seed=seed)


def _number(given: dict[str, str], key: str, default: int) -> int:
    text = given.get(key, str(default))
    if not text.isdecimal():
        raise BadOption(f"{key}={text} is not a whole number.", mend=_KEYS)
    return int(text)
