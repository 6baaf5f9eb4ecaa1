"""DAMA: take the directions that separate the groups' values out of what some MLPs write (Limisiewicz,
Mareček and Musil 2024, Debiasing Algorithm through Model Adaptation).

For every training prompt an offset of the MLP's value is found that makes the model say each group's term
(see `evenhand.mitigations._editing.values`), and the MLP's key is read, a mean over contexts. With the keys
U [n, inner], the weight W [width, inner] and the differences of the groups' offsets V [n, width], partial
least squares from ``U W'`` to V gives c directions B, and

    M = I - orth(B) orth(B)',     W <- M W,     bias <- M bias

so that the MLP writes nothing along them, whatever it is given. The blocks are those that causal tracing of
the MLPs ranks first, treated from the lowest up, each with those below it already treated. For more than two
groups V holds every group's offset minus their mean.

What the published code does and this one does not: with more than one request a batch it repeats the
earlier prompts and clamps every offset by the first prompt's value; it stores the projection in half
precision, so that it is none any more (here M M = M is checked in float64 and stated); and c may exceed what
n prompts can determine (here c <= min(n - 1, width)). It adds an offset that all groups share, which cancels
in V; here there is none. The weight decay is |d| / |v0|^2, as in the code: |d|^2 / |v0| outweighs the
likelihood, and offsets end with a larger loss than they began with.

It removes what the value of an MLP says of the groups. A bias that passes through attention is not touched:
Qin et al. (2025) found a larger gap after DAMA on Qwen2.5-7B, and so it is on the lab's planted bias.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from evenhand import registry
from evenhand.errors import BadData, BadModel, NoEffect
from evenhand.mitigations._editing.options import check_prompts, require_prompts
from evenhand.mitigations._shams import Sham
from evenhand.models.rows import require_left_to_right
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import check_blocks, named_blocks, ranked_blocks, require_open

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.locators import Locator
    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.pls import Array
    from evenhand.treatments import Treatment

SHARE = 9 / 32
"""Of the blocks the paper treats 9 of 32."""
PART = 4
"""Of the width's directions the paper takes 1024 of 4096 out."""
ENOUGH = 0.05
"""An offset with a loss below it, in nats, is not changed any more."""


@dataclass(frozen=True)
class Dama:
    """Project the groups' directions out of the output matrices of some MLPs.

    Attributes:
        blocks: block numbers joined by ``+``; empty for the locator's choice.
        locator: what chooses the blocks, where none are named.
        top: how many blocks it chooses; None is 9 of 32 of them, at least one.
        components: directions taken out of each; None is a quarter of the width. At most prompts - 1.
        token: where a value is changed: at the subject's last token (published), or the prompt's ``last``.
        contexts: texts of the model's own, put before each prompt in turn beside none at all.
        prompts: so many of the training prompts, drawn with a fixed seed; 0 is all (published).
        whitening: 0 leaves the keys as they are; else lambda of ``U (lambda C + U'U)^-1``, C the keys' second
            moment over all tokens of the prompts (published: 20000, C from an encyclopedia).
        v_num_grad_steps, v_lr, v_weight_decay, kl_factor, clamp_norm_factor: how an offset is found.
    """

    blocks: str = ""
    locator: str = "causal_tracing:part=mlp"
    top: int | None = None
    components: int | None = None
    token: Literal["subject_last", "last"] = "subject_last"
    contexts: int = 2
    prompts: int = 256
    whitening: float = 0.0
    v_num_grad_steps: int = 20
    v_lr: float = 0.5
    v_weight_decay: float = 0.5
    kl_factor: float = 0.0625
    clamp_norm_factor: float = 4.0

    needs: ClassVar[frozenset[Ability]] = frozenset(
        {Ability.GENERATE, Ability.GRADIENTS, Ability.HIDDEN, Ability.WEIGHTS}
    )
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers(
            "dama",
            self,
            whole=("top", "components", "v_num_grad_steps"),
            positive=("v_lr", "clamp_norm_factor"),
            from_zero=("contexts", "prompts", "whitening", "v_weight_decay", "kl_factor"),
        )

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse models without one matrix an MLP, blocks that are not there, prompts without a subject.

        Raises:
            BadModel: the model gives no weights, does not read from left to right, or its MLPs are mixtures.
            BadOption: a block, `top` or a locator that cannot be.
            BadData: a prompt does not say where its subject stands.
        """
        registry.get("locator", registry.parse(self.locator).name)
        if model is not None:
            opened = require_left_to_right(require_open(model, self.needs), "dama", "lftf")
            check_blocks(opened, top=self.top or 1, blocks=self.blocks)
            _check_matrices(opened)
        check_prompts(examples)

    def stages(self, model: OpenModel, examples: Sequence[Example]) -> tuple[Stage, ...]:
        """What `fit` takes at the most: with gradients through all blocks where none are named.

        Raises:
            BadOption, BadModel: as for `check`.
        """
        from evenhand.mitigations._editing.sizes import asked, projection_stages
        from evenhand.models.projections import output_projection

        check_blocks(model, top=self.top or 1, blocks=self.blocks)
        every = model.layout.blocks()
        chosen = named_blocks(model, self.blocks) if self.blocks else every[: self._number(len(every))]
        maps = [output_projection(model, block, "mlp") for block in chosen]
        of = asked(model, self._drawn([e for e in examples if not e.keep]), None, self.contexts)
        lowest = min(one.block for one in maps) + 1 if self.blocks else 0
        made = projection_stages(maps, of, whitened=bool(self.whitening), lowest=lowest)
        located = getattr(registry.create("locator", self.locator), "stages", None)
        return made if self.blocks or located is None else (*located(model, examples), *made)

    def fit(
        self, model: Model, examples: Sequence[Example], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Fit a projection for every block; the model keeps its weights. `seed` is the locator's alone.

        Raises:
            BadModel, BadOption, BadData: as for `check`.
            NoEffect: a changed value cannot reach the answers, or no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same with directions drawn from the covariance of what the MLP writes, of equal variance."""
        return Sham(spec_of("dama", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.treatments import About, proven
        from evenhand.treatments.weights import WeightTreatment

        self.check(model, examples)
        opened = require_open(model, self.needs)
        trained = require_prompts(examples)
        if len(trained) < 2:
            raise BadData(
                "DAMA needs at least two prompts to fit on.", mend="Use a benchmark with a train part."
            )
        blocks, located_by = self._blocks(opened, trained, sites, seed)
        chosen = self._drawn(trained)
        fits = self._fits(opened, blocks, chosen)
        if sham is not None:
            fits = [fit.drawn(sham + number) for number, fit in enumerate(fits)]
        weights: dict[str, Tensor] = {}
        for fit in fits:
            weights |= fit.weights(opened)
        details = {
            "blocks": list(blocks),
            "located_by": located_by,
            "prompts": len(chosen),
            "projections": [fit.said() for fit in fits],
        }
        about = About(method=spec_of("dama", self), base=model.spec.digest, seed=seed, details=details)
        treatment: Treatment = proven(model, WeightTreatment(about, weights), trained)
        return treatment

    def _blocks(
        self, model: OpenModel, trained: Sequence[Example], sites: Attribution | None, seed: int
    ) -> tuple[tuple[str, ...], str | None]:
        """The blocks from the lowest up, and the locator that chose them, None where they were named."""
        every = model.layout.blocks()
        if self.blocks:
            chosen: Sequence[str] = named_blocks(model, self.blocks)
            located = None
        else:
            if sites is None:
                locator: Locator = registry.create("locator", self.locator)
                sites = locator.locate(model, trained, None, seed=seed)
            located = sites.locator
            # At the subject's token the last block's value is read by nothing.
            able = [s for s in ranked_blocks(sites) if self.token == "last" or s != every[-1]] or every
            chosen = able[: self._number(len(every))]
        return tuple(sorted(set(chosen), key=every.index)), located

    def _number(self, blocks: int) -> int:
        """How many of so many blocks a locator chooses."""
        return self.top or max(1, round(SHARE * blocks))

    def _drawn(self, trained: Sequence[Example]) -> list[Example]:
        ordered = sorted(trained, key=lambda e: (e.id, e.context))
        if not self.prompts or len(ordered) <= self.prompts:
            return ordered
        return random.Random(0).sample(ordered, self.prompts)

    def _fits(self, model: OpenModel, blocks: Sequence[str], chosen: Sequence[Example]) -> list[_Fit]:
        """A fit for each block; kept with the model, because every sham begins with the same ones."""
        from evenhand.hooks import restore
        from evenhand.mitigations._editing.offsets import own_texts
        from evenhand.scoring.kept import bits, kept_of

        kept = kept_of(model.module).results
        key = ("dama", repr(self), tuple(blocks), tuple(chosen), bits(model.module.parameters()))
        known: _Fits | None = kept.find(key)
        if known is not None:
            return known.fits
        texts = own_texts(model, chosen, self.contexts)
        parameters = dict(model.module.named_parameters())
        names = [name for block in blocks for name in _names(model, block)]
        fits: list[_Fit] = []
        with restore(parameters[name] for name in names):
            for block in blocks:
                fits.append(self._fit_one(model, block, chosen, texts))
                _written(model, fits[-1])
        kept.put(key, _Fits(fits))
        return fits

    def _fit_one(self, model: OpenModel, block: str, chosen: Sequence[Example], texts: Sequence[str]) -> _Fit:
        from evenhand.mitigations._editing.offsets import offsets
        from evenhand.mitigations._editing.values import Search
        from evenhand.models.projections import output_projection
        from evenhand.pls import pls_directions

        how = Search(
            self.v_num_grad_steps + 1,  # looks: one before the first step
            self.v_lr,
            self.kl_factor,
            self.v_weight_decay,
            self.clamp_norm_factor,
            ENOUGH,
        )
        found = offsets(model, block, chosen, texts, (how, self.token))
        keys, added = np.asarray(found.keys), np.asarray(found.added)  # U [n, inner], and [n, k, width]
        if not np.abs(added).max() > 0:
            raise NoEffect(
                f"No change of the value of {block} at the {self.token} token reaches an answer.",
                mend="Name lower blocks (dama:blocks=...), or use dama:token=last.",
            )
        matrix = np.asarray(output_projection(model, block, "mlp").exact())  # W, [width, inner]
        if self.whitening:
            keys = whitened(keys, _second_moment(model, block, chosen), self.whitening)
        written = keys @ matrix.T
        most = self.components or max(1, matrix.shape[0] // PART)
        basis = pls_directions(written, contrast(added), most)
        return _Fit(block, written, basis, found.first_loss, found.last_loss)


@dataclass(frozen=True)
class _Fit:
    """The directions `basis` [width, c] of one block, and what its MLP writes for the keys, [n, width]."""

    block: str
    written: Array
    basis: Array
    first_loss: float
    last_loss: float

    @property
    def nbytes(self) -> int:
        """Its size."""
        return int(self.written.nbytes + self.basis.nbytes)

    def drawn(self, seed: int) -> _Fit:
        """As many directions, drawn at random, that take out as much of the variance of what is written."""
        from evenhand.pls import drawn_directions, removed_variance

        share = removed_variance(self.written, self.basis)
        basis = drawn_directions(self.written, self.basis.shape[1], share, seed)
        return _Fit(self.block, self.written, basis, self.first_loss, self.last_loss)

    def weights(self, model: OpenModel) -> dict[str, Tensor]:
        """``M W`` and ``M bias`` by the parameters' names, float32, made in float64.

        Raises:
            BadModel: M M is not M.
        """
        import torch

        from evenhand.models.projections import output_projection
        from evenhand.pls import projection_without

        projection = output_projection(model, self.block, "mlp")
        m = projection_without(self.basis)
        if _not_idempotent(m) > 1e-9:
            raise BadModel(
                f"The directions of {self.block} give no projection.", mend="Ask for fewer components."
            )
        wide = torch.from_numpy(m)
        new = wide @ projection.exact()  # [width, inner]
        made = {projection.weight: projection.turned(new).float().contiguous()}
        if projection.bias is not None:
            bias = model.module.get_parameter(projection.bias).detach().double().cpu()
            made[projection.bias] = (wide @ bias).float()
        return made

    def said(self) -> dict[str, Any]:
        """What the treatment says of it."""
        from evenhand.pls import projection_without, removed_variance

        return {
            "block": self.block,
            "components": self.basis.shape[1],
            "removed_variance": removed_variance(self.written, self.basis),
            "largest_of_mm_minus_m": _not_idempotent(projection_without(self.basis)),
            "first_loss": self.first_loss,
            "last_loss": self.last_loss,
        }


@dataclass(frozen=True)
class _Fits:
    """The fits of one treatment."""

    fits: list[_Fit]

    @property
    def nbytes(self) -> int:
        """Their size."""
        return sum(fit.nbytes for fit in self.fits)


def contrast(offsets: Array) -> Array:
    """Of offsets [n, k, width] the difference of two groups [n, width]; of more all, centred [n, k width]."""
    if offsets.shape[1] == 2:
        return np.asarray(offsets[:, 0] - offsets[:, 1])
    return np.asarray((offsets - offsets.mean(axis=1, keepdims=True)).reshape(len(offsets), -1))


def whitened(keys: Array, moment: Array, weight: float) -> Array:
    """``U (weight C + U'U)^-1`` for keys U [n, inner] and their second moment C [inner, inner]."""
    return np.asarray(np.linalg.lstsq(weight * moment + keys.T @ keys, keys.T, rcond=None)[0].T)


def _not_idempotent(m: Array) -> float:
    return float(np.abs(m @ m - m).max())


def _second_moment(model: OpenModel, block: str, examples: Sequence[Example]) -> Array:
    """The mean of ``k k'`` over the keys at all tokens of the prompts, [inner, inner]."""
    from evenhand.mitigations._editing.moments import summed
    from evenhand.models.projections import output_projection

    sums = summed(model, output_projection(model, block, "mlp"), [e.context for e in examples])
    return np.asarray(sums.outer / sums.n)


def _names(model: OpenModel, block: str) -> list[str]:
    from evenhand.models.projections import output_projection

    projection = output_projection(model, block, "mlp")
    return [projection.weight, *([projection.bias] if projection.bias is not None else [])]


def _written(model: OpenModel, fit: _Fit) -> None:
    """Write the treated values of one block into the model."""
    import torch

    parameters = dict(model.module.named_parameters())
    with torch.no_grad():
        for name, value in fit.weights(model).items():
            parameters[name].copy_(value)


def _check_matrices(model: OpenModel) -> None:
    from evenhand.models.projections import output_projection

    for block in model.layout.blocks():
        output_projection(model, block, "mlp")


component = Dama
