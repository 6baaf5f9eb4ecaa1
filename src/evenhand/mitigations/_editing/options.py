"""The options that ROME, R-ROME and MEMIT share, and how such a method is checked and fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations._editing.blocks import edited_blocks
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.mitigations._editing.stacks import Work
    from evenhand.mitigations._editing.values import Values
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Options:
    """Edit what the model has stored of each prompt's subject; the model keeps its weights.

    Attributes:
        target: ``balanced``, every group equally likely (ours); ``anti``, the less likely one (the paper's).
        edits: how many of the training prompts are edited, drawn at random; None is all of them.
        together: for how many requests values are sought at once, on the weights as edited until then; None
            is all of them, on the base. 1 is the published order, and slow.
        blocks: numbers joined by ``+``; empty is the block under the one that a locator chose, without a
            locator the paper's share of the depth.
        C: ``texts`` estimates the second moment of keys; ``I`` takes the identity, as EasyEdit's settings do
            (``mom2_adjustment: false``), which is not the published method.
        shrink: how far C is drawn towards the identity, from 0 to below 1; None draws it only where there are
            fewer than 10 tokens for each dimension, as far as is best on average (Ledoit and Wolf).
        text: a file of ordinary text, a line a text, for C and for what stands before prompts; empty takes
            the built-in sentences.
        contexts: how many texts are put before each prompt, beside the bare prompt; 0 is the prompt alone.
        steps, value_lr, kl, decay, clamp, enough: of the search for a value: 25 steps of Adam at .5, weights
            of KL and length, longest addition as a multiple of what stands there, and how near to the least
            loss it stops (nats).
    """

    target: Literal["balanced", "anti"] = "balanced"
    edits: int | None = None
    together: int | None = None
    blocks: str = ""
    C: Literal["texts", "I"] = "texts"
    shrink: float | None = None
    text: str = ""
    contexts: int = 5
    steps: int = 25
    value_lr: float = 0.5
    kl: float = 0.0625
    decay: float = 1e-3
    clamp: float = 4.0
    enough: float = 0.05

    name: ClassVar[str]
    several: ClassVar[bool] = False
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers(
            self.name,
            self,
            whole=("edits", "together", "steps"),
            positive=("value_lr", "clamp"),
            from_zero=("contexts", "kl", "decay", "enough"),
            shares=("shrink",),
        )
        if self.C == "I" and (self.shrink is not None or (self.text and not self.contexts)):
            raise BadOption(
                f"{self.name} with C=I estimates nothing, so that shrink= and text= would change nothing.",
                mend="Leave them out, or leave out C=I.",
            )

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse prompts without a subject, blocks that cannot be edited, and models without such a map.

        Raises:
            BadData: no prompt says where its subject stands.
            BadOption: a block that does not exist, or is the last one.
            BadModel: the model is not causal, gives no weights, or its MLP is no chain of linear maps.
        """
        check_spans(examples)
        if model is not None:
            self._places(require_causal(model, self.needs, self.name), None)

    def fit(
        self, model: Model, examples: Sequence[Example], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Edit the model on the examples; it keeps its own weights.

        Raises:
            BadData, BadOption, BadModel: as for `check`, or a number is not finite.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same edits with each subject drawn towards the target or away from it, at random."""
        return Sham(spec_of(self.name, self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.mitigations._editing.fitting import Editing, Moments, edited
        from evenhand.mitigations._editing.values import Search

        opened = require_causal(model, self.needs, self.name)
        check_spans(examples)
        how = Editing(
            spec=spec_of(self.name, self),
            blocks=self._places(opened, sites),
            located_by=None if self.blocks or sites is None else sites.locator,
            target=self.target,
            edits=self.edits,
            together=self.together,
            contexts=self.contexts,
            text=self.text,
            moments=None if self.C == "I" else Moments(self.shrink),
            search=Search(self.steps, self.value_lr, self.kl, self.decay, self.clamp, self.enough),
        )
        trained = [e for e in examples if not e.keep]
        return edited(opened, trained, how, self._stack, seed=seed, sham=sham)

    def _places(self, model: OpenModel, sites: Attribution | None) -> tuple[int, ...]:
        """The numbers of the blocks to edit, whose maps are there."""
        from evenhand.mitigations._editing.maps import down_map

        found = edited_blocks(model, sites, self.blocks, several=self.several)
        for block in found:
            down_map(model, block)
        return found

    def _stack(self, work: Work) -> list[Values]:
        raise NotImplementedError


def require_causal(model: Model, needs: frozenset[Ability], name: str) -> OpenModel:
    """The model as one with access to its weights, if it reads from left to right.

    Raises:
        BadModel: it does not, or lacks one of `needs`.
    """
    if model.spec.family != "causal":
        raise BadModel(
            f"{name} edits what a model reads at a subject before the answer, and {model.spec.uri} is "
            f"a {model.spec.family} model, which reads the answer's place beside it.",
            mend="Use a causal model, or a method that trains whole blocks (--with lftf, full_finetune).",
        )
    return require_open(model, needs)


def check_spans(examples: Sequence[Example]) -> None:
    """Refuse examples to edit that do not say where their subject stands.

    Raises:
        BadData: as for `evenhand.mitigations._editing.subjects.check_requests`.
    """
    unknown = [e for e in examples if not e.keep and e.span is None]
    if unknown:
        raise BadData(
            f"{len(unknown)} prompts do not say where their subject stands, such as "
            f"{unknown[0].context[:60]!r}, and an edit is made at the last token of the subject.",
            mend="Fit on genbiaseval, or give each Example its span (start and end in characters).",
        )
