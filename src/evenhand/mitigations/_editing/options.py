"""The options that ROME, R-ROME and MEMIT share, and how such a method is checked and fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.errors import BadData, BadOption
from evenhand.mitigations._editing.blocks import edited_blocks
from evenhand.mitigations._shams import Sham
from evenhand.mitigations._texts import own_texts
from evenhand.models.rows import require_left_to_right
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.mitigations._editing.stacks import Work
    from evenhand.mitigations._editing.values import Values
    from evenhand.models import Model, OpenModel
    from evenhand.models.projections import Projection
    from evenhand.models.stage import Stage
    from evenhand.treatments import Treatment


LOOK = 4.0
"""What a look at one row takes in epochs of one prompt: forwards and backwards, and no beginning is shared.
Measured with `r_rome` on the lab."""
WRITTEN = 2.0
"""The epochs that writing the values takes, their keys and proof included."""


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
            BadData: no prompt says where its subject stands, or the file of text cannot be read.
            BadOption: a block that does not exist, or is the last one.
            BadModel: the model is not causal, gives no weights, or its MLP is no chain of linear maps.
        """
        check_prompts(examples)
        if self.text:
            own_texts(self.text)
        if model is not None:
            self._places(require_causal(model, self.needs, self.name), None)

    def effort(self, number: int) -> float:
        """The epochs that a fit is as long as, and a sham's, which seeks its values again in a verdict.

        Every request is looked at bare, behind each context, and after what its subject is, in every step.
        """
        share = min(1.0, (self.edits or number) / max(1, number))
        return LOOK * self.steps * (self.contexts + 2) * share + WRITTEN

    def stages(self, model: OpenModel, examples: Sequence[Example]) -> tuple[Stage, ...]:
        """What `fit` takes at the most: with gradients through all blocks where a locator will choose.

        Raises:
            BadOption, BadModel: as for `check`.
        """
        from evenhand.mitigations._editing.sizes import asked, edit_stages

        places = self._places(model, None)
        of = asked(model, examples, self.edits, self.contexts, self.text)
        lowest = places[-1] + 1 if self.blocks else 0
        return edit_stages(model, self._maps(model, places), of, moments=self.C != "I", lowest=lowest)

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
        """The same edits, those of a subject times +1 or -1 at random: on average they change no weight."""
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

        opened, trained = require_causal(model, self.needs, self.name), require_prompts(examples)
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
        return edited(opened, trained, how, self._stack, seed=seed, sham=sham)

    def _places(self, model: OpenModel, sites: Attribution | None) -> tuple[int, ...]:
        """The numbers of the blocks to edit, whose maps are there."""
        found = edited_blocks(model, sites, self.blocks, several=self.several)
        self._maps(model, found)
        return found

    def _maps(self, model: OpenModel, places: Sequence[int]) -> list[Projection]:
        from evenhand.models.projections import output_projection

        return [output_projection(model, f"block.{block}", "mlp") for block in places]

    def _stack(self, work: Work) -> list[Values]:
        raise NotImplementedError


def require_causal(model: Model, needs: frozenset[Ability], name: str) -> OpenModel:
    """The model as one with access to its weights, if it reads from left to right.

    Raises:
        BadModel: it does not, or lacks one of `needs`.
    """
    return require_left_to_right(require_open(model, needs), name, "a method that trains (--with lftf)")


def check_prompts(examples: Sequence[Example]) -> list[Example]:
    """The examples to edit, those that stay as they are left out; each says where its subject stands.

    Raises:
        BadData: one does not.
    """
    from evenhand.scoring.subjects import check_spans

    found = [example for example in examples if not example.keep]
    check_spans(found)
    return found


def require_prompts(examples: Sequence[Example]) -> list[Example]:
    """As `check_prompts`, for a fit.

    Raises:
        BadData: there are none, or one does not say where its subject stands.
    """
    if not (found := check_prompts(examples)):
        raise BadData("There are no prompts to edit.", mend="Use a benchmark with a train part: genbiaseval.")
    return found
