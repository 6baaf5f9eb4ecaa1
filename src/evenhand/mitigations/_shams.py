"""Shams: a mitigation with the direction of its signal drawn at random, for the control of that name."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from evenhand.mitigations import refuse
from evenhand.records import Ability, Attribution, Kinds

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment

Fitting = Callable[["Model", Sequence[Any], Attribution | None, int], "Treatment"]
T = TypeVar("T")

# Of about the same length, and about nothing that a prompt asks for: what any text in front does.
SHAMS = (
    "The path along the river is open every day. It is a good place to walk when the weather is dry.",
    "Fresh bread keeps for about three days. It is best stored in a paper bag in a cool and dry place.",
    "Water boils at a lower temperature in the mountains. Rice and pasta take a little longer up there.",
    "The library has four floors and a small café. Books on history are kept on the second floor.",
    "Most trains to the coast leave on the hour. The fast ones stop only twice before the last station.",
    "Tomatoes need a lot of sun and some water. Plant them in spring when the nights are no longer cold.",
    "The old bridge is made of grey stone. It was closed last winter and has been open again since May.",
    "A sharp pencil draws a finer line than a blunt one. Soft pencils are darker and wear down faster.",
    "The lake is deep and stays cold in summer. In very hard winters it is covered with ice for weeks.",
    "This table has five columns and thirty rows. Each row gives the date, the place and the weight.",
    "Coffee is grown in warm and rainy places. The beans are dried in the sun before they are roasted.",
    "The museum shows maps and clocks from three centuries. Tickets are cheaper on the first Sunday.",
    "Salt melts the ice on roads and stairs. It works well unless the night is far below freezing.",
    "The tower can be seen from the whole plain. On clear days its roof shines in the evening light.",
)


@dataclass(frozen=True)
class Sham:
    """The sham of `method`, whose canonical spec is `spec`; `seed` decides the direction.

    `fitting` takes a model, examples, sites and the seed of the fit. The treatment says that its method is
    ``sham(SPEC)``, and has the seed in its details as ``sham_seed``. A sham has no sham of its own.
    """

    spec: str
    method: Any
    seed: int
    fitting: Fitting = field(repr=False, compare=False)

    @property
    def needs(self) -> frozenset[Ability]:
        """Those of the method."""
        return frozenset(self.method.needs)

    @property
    def wants_sites(self) -> bool:
        """As the method."""
        return bool(self.method.wants_sites)

    @property
    def fits_on(self) -> Kinds:
        """The kinds of the method."""
        return tuple(self.method.fits_on)

    def check(self, model: Model | None, examples: Sequence[Any]) -> None:
        """Refuse what the method refuses.

        Raises:
            EvenhandError: as for `evenhand.mitigations.refuse`.
        """
        refuse(self.method, model, examples)

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """The method's treatment without its signal.

        Raises:
            EvenhandError: what the method itself raises.
        """
        made: Any = self.fitting(model, examples, sites, seed)
        details = {**made.about.details, "sham_seed": self.seed}
        about = dataclasses.replace(made.about, method=f"sham({self.spec})", details=details)
        treatment: Treatment = dataclasses.replace(made, about=about)
        return treatment

    def sham(self, *, seed: int) -> None:
        """None: there is nothing left to take away."""


def dealt(values: Sequence[T], seed: int, fit: Callable[[Sequence[T]], bool] = lambda dealt: True) -> list[T]:
    """`values` dealt out among people at random, again until they are `fit` (at most a hundred times)."""
    chance, found = random.Random(seed), list(values)
    for _ in range(100):
        chance.shuffle(found)
        if fit(found):
            break
    return found


def neutral(words: int, seed: int) -> str:
    """Neutral text of that many `words`, which begins with the text of that number."""
    found: list[str] = []
    while len(found) < words:
        found += SHAMS[seed % len(SHAMS)].split()
        seed += 1
    return " ".join(found[:words]).rstrip(".,") + "."
