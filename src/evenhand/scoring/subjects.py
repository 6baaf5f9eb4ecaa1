"""Where the tokens of a prompt's subject stand: in its ids, and in the rows of a pass over prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.records import Example
from evenhand.scoring.asking import Weights
from evenhand.scoring.terms import Prompts
from evenhand.scoring.tokens import Encoder, shown

if TYPE_CHECKING:
    from evenhand.scoring.plan import Row


def check_spans(examples: Sequence[Example]) -> None:
    """Check that every prompt says where its subject stands.

    Raises:
        BadData: one does not.
    """
    for example in examples:
        if example.span is None or not _holds(example.context, *example.span):
            raise BadData(
                f"The prompt {shown(example.context)} does not say where its subject stands.",
                mend="Use prompts of genbiaseval, or give each example its span (in characters).",
            )


def _holds(context: str, start: int, end: int) -> bool:
    """Whether there is something but spaces from `start` to `end`, which stand in the context."""
    return 0 <= start < end <= len(context) and bool(context[start:end].strip())


def subject_tokens(model: Weights, examples: Sequence[Example]) -> list[range]:
    """The places of each subject's tokens in the ids of its prompt, the begin-of-text token counted.

    Raises:
        BadData: a prompt has no span, or no token of its own in it.
        BadModel: the tokenizer cannot say which characters a token stands for.
    """
    check_spans(examples)
    if not getattr(model.tokenizer, "is_fast", False):
        raise BadModel(
            "The tokenizer does not say which characters its tokens stand for.",
            mend="Use a model with a fast tokenizer (tokenizer.json).",
        )
    prefix = len(Encoder.of(model.module, model.tokenizer).prefix)
    encoded: Mapping[str, Any] = model.tokenizer(
        [e.context for e in examples], add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    return [
        _within(example, prefix, offsets)
        for example, offsets in zip(examples, encoded["offset_mapping"], strict=True)
    ]


def _within(example: Example, prefix: int, offsets: Sequence[tuple[int, int]]) -> range:
    assert example.span is not None  # checked
    start, end = example.span
    found = [i for i, (first, last) in enumerate(offsets) if first < end and last > start and last > first]
    if not found:
        raise BadData(
            f"The subject of {shown(example.context)} has no token.", mend="Check the example's span."
        )
    return range(prefix + found[0], prefix + found[-1] + 1)


def nesting(contexts: Sequence[str]) -> dict[str, int]:
    """How many of the other contexts each context begins with: those of one number share no row."""
    depth: dict[str, int] = {}
    open_: list[str] = []  # what the present one may begin with, each beginning with the one before
    for context in sorted(set(contexts)):
        while open_ and not context.startswith(open_[-1]):
            open_.pop()
        depth[context] = len(open_)
        open_.append(context)
    return depth


@dataclass(frozen=True)
class Placed:
    """The rows of one whole-row pass over N prompts, padded on the left to `width` tokens.

    Attributes:
        owners: the number of the prompt whose row it is, [R]; equal prompts share one.
        shifts: the padding before each row, [R].
        subjects: the places of each prompt's subject, [N], the padding not counted.
        ends: the place of each prompt's last token, [N].
        width: tokens of a padded row.
    """

    owners: tuple[int, ...]
    shifts: tuple[int, ...]
    subjects: tuple[range, ...]
    ends: tuple[int, ...]
    width: int

    def at(self, places: Sequence[int | None], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, positions and prompts [m] of one place in each prompt, given for each of the N or None."""
        found = [
            (row, shift + place, owner)
            for row, (owner, shift) in enumerate(zip(self.owners, self.shifts, strict=True))
            if (place := places[owner]) is not None
        ]
        rows, positions, owners = torch.tensor(found, dtype=torch.long, device=device).reshape(-1, 3).T
        return rows, positions, owners


def placed(model: Weights, prompts: Prompts, examples: Sequence[Example]) -> Placed:
    """The layout of the pass that ``prompts.outcomes`` makes over all `examples`.

    No prompt may begin with another one, see `evenhand.locators._probing.batches`.

    Raises:
        BadData, BadModel: as for `subject_tokens`.
    """
    subjects = subject_tokens(model, examples)
    texts = Encoder.of(model.module, model.tokenizer).prompts([e.context for e in examples])
    rows: Sequence[Row] = prompts.plan(range(len(examples))).rows
    width = max(len(row.ids) for row in rows)
    owners = [next(i for i, text in enumerate(texts) if row.ids[: len(text)] == text) for row in rows]
    shifts = [width - len(row.ids) for row in rows]
    return Placed(
        tuple(owners), tuple(shifts), tuple(subjects), tuple(len(text) - 1 for text in texts), width
    )
