"""Several mitigations one after the other: each is fitted to the model that the ones before it treated.

A stack is a mitigation itself (`evenhand.mitigations.Mitigation`), and so is what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.errors import BadModel
from evenhand.records import Ability, Attribution, Kinds

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment

JOINT = " + "
_RECIPE = ("lr", "epochs", "batch", "blocks")  # what control models take from a treatment's details


def split(text: str) -> tuple[str, ...]:
    """The specs of a text such as ``lftf:top=2 + thresholds``; a plus sign splits before a method only."""
    if not isinstance(text, str):
        return (text,)  # the registry refuses it in its own words
    known = "|".join(map(re.escape, (*registry.names("mitigation"), *registry.names("control"))))
    return tuple(part.strip() for part in re.split(rf" \+ (?=(?:{known})(?::| \+ |$))", text))


def joined(specs: str | Sequence[str]) -> str:
    """One text of several specs, in the order in which they are fitted."""
    return specs if isinstance(specs, str) else JOINT.join(specs)


@dataclass(frozen=True)
class Stack:
    """The `methods` in order, each with its canonical spec in `specs`.

    One location serves all of them: it is that of the model before any of them was fitted. `sham_seed` is
    that of a stack of shams, None for any other.
    """

    methods: tuple[Any, ...]
    specs: tuple[str, ...] = field(repr=False)
    sham_seed: int | None = None

    @property
    def needs(self) -> frozenset[Ability]:
        """What any of them needs."""
        return frozenset(ability for method in self.methods for ability in method.needs)

    @property
    def wants_sites(self) -> bool:
        """Whether one of them does."""
        return any(method.wants_sites for method in self.methods)

    @property
    def fits_on(self) -> Kinds:
        """Every kind that one of them can learn from; each gets what it can use."""
        return tuple(dict.fromkeys(kind for method in self.methods for kind in method.fits_on))

    def located_on(self, examples: Sequence[Any]) -> list[Any]:
        """The examples on which blocks are located: those of the first method that wants a location."""
        first = next((method for method in self.methods if method.wants_sites), None)
        return [] if first is None else _own(first, examples)

    def check(self, model: Model | None, examples: Sequence[Any]) -> None:
        """Refuse what one of them refuses of the model as it is, and an order that cannot be.

        Raises:
            BadModel: a method that needs weights comes after one that changes what is asked or answered.
            EvenhandError: as for `evenhand.mitigations.refuse`.
        """
        covered: str | None = None  # the first method after which no weights can be reached
        for spec, method in zip(self.specs, self.methods, strict=True):
            if covered is not None and Ability.WEIGHTS in method.needs:
                raise BadModel(
                    f"{covered} changes what is asked or answered, so {spec}, which needs the weights, "
                    "cannot be fitted after it.",
                    mend=f"Put it first: --with {spec} --with {covered}.",
                )
            if covered is None and Ability.WEIGHTS not in method.needs:
                covered = spec
            check = getattr(method, "check", None)
            if check is not None:
                check(model, _own(method, examples))

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Fit each to the model that the former ones treated, on the examples that it can use.

        Raises:
            EvenhandError: what one of them raises; NoEffect too where one changes nothing.
        """
        from evenhand.treatments import About, proven
        from evenhand.treatments.stack import StackTreatment

        parts: list[Treatment] = []
        with ExitStack() as applied:
            current = model
            for method in self.methods:
                own = _own(method, examples)
                part = method.fit(current, own, sites=sites if method.wants_sites else None, seed=seed)
                parts.append(part)
                current = applied.enter_context(part.applied(current))
        said, details = JOINT.join(self.specs), _details(parts)
        if self.sham_seed is not None:
            said, details = f"sham({said})", {**details, "sham_seed": self.sham_seed}
        about = About(said, model.spec.digest, seed, details)
        made: Treatment = proven(model, StackTreatment(about, tuple(parts)), examples)
        return made

    def sham(self, *, seed: int) -> Stack | None:
        """Each one's sham, stacked; None where the first has none, and of a stack of shams.

        A later method without a sham stands in it as it is: then less of the effect is beyond the sham.
        """
        shams = [method.sham(seed=seed) for method in self.methods]
        if shams[0] is None or self.sham_seed is not None:
            return None
        pairs = zip(shams, self.methods, strict=True)
        return Stack(tuple(own if sham is None else sham for sham, own in pairs), self.specs, seed)


def stacked(methods: Sequence[Any], specs: Sequence[str]) -> Any:
    """The one method itself, else the stack of them."""
    return methods[0] if len(methods) == 1 else Stack(tuple(methods), tuple(specs))


def _own(method: Any, examples: Sequence[Any]) -> list[Any]:
    return [example for example in examples if isinstance(example, method.fits_on)]


def _details(parts: Sequence[Treatment]) -> dict[str, Any]:
    """The parts' own details, and the recipe of the first one that was trained, for control models."""
    said = [dict(part.about.details) for part in parts]
    recipe = {key: value for own in reversed(said) for key, value in own.items() if key in _RECIPE}
    return {**recipe, "parts": said}
