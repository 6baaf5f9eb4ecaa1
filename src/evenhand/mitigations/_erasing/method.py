"""What all methods that fit a map of hidden states share: options, sites, the fit, the sham, the report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Example, Kinds, PairExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import check_blocks, chosen_blocks, require_open

if TYPE_CHECKING:
    from evenhand.mitigations._erasing.rows import Rows
    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.subspaces import Affine, Array
    from evenhand.treatments import Treatment
    from evenhand.treatments.projection import StateMap

At = Literal["auto", "block", "head", "vectors"]
PASSES = 4.0  # epochs of a fit, measured with `leace` on the lab
TABLES = 8
"""Tables of all states that a fit and its probes hold at a time: themselves, those fitted on, their parts."""


@dataclass(frozen=True)
class Fit:
    """One site's fit: states to fit on and states held out, with the held-out prompts where there are any."""

    model: Any
    site: str
    train: Rows
    test: Rows
    prompts: Sequence[Example] = ()
    sham: int | None = None


@dataclass(frozen=True)
class Made:
    """What a fit gives: what is removed, what is added (in the states' units), and what to say of it."""

    removed: Affine
    shift: Array | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Erasing(ABC):
    """A method that maps the hidden states at some sites; a subclass says which map (`made`).

    Attributes:
        at: where the map is: ``block`` (the output of blocks of a causal model), ``head`` (what the head
            reads), ``vectors`` (the last hidden states). ``auto``: a located or named block for prompts of a
            causal model, the head for those of other models, the vectors for pairs of texts.
        blocks: block numbers joined by ``+``, instead of the locator's choice.
        top: how many blocks, from the top of the locator's ranking. Several are fitted from the lowest on,
            each on states that the maps below have changed.
        signal: what tells the groups apart: ``preference``, the group that the model's own answer leans to
            after a prompt that states none; ``terms``, texts with each group's term. Pairs of texts always
            give the second.
        when: ``always``, or ``detected``: only where a logistic probe says that no group is stated. It is
            fitted on prompts without and with a hint (`keep`).
        threshold: the probe's probability above which the map acts.
        fold: write the map into the head's weights, exactly; for a causal model, at the head, without a
            probe.
    """

    at: At = "auto"
    blocks: str = ""
    top: int = 1
    signal: Literal["preference", "terms"] = "preference"
    when: Literal["always", "detected"] = "always"
    threshold: float = 0.5
    fold: bool = False

    name: ClassVar[str]
    squares: ClassVar[int] = 0
    """Matrices of the states' width by itself, float64, that `made` holds at a time."""
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = (Example, PairExample)

    def __post_init__(self) -> None:
        check_numbers(self.name, self, whole=("top",), shares=("threshold",))

    def check(self, model: Model | None, examples: Sequence[Any]) -> None:
        """Refuse what cannot be fitted; the model is not asked.

        Raises:
            BadModel: the model gives no hidden states, or no blocks or probabilities where these are needed.
            BadOption: options that exclude each other, or a block that does not exist.
            BadData: there is nothing to fit on.
        """
        shown = [example for example in examples if not example.keep]
        if not shown:
            raise BadData(
                f"There is nothing to fit {self.name} on.",
                mend="Use a benchmark with a train part, such as genbiaseval.",
            )
        texts = self._of_texts(shown)
        if self.when == "detected" and (texts or len(shown) == len(examples)):
            raise BadOption(
                "when=detected learns where a group is stated from prompts with and without a hint, "
                "and there are none with one.",
                mend="Fit on prompts (genbiaseval), or use when=always.",
            )
        if self.fold and (texts or self.when == "detected" or self.at not in ("auto", "head")):
            raise BadOption(
                "fold=true writes a map of what the head reads into the head: it needs prompts, at=head and "
                "when=always.",
                mend="Leave fold out.",
            )
        if model is not None:
            self._check_model(model, texts)

    def _check_model(self, model: Model, texts: bool) -> None:
        if Ability.HIDDEN not in model.can:
            raise BadModel(
                f"{model.spec.uri} does not give access to its hidden states, which {self.name} needs.",
                mend="Use a model with access to its weights (hf: or lab:), or `--with prompt`.",
            )
        if not texts and Ability.LOGPROBS not in model.can:
            raise BadModel(
                f"{model.spec.uri} gives no probabilities, so its answers lean to no group.",
                mend=f"Fit on pairs of texts (-b seat), or use {self.name}:signal=terms.",
            )
        if self.fold or self._by_block(model, texts):
            opened = require_open(model, frozenset({Ability.WEIGHTS}))
            if not self.fold:
                check_blocks(opened, top=self.top, blocks=self.blocks)
        elif self.at == "head" and texts:
            raise BadOption(
                "at=head reads the states that predict a term, and pairs of texts have none.",
                mend="Use at=vectors.",
            )
        elif self.at == "vectors" and not texts and model.spec.family != "causal":
            raise BadOption(
                f"A prompt of a {model.spec.family} model has no last token that predicts its term.",
                mend="Use at=head, or signal=terms.",
            )

    def effort(self, number: int) -> float:
        """The epochs that a fit is as long as, and a sham's: both read every state and every answer."""
        return PASSES

    def stages(self, model: OpenModel, examples: Sequence[Any]) -> tuple[Stage, ...]:
        """What `fit` takes: passes as those of measuring, the states of all examples, and some matrices."""
        from evenhand.models.stage import FLOAT64, Stage

        shown = [example for example in examples if not example.keep]
        texts = bool(shown) and self._of_texts(shown)
        n = len(shown) * (2 if texts else 1)
        width = int(model.module.config.get_text_config().hidden_size)  # type: ignore[union-attr,operator]
        held = FLOAT64 * (TABLES * n * width + self.squares * width**2)
        changed = model.module.get_output_embeddings().weight.numel() if self.fold else 0  # type: ignore[operator]
        plain = Stage(changed=changed, copied=0, backward=False, matrices=FLOAT64 * n * width)
        asked = replace(plain, rows=0) if texts else plain  # a text is read, and nothing after it predicted
        return asked, replace(plain, tokens=0, rows=0, matrices=held)

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Fit the map; no weight of the model changes.

        About a fifth of the subjects is held out of the fit: the details hold the accuracy of a linear probe
        for the group on them, before and after.

        Raises:
            BadModel, BadOption, BadData: as for `check`, or no block was located or named.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham | None:
        """As many directions drawn from the states' covariance, which remove as much of their variance."""
        return Sham(spec_of(self.name, self), self, seed, partial(self._fitted, sham=seed))

    @abstractmethod
    def made(self, fit: Fit) -> Made:
        """The map for the states of one site.

        Raises:
            EvenhandError: they allow none.
        """
        ...

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Any],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.hooks import edited
        from evenhand.treatments import About, proven

        self.check(model, examples)
        shown = [example for example in examples if not example.keep]
        maps: dict[str, StateMap] = {}
        told: list[dict[str, Any]] = []
        chosen = self._sites(model, shown, sites)
        for site in chosen:
            with ExitStack() as stack:
                for below, one in maps.items():
                    stack.enter_context(edited(model, below, one))
                maps[site], said = self._at_site(model, site, examples, (seed, sham))
            told.append({"site": site, **said})
        located = None if self.blocks or sites is None or chosen[0] not in sites.ranking() else sites.locator
        blocks = [site for site in chosen if site.startswith("block.")]
        details = {"examples": len(shown), "sites": told, "blocks": blocks, "located_by": located}
        about = About(spec_of(self.name, self), model.spec.digest, seed, details)
        treatment: Treatment = proven(model, self._treatment(model, about, maps), shown)
        return treatment

    def _treatment(self, model: Model, about: Any, maps: dict[str, StateMap]) -> Treatment:
        from evenhand.treatments.projection import ProjectionTreatment, folded
        from evenhand.treatments.weights import WeightTreatment

        if self.fold:
            (one,) = maps.values()
            return WeightTreatment(about, folded(model, one))
        return ProjectionTreatment(about, maps)

    def _at_site(
        self, model: Model, site: str, examples: Sequence[Any], seeds: tuple[int, int | None]
    ) -> tuple[StateMap, dict[str, Any]]:
        from evenhand.mitigations._erasing import fitting
        from evenhand.mitigations._erasing.rows import held_out
        from evenhand.treatments.projection import StateMap

        seed, sham = seeds
        shown = [example for example in examples if not example.keep]
        rows, prompts = fitting.rows_at(model, site, shown, texts=self._of_texts(shown))
        out = held_out(rows.clusters, seed)
        tested = [prompt for prompt, held in zip(prompts, out, strict=True) if held] if prompts else []
        fit = Fit(model, site, rows.only(~out), rows.only(out), tested or prompts, sham)
        made = self.made(fit)
        probe, detected = None, dict[str, Any]()
        if self.when == "detected":
            probe, detected = fitting.detector(model, site, examples, seed)
        told = {
            "fitted": len(fit.train.codes),
            "directions": made.removed.rank,
            **made.details,
            **fitting.probed(fit.train, fit.test, made.removed),
            **detected,
        }
        return StateMap.of(made.removed, shift=made.shift, probe=probe, threshold=self.threshold), told

    def _of_texts(self, shown: Sequence[Any]) -> bool:
        """Whether the fit is on whole texts: pairs, or prompts with each group's term."""
        return self.signal == "terms" or isinstance(shown[0], PairExample)

    def _by_block(self, model: Model, texts: bool) -> bool:
        if self.at == "auto":
            return bool(self.blocks) or (not texts and not self.fold and model.spec.family == "causal")
        return self.at == "block"

    def _sites(self, model: Model, shown: Sequence[Any], sites: Attribution | None) -> list[str]:
        from evenhand.hooks import TO_HEAD, VECTORS

        texts = self._of_texts(shown)
        located = self.at == "auto" and not self.blocks and sites is None
        if self._by_block(model, texts) and not located:
            opened = require_open(model, frozenset({Ability.WEIGHTS}))
            found = chosen_blocks(opened, sites, top=self.top, blocks=self.blocks)
            return sorted(found, key=lambda site: int(site.removeprefix("block.")))
        if self.at == "auto":
            return [VECTORS if texts else TO_HEAD]
        return [{"head": TO_HEAD, "vectors": VECTORS}[self.at]]
