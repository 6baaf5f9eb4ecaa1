"""Dropout while tuning: rates by architecture, in the dropout that a model has or inserted where it has none.

bias-bench (Meade et al. 2022, after Webster et al. 2020): BERT and RoBERTa .20 on hidden states and .15 on
attention, ALBERT .05 and .05, GPT-2 .15 everywhere. Models of newer architectures were trained without any
and have no such layers on the residual stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.hooks import patch
from evenhand.models import OpenModel
from evenhand.models.together import rank
from evenhand.training.means import Mean, Objective

_BERT, _ALBERT, _GPT2 = (0.20, 0.15), (0.05, 0.05), (0.15, 0.15)
RATES = {"bert": _BERT, "roberta": _BERT, "distilbert": _BERT, "albert": _ALBERT}
APART = 7919 * 1_000_003  # between the seeds of two processes: more than the steps of any training
_ATTRIBUTES = ("attention_dropout", "attn_dropout", "dropout")  # of an attention, a number


@dataclass(frozen=True)
class Rates:
    """The shares that are dropped: of `hidden` states and of `attention` probabilities, from 0 to below 1."""

    hidden: float
    attention: float


def rates_of(model: OpenModel, hidden: float | None = None, attention: float | None = None) -> Rates:
    """The published rates of the model's architecture, else GPT-2's; given ones come first."""
    known = RATES.get(str(model.module.config.model_type), _GPT2)  # type: ignore[union-attr]
    return Rates(known[0] if hidden is None else hidden, known[1] if attention is None else attention)


def has_dropout(model: OpenModel) -> bool:
    """Whether hidden states, not only attention probabilities, pass through dropout layers of the model."""
    return any(
        isinstance(part, nn.Dropout) and not _of_attention(name)
        for name, part in model.module.named_modules()
    )


def check_dropout(model: OpenModel, *, insert: bool) -> None:
    """Refuse a model without dropout layers, unless they can be inserted and are to be.

    Raises:
        BadModel: it has none.
    """
    if has_dropout(model):
        return
    if not insert:
        raise BadModel(
            f"{model.spec.uri} ({model.spec.architecture}) has no dropout on its hidden states: its "
            "architecture was trained without.",
            mend="Write dropout:insert=true to drop what its attention and its MLP add, or `--with cda`.",
        )
    _ = model.layout  # raises where its blocks cannot be found


@dataclass(frozen=True)
class Dropped:
    """The `objective` with dropout on, at step i (from 0) drawn from ``seed + i``.

    Of several processes each draws for its own rows: the one of rank r from `APART` * r further on. So masks,
    and with them weights, depend on the number of processes; what is expected of the gradient does not.
    """

    objective: Objective
    rates: Rates
    seed: int

    def __call__(self, model: OpenModel, base: OpenModel) -> Sequence[Mean]:
        """The terms, each with masks of its own."""
        step = count(self.seed + APART * rank())

        def dropped(mean: Mean) -> Mean:
            def of(chosen: Tensor) -> Tensor:
                with dropping(model, self.rates, seed=next(step)):
                    return mean.of(chosen)

            return Mean(of, mean.counts)

        return [dropped(mean) for mean in self.objective(model, base)]


@contextmanager
def dropping(model: OpenModel, rates: Rates, *, seed: int) -> Iterator[None]:
    """Dropout on at these rates, drawn from `seed`; on exit rates, modes and random state are as before.

    Where the model has no layers for it, what each attention and each MLP adds to the residual stream is
    dropped; that needs a layout.
    """
    parts = dict(model.module.named_modules())
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=_devices(model)))
        torch.manual_seed(seed)
        if not has_dropout(model):
            sites = set(model.layout.sites())
            for block in model.layout.blocks():
                for site in (f"{block}.attention", f"{block}.mlp"):
                    if site in sites:
                        stack.enter_context(patch(model, site, lambda out, _: _dropped(out, rates.hidden)))
        stack.enter_context(_set(parts, rates))
        yield


@contextmanager
def _set(parts: dict[str, nn.Module], rates: Rates) -> Iterator[None]:
    kept: list[tuple[nn.Module, str, object]] = []

    def put(part: nn.Module, name: str, value: object) -> None:
        kept.append((part, name, getattr(part, name)))
        setattr(part, name, value)

    try:
        for name, part in parts.items():
            if isinstance(part, nn.Dropout):
                put(part, "p", rates.attention if _of_attention(name) else rates.hidden)
                put(part, "training", True)
            elif "attention" in type(part).__name__.lower():
                for own in _ATTRIBUTES:
                    if isinstance(getattr(part, own, None), float):
                        put(part, own, rates.attention)
                        put(part, "training", True)
        yield
    finally:
        for part, name, value in reversed(kept):
            setattr(part, name, value)


def _of_attention(name: str) -> bool:
    """Whether a dropout layer of that name drops attention probabilities."""
    leaf, above = name.rpartition(".")[2], name.rpartition(".")[0]
    if "resid" in leaf or "hidden" in leaf or above.endswith(("output", ".SelfAttention")):
        return False
    return "attn" in leaf or "attention" in leaf or above.rpartition(".")[2] in ("self", "attention", "attn")


def _dropped(states: Tensor, share: float) -> Tensor:
    return nn.functional.dropout(states, share, training=True)


def _devices(model: OpenModel) -> list[int]:
    device = next(model.module.parameters()).device
    return [device.index or 0] if device.type == "cuda" else []
