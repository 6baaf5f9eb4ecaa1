"""`CausalModel`: any Hugging Face causal language model, with access to its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from evenhand.models.layout import Layout
from evenhand.models.opened import Opened
from evenhand.records import Ability
from evenhand.scoring import Scorer, ScoringReport
from evenhand.scoring.chat import template_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_COSTLY = 1.25  # a note is due when so many times the tokens that are needed run


class CausalModel(Opened):
    """An `OpenModel` made of a module and its tokenizer, see `Opened`.

    Raises:
        BadModel: the tokenizer gives no ids, see `Encoder`; or the module's positions are not those of its
            architecture.
    """

    family = "causal"
    can: frozenset[Ability] = frozenset(Ability) - {Ability.CLOZE}
    instead = "Use a masked model."

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        uri: str,
        *,
        revision: str | None = None,
        layout: Layout | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        super().__init__(module, tokenizer, uri, revision=revision, layout=layout, batch_tokens=batch_tokens)
        self.scorer = Scorer(module, tokenizer, batch_tokens=self.batch_tokens)

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's chat template, None where it has none."""
        return template_of(self.tokenizer)

    def notes(self) -> tuple[str, ...]:
        """Notes on a fallback of the scoring engine, the precision of products, and the opening."""
        report = self.scorer.report()
        found = list(self.opening)
        if self._misfit is not None:
            found.append(f"It can be scored, but its blocks cannot be located: {self._misfit}")
        if report.path not in ("tree", "left"):
            found.append(f"Scored with {report.path} padding: {report.why}.")
        if report.packable is not None and report.run > _COSTLY * report.packable and not report.repeated:
            found.append(
                f"Prompts did not share their tokens ({report.packing}): {report.run} tokens ran instead of "
                f"{report.packable}."
            )
        if report.repeated:
            found.append(f"The common prefix of the prompts ran once for each prompt: {report.sharing}.")
        if report.precision != "highest":
            found.append(
                f"torch rounds float32 products (precision {report.precision!r}): expect errors near 0.03."
            )
        return tuple(found)

    def scoring(self) -> ScoringReport:
        """How the newest log-probabilities were computed."""
        newest: ScoringReport = self.scorer.report()
        return newest
