"""Several mitigations one after the other: each is fitted to the model that the ones before it treated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.errors import BadModel
from evenhand.mitigations import Mitigation, refuse
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Kinds

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment

JOINT = " + "
_RECIPE = ("lr", "epochs", "batch", "blocks")  # what control models take from a treatment's details


def split(text: str) -> tuple[str, ...]:
    """The specs of a text such as ``lftf:top=2 + thresholds``; a plus sign splits before a method only."""
    known = "|".join(map(re.escape, (*registry.names("mitigation"), *registry.names("control"))))
    return tuple(part.strip() for part in re.split(rf" \+ (?=(?:{known})(?::| \+ |$))", text))


def joined(specs: str | Sequence[str]) -> str:
    """One text of several specs, in the order in which they are fitted."""
    return specs if isinstance(specs, str) else JOINT.join(specs)


@dataclass(frozen=True)
class Stack:
    """The `methods` in order, each with its canonical spec in `specs`.

    One location serves all of them: it is that of the model before any of them was fitted.
    """

    methods: tuple[Mitigation, ...]
    specs: tuple[str, ...] = field(repr=False)

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
            refuse(method, model, _own(method, examples))

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
        about = About(JOINT.join(p.about.method for p in parts), model.spec.digest, seed, _details(parts))
        made: Treatment = proven(model, StackTreatment(about, tuple(parts)), examples)
        return made

    def sham(self, *, seed: int) -> Sham | None:
        """Each one's sham, stacked; None where the first has none.

        A later method without a sham stands in it as it is: then less of the effect is beyond the sham.
        """
        shams = [method.sham(seed=seed) for method in self.methods]
        if shams[0] is None:
            return None
        pairs = zip(shams, self.methods, strict=True)
        stack = Stack(tuple(m if s is None else s for s, m in pairs), self.specs)

        def fitted(model: Model, examples: Sequence[Any], sites: Attribution | None, seed: int) -> Treatment:
            return stack.fit(model, examples, sites=sites, seed=seed)

        return Sham(JOINT.join(self.specs), self, seed, fitted)


def stacked(methods: Sequence[Mitigation], specs: Sequence[str]) -> Mitigation:
    """The one method itself, else the stack of them."""
    if len(methods) == 1:
        return methods[0]
    stack: Any = Stack(tuple(methods), tuple(specs))
    return stack  # type: ignore[no-any-return]


def _own(method: Mitigation, examples: Sequence[Any]) -> list[Any]:
    return [example for example in examples if isinstance(example, method.fits_on)]


def _details(parts: Sequence[Treatment]) -> dict[str, Any]:
    """The parts' own details, and the recipe of the first one that was trained, for control models."""
    said = [dict(part.about.details) for part in parts]
    recipe = {key: value for own in reversed(said) for key, value in own.items() if key in _RECIPE}
    return {**recipe, "parts": said}
