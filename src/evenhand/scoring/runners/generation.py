"""Text from a causal or a sequence-to-sequence model: greedy or sampled.

The text does not depend on the order or the batches of the prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evenhand.architectures import first_position, is_recurrent, window
from evenhand.errors import BadData, BadOption
from evenhand.hashing import draw_keys
from evenhand.progress import task
from evenhand.records import Completion, Generation, Sampling, Until
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.chat import messages
from evenhand.scoring.conditional import decoder_start
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import device_of, evaluating, pad_rows
from evenhand.scoring.reweighted import Copier, Reweighting, reweighted
from evenhand.scoring.runners import Runner, Weights
from evenhand.scoring.tokens import Encoder, check_ids, check_texts, embedding_rows, end_ids, shown
from evenhand.thinking import TAGS

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerBase

_Row = tuple[int, tuple[int, ...], torch.Generator]  # index of the prompt, its ids, its stream of draws


def run(model: Weights, items: Sequence[Generation]) -> list[Completion]:
    """The text that each request asks for, in order; those of one sampling and one form run together."""
    forms: dict[tuple[Sampling, bool], list[int]] = {}
    for i, item in enumerate(items):
        forms.setdefault((item.sampling, item.chat), []).append(i)
    made: dict[int, Completion] = {}
    for (sampling, chat), members in forms.items():
        texts = generate(model, [items[i].prompt for i in members], sampling, chat=chat)
        made.update(zip(members, texts, strict=True))
    return [made[i] for i in range(len(items))]


def generate(
    model: Weights,
    prompts: Sequence[str],
    sampling: Sampling,
    *,
    chat: bool = False,
    steered: Reweighting | None = None,
) -> list[Completion]:
    """Up to `sampling.max_tokens` tokens after each prompt, in order; an end token stops a text.

    With `Until`, so does the token that completes one of its `stop`.
    A model with an encoder reads each prompt as its source and writes the text from nothing. With `chat` each
    prompt is a user's message in the tokenizer's chat template (see `evenhand.scoring.chat`). With `steered`
    every token is chosen from the reweighted distribution, the same for the prompt and its copies.

    With a temperature, each prompt draws from its own stream, seeded by `sampling.seed`, the prompt and the
    number of its earlier occurrences in the list: so batches, order and other prompts do not change its text,
    and a prompt given twice gets two draws. The global random state is not changed.

    Raises:
        BadOption: a sampling value outside its range.
        BadData: a prompt is empty without a beginning mark, or does not fit into the window with its text.
        BadModel: the model answers with NaN, the chat template cannot be filled, or the model has no weights
            for a token of a prompt.
        OutOfMemory: one prompt alone does not fit.
    """
    _check(sampling)
    module, tokenizer = model.module, model.tokenizer
    config = getattr(module, "config", None)
    ids = (_messages if chat else _rows)(module, tokenizer, prompts, sampling)
    rows = list(zip(range(len(prompts)), ids, _streams(prompts, sampling.seed), strict=True))
    equal, two = is_recurrent(config), _two_halves(config)
    copied = None if steered is None else _Copied(Copier(model, steered), steered)

    def load(row: _Row) -> Load:
        width = len(row[1]) + sampling.max_tokens
        if copied is not None:
            width = copied.copier.number * (width + copied.copier.longest)
        return Load(width, like=len(row[1]) if equal else None)

    made: dict[int, Completion] = {}
    with evaluating(module), torch.no_grad(), task("generating", len(prompts), unit="prompt") as advance:
        room = Room(model.batch_tokens)
        for batch, tokens in in_batches(rows, load, room, lambda batch: _run(model, batch, sampling, copied)):
            for (i, before, _), new in zip(batch, tokens, strict=True):
                made[i] = Completion(_text(tokenizer, () if two else before, new), len(new))
            advance(len(batch))
    return [made[i] for i in range(len(prompts))]


def _two_halves(config: Any) -> bool:
    return bool(getattr(config, "is_encoder_decoder", False))


def _messages(
    module: nn.Module, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], sampling: Sampling
) -> list[tuple[int, ...]]:
    """Ids of the prompts as users' messages, up to where the answers begin."""
    config = getattr(module, "config", None)
    found = messages(tokenizer, prompts, window=window(config), room=sampling.max_tokens)
    for prompt, row in zip(prompts, found, strict=True):
        check_ids(tokenizer, row, embedding_rows(module), prompt)
    return found


def _rows(
    module: Any, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], sampling: Sampling
) -> list[tuple[int, ...]]:
    """Ids of the prompts: those before the text, or those of a whole source with its ending mark."""
    config = getattr(module, "config", None)
    if not _two_halves(config):
        return Encoder.of(module, tokenizer).prompts(prompts, room=sampling.max_tokens)
    check_texts(prompts)
    rows: list[tuple[int, ...]] = [tuple(tokenizer(prompt)["input_ids"]) for prompt in prompts]
    limit, known = window(config), embedding_rows(module)
    for prompt, row in zip(prompts, rows, strict=True):
        check_ids(tokenizer, row, known, prompt)
        if not row or (limit is not None and max(len(row), sampling.max_tokens) > limit):
            raise BadData(
                f"The source {shown(prompt)} of {len(row)} tokens, or a text of {sampling.max_tokens}, does "
                f"not fit into the model's window of {limit}.",
                mend="Give a source that is not empty, shorten it, or ask for fewer tokens.",
            )
    return rows


def _check(sampling: Sampling) -> None:
    if sampling.max_tokens < 1 or sampling.temperature < 0 or not 0 < sampling.top_p <= 1:
        raise BadOption(
            f"{sampling} is not valid.",
            mend="max_tokens is at least 1, temperature at least 0, top_p above 0 and at most 1.",
        )


def _streams(prompts: Sequence[str], seed: int) -> list[torch.Generator]:
    starts = (int.from_bytes(key[:8], "big") >> 1 for key in draw_keys(seed, prompts))
    return [torch.Generator().manual_seed(start) for start in starts]


@dataclass(frozen=True)
class _Copied:
    """Every prompt runs beside its copies, and one token is chosen for all of them."""

    copier: Copier
    reweighting: Reweighting

    def chosen(self, scores: Tensor, draw: _Draw) -> Tensor:
        """The scores [rows * copies, V] to choose from, alike for all copies of a prompt."""
        n, own = self.copier.number, self.reweighting
        logs = scores.float().log_softmax(-1).view(-1, n, scores.shape[-1]).transpose(0, 1)  # [n, rows, V]
        made = draw(scores, reweighted(logs[0], logs[1:], own.lam, own.floor))
        return made.repeat_interleave(n, dim=0)


def _run(
    model: Weights, batch: Sequence[_Row], sampling: Sampling, copied: _Copied | None
) -> list[list[int]]:
    """The new ids of each row up to its ending mark."""
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    module: Any = model.module
    tokenizer = model.tokenizer
    # An encoder counts its positions from the left, so what it reads is padded on the right.
    two = _two_halves(module.config)
    rows = [ids for _, ids, _ in batch]
    n, draw = 1, _Draw(module, sampling, [s for *_, s in batch])
    process: Callable[[Tensor, Tensor], Tensor] = draw
    if copied is not None:
        n, rows = (
            copied.copier.number,
            [own for ids in rows for own in copied.copier(ids, sampling.max_tokens)],
        )
        process = lambda _, scores: copied.chosen(scores, draw)  # noqa: E731
    inputs = pad_rows(rows, "right" if two else "left", device_of(module))
    ends = end_ids(module, tokenizer)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=sampling.max_tokens,
        do_sample=False,
        eos_token_id=ends or None,
        pad_token_id=ends[0] if ends else 0,
        decoder_start_token_id=decoder_start(module) if two else None,
    )
    start = 1 if two else inputs["input_ids"].shape[1]
    first = 0 if two else first_position(module.config)  # the library's own count begins at 0
    shifted = {"position_ids": inputs["position_ids"] + first} if first else {}
    stops = [_Stop(tokenizer, sampling.stop, start)] if isinstance(sampling, Until) and sampling.stop else []
    with _own_defaults(module, GenerationConfig()):  # type: ignore[no-untyped-call]
        made: Tensor = module.generate(  # [rows, start + new]
            inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            generation_config=config,
            logits_processor=LogitsProcessorList([process]),
            stopping_criteria=StoppingCriteriaList(stops),
            **shifted,
        )
    new = made[::n, start:].tolist()
    new = [row[: stops[0].lengths.get(i * n, len(row))] for i, row in enumerate(new)] if stops else new
    return [row[: next((i for i, token in enumerate(row) if token in ends), len(row))] for row in new]


@contextmanager
def _own_defaults(module: Any, config: GenerationConfig) -> Iterator[None]:
    """Ignore a checkpoint's own sampling settings (penalties, lengths): only those of the request apply."""
    kept = module.generation_config
    module.generation_config = config
    try:
        yield
    finally:
        module.generation_config = kept


class _Draw:
    """A logits processor after which the largest entry is the chosen token.

    Greedy decoding does not change the logits. Sampling adds Gumbel noise to the log-probabilities, whose
    argmax is an exact draw from them (Gumbel 1954; Maddison et al. 2014), one stream of noise a row.
    """

    def __init__(self, module: nn.Module, sampling: Sampling, streams: Sequence[torch.Generator]) -> None:
        self._module = module
        self._sampling = sampling
        self._streams = streams

    def __call__(self, _: Tensor, scores: Tensor) -> Tensor:
        """The noisy log-probabilities, [rows, vocabulary], of the logits `scores` of the same shape."""
        scores = scores.float()
        check_finite(self._module, scores, " while generating", infinite=True)
        if self._sampling.temperature == 0:
            return scores
        kept = _nucleus((scores / self._sampling.temperature).log_softmax(-1), self._sampling.top_p)
        noise = [torch.rand(scores.shape[-1], generator=g, dtype=torch.float64) for g in self._streams]
        gumbel = -torch.log(-torch.log(torch.stack(noise).clamp(1e-300, 1 - 1e-16)))
        return kept + gumbel.to(kept)


class _Stop:
    """A stopping criterion: a row is done when its new text holds one of `stop`.

    `start` is the position of the first new token; `lengths` holds the number of new tokens of finished rows.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str], start: int) -> None:
        self._tokenizer, self._stop, self._start = tokenizer, stop, start
        # Every token brings at least a byte, and the first piece of a lone text may lose its space.
        self._reach = max(len(mark.encode()) for mark in stop) + 2
        self.lengths: dict[int, int] = {}

    def __call__(self, ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        """Whether each row of `ids` [rows, length] is done, [rows]."""
        tail = ids[:, max(self._start, ids.shape[1] - self._reach) :]
        for i, text in enumerate(self._tokenizer.batch_decode(tail, skip_special_tokens=True)):
            if i not in self.lengths and any(mark in text for mark in self._stop):
                self.lengths[i] = ids.shape[1] - self._start
        return torch.tensor([i in self.lengths for i in range(len(ids))], device=ids.device)


def _nucleus(logps: Tensor, top_p: float) -> Tensor:
    """-inf outside the smallest set of tokens whose probability reaches `top_p` (Holtzman et al. 2020)."""
    if top_p == 1:
        return logps
    ordered, order = logps.sort(-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    return logps.masked_fill((before >= top_p).gather(-1, order.argsort(-1)), -math.inf)


def _text(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int], new: Sequence[int]) -> str:
    """The new ids as text; decoded with the prompt, because a first piece may lose its leading space."""
    before, whole = _decoded(tokenizer, prompt), _decoded(tokenizer, [*prompt, *new])
    return whole[len(before) :] if whole.startswith(before) else _decoded(tokenizer, new)


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """The ids as text without special tokens, except the tags of a thinking block, which may be special."""
    special = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    if not any(tag in special for tag in TAGS):
        return str(tokenizer.decode(list(ids), skip_special_tokens=True))
    skipped = {number for name, number in special.items() if name not in TAGS}
    return str(tokenizer.decode([i for i in ids if i not in skipped], skip_special_tokens=False))


runner = Runner((Generation,), run)
