"""The sham of a treatment: its own method with the direction of the signal drawn at random.

Same prompts, parameters and steps, and no aim for the groups: what such a method does to a bias score by
itself (control family a, the one that a claim needs). Each mitigation says what its sham is
(`evenhand.mitigations.Mitigation.sham`); the change is scaled by the dose, where it can be.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from evenhand import registry
from evenhand.controls import Ladder
from evenhand.controls._parameters import Placed, touched
from evenhand.errors import BadModel, EvenhandError
from evenhand.models import gives_weights
from evenhand.records import EVERY_KIND, Ability, Attribution, Example, Kinds, PersonExample, SiteScore
from evenhand.training.numbers import check_numbers
from evenhand.training.stacking import Stack, split, stacked

if TYPE_CHECKING:
    from evenhand.mitigations import Mitigation
    from evenhand.models import OpenModel
    from evenhand.records import TrainingExample
    from evenhand.treatments import Treatment

_ALONE = "unchanged"  # the method of what stands in for a treatment where there is none
_SHORT = "prompt:text=Everyone is welcome here."
_OF: tuple[tuple[type[Any], str], ...] = ((Example, "lftf"), (PersonExample, "group_gap"))


@dataclass(frozen=True)
class ShamControl(Placed):
    """Fit the compared treatment's method without its signal.

    Attributes:
        dose: multiplies the change of the weights; above 0. A prompt or a rule on scores has only one.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment changes, or
            without a treatment, the located block.
        of: the method, where there is no treatment to compare with: empty is ``lftf`` for prompts,
            ``group_gap`` for people, and a short ``prompt`` for anything else.
    """

    dose: float = 1.0
    blocks: str = ""
    of: str = ""

    ladder: ClassVar[Ladder] = Ladder(
        "a",
        lowest=0.05,
        highest=50.0,
        scaled=True,
    )
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.LOGPROBS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers("sham", self, positive=("dose",))
        if self.of:
            made(self.of)  # a wrong name or option is reported before anything is measured

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """Those of `blocks`, else those that the treatment changes, else all; none without a sham."""
        if self.why_not(treatment):
            return ()
        return touched(model, treatment, self.blocks) if gives_weights(model) else ("the answers",)

    def why_not(self, treatment: Treatment) -> str:
        """Why there is no sham of this treatment, as the end of a sentence; empty where there is one."""
        spec = treatment.about.method
        if spec == _ALONE:
            return ""
        try:
            method = made(spec)
        except EvenhandError:
            return f"the treatment was made by {spec}, which is none of the installed mitigations."
        sham = getattr(method, "sham", lambda seed: None)(seed=0)
        return "" if sham is not None else f"{spec} has no direction that could be drawn at random."

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[TrainingExample],
        seed: int,
    ) -> Treatment:
        """Fit the sham, and scale it by `dose` where a treatment of its kind can be scaled.

        Raises:
            BadModel: there is no sham of this treatment, or what the method itself refuses.
            NoEffect: no answer changed.
        """
        from evenhand.treatments import proven, scalable, scaled

        why = self.why_not(treatment)
        if why:
            raise BadModel(f"There is no sham: {why}", mend="Use plain_text or noise.")
        alone = treatment.about.method == _ALONE
        spec = (self.of or _method_of(examples)) if alone else treatment.about.method
        blocks = () if not gives_weights(model) else self._blocks(model, treatment)
        sham = _within(made(spec), blocks, treatment.about.details).sham(seed=seed)
        if sham is None:
            raise BadModel(
                f"{spec} has no direction that could be drawn at random.", mend="Use plain_text or noise."
            )
        fitted: Any = sham.fit(
            model, examples, sites=_ranked(blocks) if sham.wants_sites else None, seed=seed
        )
        method = registry.spec_of("sham", self.beside(treatment, dose))
        details = {**fitted.about.details, "sham_of": fitted.about.method}
        fitted = dataclasses.replace(
            fitted, about=dataclasses.replace(fitted.about, method=method, details=details)
        )
        if dose == 1 or not scalable(fitted):
            return fitted  # type: ignore[no-any-return]
        proved: Treatment = proven(model, scaled(fitted, model, dose), examples)
        return proved

    def _blocks(self, model: OpenModel, treatment: Treatment) -> tuple[str, ...]:
        """The sites of the blocks to train; empty for all of a model, or where nothing says which."""
        if self.blocks:
            return tuple(f"block.{int(number)}" for number in self.blocks.split("+"))
        known = treatment.about.details.get("blocks")
        if known:
            return tuple(known)
        layout, names = model.layout, treatment.touches
        found = tuple(block for block in layout.blocks() if names & set(layout.parameters(block)))
        return found if len(found) < layout.n_blocks else ()


def made(spec: str) -> Mitigation:
    """The mitigation of a canonical spec, whose values may hold commas, or the stack of several.

    Raises:
        EvenhandError: there is none of that name, or an option is not one of its own.
    """
    specs = split(spec)
    method: Mitigation = stacked([_one(own) for own in specs], specs)
    return method


def _one(spec: str) -> Mitigation:
    name, _, rest = spec.partition(":")
    known = registry.options(registry.get("mitigation", name))
    parts = re.split(rf",(?=(?:{'|'.join(map(re.escape, known)) or '$'})=)", rest) if rest else []
    options = {key: value for key, _, value in (part.partition("=") for part in parts)}
    method: Mitigation = registry.create("mitigation", registry.ComponentSpec(name, options))
    return method


def _method_of(examples: Sequence[TrainingExample]) -> str:
    """The method whose sham stands for all others with examples of this kind."""
    return next((name for kind, name in _OF if examples and isinstance(examples[0], kind)), _SHORT)


def _within(method: Any, blocks: Sequence[str], details: Mapping[str, Any]) -> Any:
    """The method told to train `blocks`, if it can be told and says nothing itself.

    Of a stack, each method is told what its part of the treatment's `details` says.
    """
    if isinstance(method, Stack):
        parts = details.get("parts") or [{}] * len(method.methods)
        told = (
            _within(one, part.get("blocks", blocks), part)
            for one, part in zip(method.methods, parts, strict=True)
        )
        return dataclasses.replace(method, methods=tuple(told))
    fields = {field.name for field in dataclasses.fields(method)} if dataclasses.is_dataclass(method) else ()
    if not blocks or "blocks" not in fields or method.blocks:
        return method
    numbers = "+".join(block.removeprefix("block.") for block in blocks)
    return dataclasses.replace(method, blocks=numbers)


def _ranked(blocks: Sequence[str]) -> Attribution | None:
    """The blocks as a locator gives them, or None without any."""
    scores = tuple(SiteScore(block, float(-i)) for i, block in enumerate(blocks))
    return Attribution("treatment", False, scores, "where the treatment is") if scores else None


component = ShamControl
