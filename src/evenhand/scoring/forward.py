"""One padded forward pass whose head runs on chosen positions only, in float32.

Used by the scoring engine and, with gradients, by `evenhand.scoring.terms`. bf16 logits near 20 are spaced
0.125 apart, so the head alone can be off by several per cent: its product is taken in float32 on the rows
that are needed, which costs little.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from evenhand.architectures.checking import output_embeddings
from evenhand.architectures.reading import first_position, text_config
from evenhand.errors import BadModel
from evenhand.scoring.offloaded import input_device, value_of
from evenhand.scoring.tokens import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Padding = Literal["left", "right"]
_OBSERVERS = "transformers.utils.output_capturing"  # left behind by output_hidden_states=True
LOGIT_BYTES = 64 * 2**20
"""Largest size of the float32 logits that exist at a time."""


def rows_of(vocabulary: int) -> int:
    """How many rows of float32 logits of such a vocabulary there may be at a time, at least one."""
    return max(1, LOGIT_BYTES // (4 * vocabulary))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout) inside the block; every submodule's flag is restored after it."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def hooks_of(part: nn.Module) -> list[Any]:
    """The hooks before and after the forward pass of `part` itself.

    Those by which transformers collects hidden states do not count: they stay on a model once it was asked
    for these, and do nothing in other passes.
    """
    every = (*part._forward_pre_hooks.values(), *part._forward_hooks.values())
    return [hook for hook in every if getattr(hook, "__module__", None) != _OBSERVERS]


class SelectedHead:
    """Inside its `with` block, the model's head sees only the positions that `select` chose, in float32.

    A head that is not a plain linear layer keeps its own arithmetic: `float32` is then False. Scaling or
    soft-capping that a model does after its head is left to the model. `vocabulary` is a head row's width,
    `plain` says whether the head is a linear layer whose output nothing observes or replaces, and `hidden`
    holds the states [R, width] that the newest pass gave at the selected positions.

    Raises:
        BadModel: the model has no language-model head.
    """

    def __init__(self, module: nn.Module) -> None:
        head = output_embeddings(module)
        if head is None:
            raise BadModel(
                f"{type(module).__name__} has no language-model head to read probabilities from.",
                mend="Open a model with its language-model head (AutoModelForCausalLM or ...MaskedLM).",
            )
        self._head = head
        self._linear = head if type(head) is nn.Linear else None
        self._narrow = self._linear is not None and self._linear.weight.element_size() < 4
        self.float32 = self._linear is not None
        self.vocabulary = int(getattr(head, "out_features", 0)) or int(text_config(module.config).vocab_size)
        observed = bool(hooks_of(head)) or "forward" in vars(head)
        self.plain = self.float32 and not (observed or hooks_of(module))
        # Its own product would be thrown away: it gets no rows, unless somebody observes or replaces it.
        self._spared = self._narrow and not observed
        self.hidden: Tensor | None = None
        self._where: tuple[Tensor, Tensor] | None = None
        self._fed: Tensor | None = None
        self._keep: int | None = None
        self._wide: Tensor | None = None
        self._held: Tensor | None = None
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    @property
    def room(self) -> int:
        """The largest number of head rows in one pass, at least one."""
        return rows_of(self.vocabulary)

    def select(self, rows: Tensor, positions: Tensor, keep: int | None = None) -> None:
        """Choose the head rows of the next forward pass: batch rows [R] and positions in them [R].

        With `keep` the head runs on the first of them only, and `hidden` gets all of its inputs.
        """
        self._where = (rows, positions)
        self._keep = keep

    def wide(self) -> tuple[Tensor, Tensor | None]:
        """The weight and the bias of a linear head, float32 (float64 for a float64 model).

        Without gradients one widened copy serves all batches of a call.
        """
        assert self._linear is not None
        weight = value_of(self._linear, "weight")
        bias = None if self._linear.bias is None else value_of(self._linear, "bias")
        if not self._narrow:
            return weight, bias
        if torch.is_grad_enabled():
            widened = weight.float()
        else:
            widened = self._wide = weight.float() if self._wide is None else self._wide
        return widened, bias.float() if bias is not None else None

    def feed(self, states: Tensor) -> None:
        """Give the head `states` [R, width] in the next forward pass, whatever reaches it."""
        self._fed = states

    @property
    def selected(self) -> tuple[Tensor, Tensor] | None:
        """What `select` chose last: batch rows [R] and positions in them [R], padding counted."""
        return self._where

    def __enter__(self) -> SelectedHead:
        self._handles = [self._head.register_forward_pre_hook(self._before)]
        if self._narrow:
            self._handles.append(self._head.register_forward_hook(self._after))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._where, self._wide, self.hidden, self._fed = [], None, None, None, None
        self._held = None

    def _before(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._where is None:
            return None
        rows, positions = self._where
        there = args[0].device  # another than the inputs' where a model spans several
        chosen = args[0][rows.to(there), positions.to(there)] if self._fed is None else self._fed
        self.hidden, self._fed = chosen, None
        if self._keep is not None:
            chosen = chosen[: self._keep]
        states = chosen.unsqueeze(0)  # [1, rows, width]
        if self._spared:
            self._held, states = states, states[:, :0]
        return (states, *args[1:])

    def _after(self, _: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        weight, bias = self.wide()
        held, self._held = self._held, None
        return functional.linear((args[0] if held is None else held).float(), weight, bias)


@contextmanager
def reading(module: nn.Module) -> Iterator[SelectedHead]:
    """The head of a model that is asked: in evaluation mode, and without gradients."""
    with evaluating(module), torch.no_grad(), SelectedHead(module) as head:
        yield head


def run_rows(
    module: nn.Module,
    head: SelectedHead,
    rows: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]],
    *,
    padding: Padding = "left",
) -> Tensor:
    """Logits [R, vocabulary] after `positions[i]` of each of `rows`, R the total of positions, in order.

    Positions count from the row's first token, wherever the padding goes. The result is float32 (float64
    for a float64 model) and carries gradients where they are on. `head` must be entered. Padded on the right,
    rows keep the positions that the model itself counts (RoBERTa's, say, do not start at 0).

    Raises:
        BadModel: the model's forward pass bypasses its head.
    """
    return run_inputs(module, head, *row_inputs(module, rows, positions, padding=padding))


def row_inputs(
    module: nn.Module,
    rows: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]],
    *,
    padding: Padding = "left",
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """The inputs of `run_rows`, and the R (batch row, place) pairs that belong to the positions."""
    inputs: dict[str, Any] = dict(pad_rows(rows, padding, device_of(module)))
    width = inputs["input_ids"].shape[1]
    shifts = [width - len(row) if padding == "left" else 0 for row in rows]
    where = [(i, shifts[i] + p) for i, chosen in enumerate(positions) for p in chosen]
    if padding == "right":
        del inputs["position_ids"]
    else:
        inputs["position_ids"] += first_position(getattr(module, "config", None))
    return {**inputs, "use_cache": False}, where


def run_inputs(
    module: nn.Module, head: SelectedHead, inputs: Mapping[str, Any], where: Sequence[tuple[int, int]]
) -> Tensor:
    """Logits [R, vocabulary] at the R (batch row, place) pairs `where` of one pass over `inputs`.

    Inputs that the model's forward pass does not accept are left out. The result is float32 (float64 for a
    float64 model). `head` must be entered.

    Raises:
        BadModel: the model's forward pass bypasses its head.
    """
    return _run(module, head, inputs, where, None)


def run_selected(
    module: nn.Module,
    head: SelectedHead,
    inputs: Mapping[str, Any],
    where: Sequence[tuple[int, int]],
    *,
    keep: int,
) -> tuple[Tensor, Tensor]:
    """As `run_inputs`, but only logits [keep, vocabulary], and the states before the head [R, width].

    Raises:
        BadModel: as for `run_inputs`.
    """
    logits = _run(module, head, inputs, where, keep)
    hidden, head.hidden = head.hidden, None
    assert hidden is not None
    return logits, hidden


def _run(
    module: nn.Module,
    head: SelectedHead,
    inputs: Mapping[str, Any],
    where: Sequence[tuple[int, int]],
    keep: int | None,
) -> Tensor:
    rows, places = torch.tensor(where, device=inputs["input_ids"].device).T
    head.select(rows, places, keep)
    logits = module(**_accepted(module, {**inputs, "return_dict": True})).logits
    if logits.shape[:-1] != (1, len(where) if keep is None else min(keep, len(where))):
        raise BadModel(
            f"{type(module).__name__} does not pass its hidden states through its output embeddings.",
            mend="Use a model class of the transformers library whose get_output_embeddings() is its head.",
        )
    wide: Tensor = logits[0] if logits.dtype == torch.float64 else logits[0].float()
    return wide


def run_texts(
    module: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, padding: Padding = "left"
) -> Tensor:
    """Run whole `texts` through the model in one batch, for hooks to observe; returns the mask [N, tokens].

    Row n of every hooked tensor is ``texts[n]``; with left padding its last token is at position -1. The
    tokenizer's begin-of-text token is included. No result is computed; gradients follow the caller's setting.

    Raises:
        BadData: a text is empty, or does not fit into the model's window.
    """
    rows = Encoder.of(module, tokenizer).prompts(texts)
    with SelectedHead(module) as head:
        run_rows(module, head, rows, [[len(row) - 1] for row in rows], padding=padding)
    return pad_rows(rows, padding, device_of(module))["attention_mask"].bool()


def pad_rows(
    rows: Sequence[Sequence[int]], padding: Padding = "left", device: torch.device | None = None
) -> dict[str, Tensor]:
    """`input_ids`, `attention_mask` and `position_ids`, each int64 [N, longest row]; none of `rows` is empty.

    Positions count real tokens from 0, so padding on the left does not change them. Padded positions hold id
    0, which the mask hides: no padding token is needed.
    """
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if padding == "left" else slice(0, len(row))
        ids[i, place] = torch.tensor(row)
        mask[i, place] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp_min(0)}
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def _accepted(module: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Any]:
    known = inspect.signature(module.forward).parameters
    return {name: value for name, value in inputs.items() if name in known}


def device_of(module: nn.Module) -> torch.device:
    """Where the model's inputs go: where its first parameter lives or is computed with."""
    return input_device(module)
