"""Steering: move hidden states along the difference of the groups' means.

v is the mean state of prompts that lean to the second group minus that of prompts that lean to the first.
``how=add`` adds ``a v`` to every state, which shifts every answer the same way; ``how=affine`` takes the
coordinate along v out, up to the middle c of the two means: ``h - a v v'(h - c) / v'v`` (affine concept
editing, 2025). With ``when=detected`` it is FairSteer's way (2025): only where a probe says so.

The coefficient a is the one with the smallest gap between the groups on held-out subjects of the train part.
Published studies choose it on the benchmark that they report; no item that is measured is looked at here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadOption, NoEffect
from evenhand.mitigations._erasing.method import Erasing, Fit, Made
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from evenhand.mitigations._erasing.rows import Rows
    from evenhand.models import Model
    from evenhand.subspaces import Array

AFFINE = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
ADD = (-2.0, -1.0, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5, 1.0, 2.0)
"""Coefficients to choose from."""


@dataclass(frozen=True)
class Steering(Erasing):
    """Move the states of prompts along the difference of two groups' means.

    Attributes:
        at: where: ``block``, ``head`` (what the head reads), ``vectors`` (the last hidden states), ``auto``.
        blocks: block numbers joined by ``+``, instead of the locator's choice.
        top: how many blocks, from the top of the locator's ranking.
        signal: ``preference`` (what the model's answer to a prompt leans to) or ``terms`` (texts with each
            group's term); pairs of texts always give the second.
        when: ``always``, or ``detected`` by a probe that says that a prompt states no group.
        threshold: the probe's probability above which the map acts.
        fold: write the map into the head's weights; the head needs a bias for it.
        how: ``affine``, take the coordinate out; ``add``, shift it.
        coefficient: how far; None chooses it on held-out prompts of the train part, and is 1 for pairs.
    """

    how: Literal["affine", "add"] = "affine"
    coefficient: float | None = None

    name: ClassVar[str] = "steering"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers("steering", _unsigned(self), positive=("coefficient",))

    def check(self, model: Model | None, examples: Sequence[Any]) -> None:
        """Refuse more than two groups, an addition of unknown size, and what `Erasing.check` refuses.

        Raises:
            BadModel, BadOption, BadData: as there.
        """
        super().check(model, examples)
        shown = [example for example in examples if not example.keep]
        if self.how == "add" and self.coefficient is None and self._of_texts(shown):
            raise BadOption(
                "how=add chooses its coefficient on prompts, and pairs of texts have none.",
                mend="Write coefficient=1, or another number.",
            )
        if len(getattr(shown[0], "terms", "12")) != 2:
            raise BadOption(
                f"steering moves between two groups, and the prompts have {len(shown[0].terms)}.",
                mend="Use leace, which takes any number.",
            )

    def made(self, fit: Fit) -> Made:
        """The map with the coefficient; it says the length of v and how the coefficient was chosen.

        Raises:
            BadData: a group has no states.
            NoEffect: no addition makes the gap smaller than none.
        """
        from evenhand import subspaces

        direction, middle = _direction(fit.train)
        size, chosen = self.coefficient, "given"
        if size is None and not fit.prompts:
            size, chosen = 1.0, "default"
        elif size is None:
            chosen = "held-out prompts" if len(fit.test.codes) else "fitted prompts"
            size = self._chosen(fit, direction, middle)
        if fit.sham is not None:
            drawn, middle = _direction(fit.train.permuted(fit.sham))
            direction = drawn * float(subspaces.norm(direction) / max(subspaces.norm(drawn), 1e-300))
        details = {"coefficient": size, "chosen_on": chosen, "length": subspaces.norm(direction)}
        return replace(self._map(direction, middle, size), details=details)

    def _map(self, direction: Array, middle: Array, size: float) -> Made:
        from evenhand import subspaces

        if self.how == "add":
            return Made(subspaces.nothing(len(direction)), size * direction)
        found = subspaces.removal(direction[None, :], middle)
        return Made(replace(found, left=size * found.left))

    def _chosen(self, fit: Fit, direction: Array, middle: Array) -> float:
        """The coefficient with the smallest mean gap between the groups' shares on the fit's prompts."""
        from evenhand.hooks import edited
        from evenhand.mitigations._erasing.rows import mean_gap
        from evenhand.treatments.projection import StateMap

        gaps = {}
        for size in AFFINE if self.how == "affine" else ADD:
            made = self._map(direction, middle, size)
            with edited(fit.model, fit.site, StateMap.of(made.removed, shift=made.shift)):
                gaps[size] = mean_gap(fit.model, fit.prompts)
        best = min(gaps, key=lambda size: (gaps[size], abs(size)))
        if self.how == "add" and gaps[best] >= mean_gap(fit.model, fit.prompts):
            raise NoEffect(
                "No shift of all states makes the gap between the groups smaller: answers lean both ways.",
                mend="Use how=affine.",
            )
        return best


def _direction(rows: Rows) -> tuple[Array, Array]:
    """The second group's mean state less the first one's [d], and the middle of both [d]."""
    from evenhand import subspaces

    directions, middle = subspaces.mean_difference(rows.states, rows.codes, 2)
    return directions[0], middle


def _unsigned(method: Steering) -> Any:
    """The coefficient without its sign, for the check that it is a number other than 0."""
    from types import SimpleNamespace

    size = method.coefficient
    return SimpleNamespace(coefficient=abs(size) if isinstance(size, float | int) else size)


component = Steering
