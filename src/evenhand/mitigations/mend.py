"""MEND: a trained editor turns the gradient of an edit into a change of weights (Mitchell et al. 2022).

The editor, a small network, is trained on the user's own prompts: it gets the input and the output gradient
of every MLP matrix of three blocks, normalised, and gives a pair of low-rank factors of the change. It is
trained so that edited prompts, also behind other texts, go where they should, while ordinary sentences keep
their predictions (``c_edit L_e + c_loc KL``). What is saved is the change of the weights, not the editor.

Published settings: rank 1920, learning rate 1e-6, edit rate 1e-4, c_edit .1, c_loc 1, 100 000 iterations on a
corpus of facts. No settings for LFTF's table 3 (Llama3.2-3B) are published. Here there are some hundred
prompts: at most 2000 iterations at a higher rate, stopped by subjects that are held out, and `c_edit` 1. The
moments of inputs and gradients are taken once over the training prompts, not while running.

`state` says what an edit starts from. ``batch``: the gradients of all prompts on the base, and the mean of
their changes, as the editor was trained for. ``sequential``: one prompt after another on the weights as
edited until then, each with its full change: hundreds of these add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.errors import BadOption
from evenhand.mitigations._editing.options import check_prompts, require_causal, require_prompts
from evenhand.mitigations._shams import Sham
from evenhand.mitigations._texts import own_texts
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import named_blocks, ranked_blocks

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.models.projections import Projection
    from evenhand.models.stage import Stage
    from evenhand.treatments import Treatment

MOST = 2000  # iterations
BLOCKS = 3
STEP, WRITTEN = 13.0, 4.0
"""What a row of a step takes in epochs of one prompt, the editor's work included, and the epochs that its
changes take to be written. Measured on the lab."""


@dataclass(frozen=True)
class Mend:
    """Train an editor on the prompts, and change the weights as it says; the model keeps its own.

    Attributes:
        target: ``balanced``, every group equally likely (ours); ``anti``, the less likely one (the paper's).
        loss: ``nll`` of the target's groups, or ``symmetric_kl`` of the groups' shares, which asks for no
            mass (BiasEdit).
        state: ``batch``, all edits from the base at once; ``sequential``, one after another.
        edits: how many of the training prompts are used, drawn at random; None is all of them.
        blocks: numbers joined by ``+``; empty is the three that a locator ranks first, without one the last
            three.
        rank: of the editor's layers; at most a matrix's inputs and outputs together.
        iterations: of the editor's training, at most 2000.
        batch: prompts that make one change in the training with ``state=batch``.
        lr, lr_lr: learning rates of the editor, and of the edit rates that it learns.
        edit_lr: the edit rate of every matrix at first.
        c_edit, c_loc: weights of the edit and of what must stay.
        contexts: how many texts the edited prompts are also tried behind.
        text: a file of ordinary text, a line a text; empty takes the built-in sentences.
    """

    target: Literal["balanced", "anti"] = "balanced"
    loss: Literal["nll", "symmetric_kl"] = "nll"
    state: Literal["batch", "sequential"] = "batch"
    edits: int | None = None
    blocks: str = ""
    rank: int = 1920
    iterations: int = MOST
    batch: int = 16
    lr: float = 1e-4
    lr_lr: float = 1e-4
    edit_lr: float = 1e-4
    c_edit: float = 1.0
    c_loc: float = 1.0
    contexts: int = 5
    text: str = ""

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers(
            "mend",
            self,
            whole=("edits", "rank", "iterations", "batch"),
            positive=("lr", "lr_lr", "edit_lr", "c_edit"),
            from_zero=("c_loc", "contexts"),
        )
        if self.iterations > MOST:
            raise BadOption(
                f"mend:iterations={self.iterations} is too many for some hundred prompts.",
                mend=f"Write at most {MOST}.",
            )

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse prompts without a subject, blocks that are not there, and models without such maps.

        Raises:
            BadData: no prompt says where its subject stands, or the file of text cannot be read.
            BadOption: a block does not exist.
            BadModel: the model is not causal, gives no weights, or an MLP is no chain of linear maps.
        """
        check_prompts(examples)
        if self.text:
            own_texts(self.text)
        if model is not None:
            self._maps(require_causal(model, self.needs, "mend"), None)

    def effort(self, number: int) -> float:
        """The epochs that a fit and a sham's are as long as, if the training goes on to its last iteration.

        A step reads its requests, and them again bare and behind a text.
        """
        return STEP * self.iterations * 3 * self.batch / max(1, number) + WRITTEN

    def stages(self, model: OpenModel, examples: Sequence[Example]) -> tuple[Stage, ...]:
        """What `fit` takes at the most: with gradients through all blocks where a locator will choose.

        Raises:
            BadOption, BadModel: as for `check`.
        """
        from evenhand.mitigations._editing.sizes import asked, editor_stages

        maps, of = self._maps(model, None), asked(model, examples, self.edits, self.contexts, self.text)
        batch = 1 if self.state == "sequential" else self.batch
        lowest = maps[0].block if self.blocks else 0
        return editor_stages(model, maps, of, rank=self.rank, batch=batch, lowest=lowest)

    def fit(
        self, model: Model, examples: Sequence[Example], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Train an editor and edit; the model keeps its weights.

        Raises:
            BadData, BadOption, BadModel: as for `check`, a loss is not finite, or there is only one subject.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same changes, those of a subject times +1 or -1 at random: on average none in a batch."""
        return Sham(spec_of("mend", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.mitigations._editing.mending import Mending, mended
        from evenhand.mitigations._editing.tuning import Recipe

        opened, given = require_causal(model, self.needs, "mend"), require_prompts(examples)
        sequential = self.state == "sequential"
        how = Mending(
            spec=spec_of("mend", self),
            located_by=None if self.blocks or sites is None else sites.locator,
            target=self.target,
            symmetric=self.loss == "symmetric_kl",
            sequential=sequential,
            edits=self.edits,
            contexts=self.contexts,
            text=self.text,
            recipe=Recipe(
                self.rank,
                self.iterations,
                1 if sequential else self.batch,
                self.lr,
                self.lr_lr,
                self.edit_lr,
                self.c_edit,
                self.c_loc,
            ),
        )
        return mended(opened, self._maps(opened, sites), given, how, seed=seed, sham=sham)

    def _maps(self, model: OpenModel, sites: Attribution | None) -> tuple[Projection, ...]:
        """The MLP matrices of the blocks to edit, from the lowest up."""
        from evenhand.models.projections import mlp_projections

        every = model.layout.blocks()
        ranked = every[::-1] if sites is None else ranked_blocks(sites)
        chosen = named_blocks(model, self.blocks) if self.blocks else ranked[:BLOCKS]
        return tuple(of for block in every if block in chosen for of in mlp_projections(model, block))


component = Mend
