"""One batch of prompts as rows that are run again and again, with some states replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenhand.errors import BadModel
from evenhand.models import described

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.hooks import Replace, Seen
    from evenhand.models import OpenModel
    from evenhand.records import Example
    from evenhand.scoring.subjects import Placed
    from evenhand.scoring.terms import Prompts


def require_left_to_right(model: OpenModel, name: str, instead: str = "--with ablation") -> OpenModel:
    """The model as one that reads a prompt from left to right, token by token.

    Raises:
        BadModel: it is of another family, whose rows hold more than the prompt; the error names `instead`.
    """
    if model.spec.family != "causal":
        raise BadModel(
            f"{name} follows a prompt's tokens from left to right, and {model.spec.uri} is "
            f"{described(model.spec)}.",
            mend=f"Use {instead}, which needs no such order, or a causal model.",
        )
    return model


@dataclass(frozen=True)
class Pass:
    """The rows of a batch of prompts.

    Attributes:
        placed: where the prompts' tokens stand in the rows.
        embeddings: the embeddings of all tokens, [rows, width, size].
    """

    model: OpenModel
    examples: Sequence[Example]
    prompts: Prompts
    placed: Placed
    embeddings: Tensor

    def run(
        self,
        noise: Tensor | None = None,
        replaced: Mapping[str, Replace] | None = None,
        observed: Sequence[str] = (),
    ) -> tuple[Tensor, dict[str, Seen]]:
        """Group probabilities [N, k], and what the sites `observed` received and gave.

        `noise` [rows, width, size] is added to the embeddings; `replaced` has the sites whose output changes.
        """
        from evenhand.hooks import observe, patch

        with ExitStack() as stack:
            seen = stack.enter_context(observe(self.model, observed))
            if noise is not None:
                stack.enter_context(patch(self.model, "embeddings", lambda output, _: output + noise))
            for site, fn in (replaced or {}).items():
                stack.enter_context(patch(self.model, site, fn))
            p = self.prompts.outcomes(range(len(self.examples))).log_p.exp()
        return p, dict(seen)

    def at(self, places: Sequence[int | None]) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, positions and prompts [m] of one place in each prompt; None leaves a prompt out."""
        return self.placed.at(places, self.embeddings.device)

    def spread(self, places: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, positions and prompts [m] of several places in each prompt."""
        import torch

        longest = max(map(len, places))
        parts = [self.at([p[i] if i < len(p) else None for p in places]) for i in range(longest)]
        rows, positions, owners = (torch.cat(part) for part in zip(*parts, strict=True))
        return rows, positions, owners

    def subject_embeddings(self) -> Tensor:
        """The embeddings of the subjects' tokens, [m, size]."""
        rows, positions, _ = self.spread([list(subject) for subject in self.placed.subjects])
        return self.embeddings[rows, positions]


def opened_pass(model: OpenModel, examples: Sequence[Example]) -> Pass:
    """The rows of `examples`, none of which begins with another (see `batches`).

    Raises:
        BadData, BadModel: a prompt has no subject, or the terms cannot be scored.
    """
    from evenhand.hooks import observe
    from evenhand.scoring.subjects import placed
    from evenhand.scoring.terms import Prompts

    prompts = Prompts(model, examples)
    where = placed(model, prompts, examples)
    with observe(model, ["embeddings"]) as seen:
        prompts.outcomes(range(len(examples))).log_p  # noqa: B018 - run for what is observed
    return Pass(model, examples, prompts, where, seen["embeddings"][1].detach())
