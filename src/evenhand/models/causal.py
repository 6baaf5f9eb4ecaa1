"""`CausalModel`: any Hugging Face causal language model, its weights in hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evenhand.architectures import kind_of, row_of
from evenhand.architectures.checking import check_positions, misfit
from evenhand.models.chat import template_of
from evenhand.models.generation import generate
from evenhand.models.layout import Layout
from evenhand.records import (
    Ability,
    Completion,
    Continuation,
    Divergence,
    LogProb,
    ModelSpec,
    Recall,
    Recalled,
    Sampling,
    Shift,
)
from evenhand.scoring import Scorer, ScoringReport
from evenhand.scoring.hidden import embeddings
from evenhand.scoring.recall import recalls
from evenhand.scoring.shifts import divergences

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}


class CausalModel:
    """An `OpenModel` around a module and its tokenizer; the module is put into evaluation mode.

    `uri` is the string that names the model, `revision` the hub revision asked for. `layout` defaults to the
    row of the architecture. `batch_tokens` is the scoring budget, by default 2048 tokens on a CPU
    and 16384 on a GPU. `spec.digest` is taken when the model is made; `refresh` takes it again.

    Raises:
        BadModel: the tokenizer gives no ids, see `Encoder`; or the module's positions are not those of its
            architecture.
    """

    can: frozenset[Ability] = frozenset(Ability) - {Ability.CLOZE}
    opening: tuple[str, ...] = ()  # what there is to note of how it was opened

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
        check_positions(module)
        row = row_of(kind_of(module))
        self._misfit = misfit(module, row) if row.blocks and layout is None else None
        self.module = module.eval()
        self.tokenizer = tokenizer
        self._layout = layout
        first = next(module.parameters())
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(first.device.type, 2048)
        self.scorer = Scorer(module, tokenizer, batch_tokens=self.batch_tokens)
        self.spec = ModelSpec(
            uri=uri,
            digest="",
            revision=revision,
            dtype=str(first.dtype).removeprefix("torch."),
            architecture=kind_of(module),
            parameters=sum(p.numel() for p in module.parameters()),
        )
        self.refresh()

    @property
    def layout(self) -> Layout:
        """The sites of the architecture; a model without a layout can still be scored.

        Raises:
            BadModel: the architecture is not known, or the model does not fit its row.
        """
        self._layout = self._layout or Layout(self.module)
        return self._layout

    @layout.setter
    def layout(self, layout: Layout) -> None:
        self._layout = layout

    def refresh(self, uri: str | None = None) -> None:
        """Take the digest of the weights as they are now, under another name if `uri` is given."""
        digest = model_digest(self.module, self.tokenizer)
        self.spec = replace(self.spec, digest=digest, uri=uri or self.spec.uri)

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """Log-probabilities in nats, in the order of `items`; see `Scorer.logprobs` for the errors."""
        return self.scorer.logprobs(items)

    def hidden(self, texts: Sequence[str]) -> NDArray[float64]:
        """One vector a text, [N, d]; see `evenhand.scoring.hidden.embeddings` for the errors."""
        return embeddings(self.module, self.tokenizer, texts, batch_tokens=self.batch_tokens)

    def shifts(self, items: Sequence[Shift]) -> list[Divergence]:
        """How next-token distributions differ, in order; see `evenhand.scoring.shifts` for the errors."""
        return divergences(self.module, self.tokenizer, items, batch_tokens=self.batch_tokens)

    def unanchored(self, texts: Sequence[str]) -> list[LogProb]:
        """log P(text) in nats, in order; see `Scorer.unanchored`."""
        return self.scorer.unanchored(texts)

    def recalls(self, items: Sequence[Recall]) -> list[Recalled]:
        """Likelihoods and greedy matches, in order; see `evenhand.scoring.recall.recalls` for the errors."""
        return recalls(self.module, self.tokenizer, items, batch_tokens=self.batch_tokens)

    def notes(self) -> tuple[str, ...]:
        """Whether the scoring engine left its usual path, the products' precision, and `opening`."""
        report = self.scorer.report()
        found = list(self.opening)
        if self._misfit is not None:
            found.append(f"It can be scored, but its blocks cannot be located: {self._misfit}")
        if report.path != "left":
            found.append(f"Scored with {report.path} padding: {report.why}.")
        if report.repeated:
            found.append(f"The beginning that prompts have in common ran once a prompt: {report.sharing}.")
        if report.precision != "highest":
            found.append(
                f"torch rounds float32 products (precision {report.precision!r}): expect errors near 0.03."
            )
        return tuple(found)

    def scoring(self) -> ScoringReport:
        """How the newest `logprobs` was carried out."""
        return self.scorer.report()

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's chat template, None where it has none."""
        return template_of(self.tokenizer)

    def reply(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """The answer to each prompt as a user's message in the chat template, in order.

        Raises:
            EvenhandError: as for `generate`; BadModel where the template cannot be filled.
        """
        return generate(
            self.module, self.tokenizer, prompts, sampling, batch_tokens=self.batch_tokens, chat=True
        )

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """Text after each prompt, in order; see `evenhand.models.generation.generate` for the errors."""
        return generate(self.module, self.tokenizer, prompts, sampling, batch_tokens=self.batch_tokens)


def weights_digest(module: nn.Module) -> str:
    """SHA-256 (hex) over the names, shapes, dtypes and bytes of all parameters and saved buffers, sorted.

    Any change of one weight changes it. Tied weights count once, under the first of their names.
    """
    saved = module.state_dict().keys()
    tensors: dict[str, Tensor] = dict(module.named_parameters())
    tensors.update((name, buffer) for name, buffer in module.named_buffers() if name in saved)
    names = sorted(tensors)
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        parts = pool.map(_tensor_digest, (tensors[name] for name in names))
        text = "".join(f"{name}:{part};" for name, part in zip(names, parts, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


def _tensor_digest(tensor: Tensor) -> str:
    plain = tensor.detach().contiguous().cpu()
    sha = hashlib.sha256(f"{tuple(plain.shape)}{plain.dtype}".encode())
    sha.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (hex) of how the tokenizer turns text into ids, without its padding and truncation."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        described = {"class": type(tokenizer).__name__, "vocab": tokenizer.get_vocab()}
    else:
        described = json.loads(backend.to_str())
        described["padding"] = described["truncation"] = None
    text = json.dumps([described, tokenizer("a")["input_ids"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def model_digest(module: nn.Module, tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (hex) over weights and tokenizer: two models with one digest give the same answers."""
    return hashlib.sha256(f"{weights_digest(module)} {tokenizer_digest(tokenizer)}".encode()).hexdigest()
