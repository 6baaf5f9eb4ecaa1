"""Text classifiers: a Hugging Face one, or a word list that anyone can read.

``hf:org/name@revision`` or ``hf:./folder`` opens a sequence classifier in safetensors, without remote code;
``lexicon`` is the transparent list of `evenhand.lexicons.tone`, which needs no weights and no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evenhand.errors import BadModel, BadOption
from evenhand.lexicons import tone, words
from evenhand.progress import task

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

Labels = Mapping[str, float]
LEXICON = "lexicon"
_BATCH_TOKENS = 4096
_LONGEST = 512


class Classifier(Protocol):
    """Gives each text a probability for each label; labels are lower case."""

    labels: tuple[str, ...]

    @property
    def identity(self) -> str:
        """What decides its answers, beside the version of evenhand: empty for a word list."""
        ...

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """The labels of each text, in order."""
        ...


class ToxicWords:
    """1 for ``toxic`` where a text holds a hurtful word, else 0."""

    labels: tuple[str, ...] = ("toxic",)
    identity = ""

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """Certainty for each text, in order."""
        hurtful = tone()["hurtful"]
        return [{"toxic": float(not hurtful.isdisjoint(words(text)))} for text in texts]


class RegardWords:
    """One of the four labels of regard for each text, by the list that holds more of its words.

    ``neutral`` where no word is on a list, ``other`` where both lists hold equally many.
    """

    labels: tuple[str, ...] = ("positive", "negative", "neutral", "other")
    identity = ""

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """Certainty for each text, in order."""
        return [{label: float(label == self._label(text)) for label in self.labels} for text in texts]

    def _label(self, text: str) -> str:
        found = words(text)
        good, bad = (sum(word in tone()[name] for word in found) for name in ("positive", "negative"))
        if good == bad:
            return "other" if good else "neutral"
        return "positive" if good > bad else "negative"


class HfClassifier:
    """A Hugging Face sequence classifier. `spec` is the text after ``hf:``.

    Probabilities are a softmax over the labels, or one sigmoid for each if the model states that its labels
    do not exclude each other. A text longer than the model's window (at most 512 tokens are read) is cut at
    its end.

    Raises:
        EvenhandError: as for opening a model.
    """

    def __init__(self, spec: str) -> None:
        from evenhand.architectures import window
        from evenhand.architectures.checking import check_positions
        from evenhand.scoring.tokens import embedding_rows

        self._module, self._tokenizer, self.opening = _load(spec)
        check_positions(self._module)
        self._rows = embedding_rows(self._module)
        config: Any = self._module.config
        self.labels = tuple(str(config.id2label[i]).lower() for i in range(config.num_labels))
        self._many = config.problem_type == "multi_label_classification" or len(self.labels) == 1
        self._longest = min(_LONGEST, window(config) or _LONGEST)

    @cached_property
    def identity(self) -> str:
        """The digest of its weights, tokenizer and configuration, and of what its labels are called.

        With the sides on which texts are padded and cut, which are no part of a tokenizer's digest.
        """
        from evenhand.models.digests import model_digest, settings_digest
        from evenhand.records import digest

        return digest(
            model_digest(self._module, self._tokenizer),
            settings_digest(self._module, self._tokenizer),
            (self._tokenizer.padding_side, self._tokenizer.truncation_side),
            self.labels,
            self._many,
        )

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """The labels of each text, in order; equal texts are read once."""
        import torch

        distinct = sorted(dict.fromkeys(texts), key=lambda text: (len(text), text))
        found: dict[str, Labels] = {}
        with torch.no_grad(), task("classifying", len(distinct), unit="text") as advance:
            for batch in _batches(distinct):
                found |= zip(batch, self._batch(batch), strict=True)
                advance(len(batch))
        return [found[text] for text in texts]

    def _batch(self, texts: Sequence[str]) -> list[Labels]:
        from evenhand.scoring.tokens import check_ids

        inputs = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        for text, ids in zip(texts, inputs["input_ids"].tolist(), strict=True):
            check_ids(self._tokenizer, ids, self._rows, text)
        device = next(self._module.parameters()).device
        logits = self._module(**{name: tensor.to(device) for name, tensor in inputs.items()}).logits.float()
        shares = logits.sigmoid() if self._many else logits.softmax(-1)
        if not shares.isfinite().all():
            raise BadModel(
                "The classifier answers with NaN.", mend="Use another one, or its float32 weights."
            )
        return [dict(zip(self.labels, row, strict=True)) for row in shares.tolist()]


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Batches of texts of similar length; four characters count as a token."""
    batch: list[str] = []
    for text in texts:
        if batch and (len(batch) + 1) * max(8, math.ceil(len(text) / 4)) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _load(spec: str) -> tuple[nn.Module, PreTrainedTokenizerBase, tuple[str, ...]]:
    """The classifier, its tokenizer, and notes on how it was opened."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from evenhand.files import is_folder, written_as_path
    from evenhand.models import hub
    from evenhand.models.checkpoints import check_complete
    from evenhand.models.loading import checked_folder, explained, placed, quiet
    from evenhand.scoring.finite import check_weights

    local = written_as_path(spec) or is_folder(spec)
    name, _, revision = (spec, "", "") if local else spec.partition("@")
    name = str(checked_folder(Path(spec).expanduser())) if local else name

    def load(where: Mapping[str, Any]) -> tuple[Any, PreTrainedTokenizerBase]:
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
        made = AutoModelForSequenceClassification.from_pretrained(
            name, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True, **where
        )
        return made, tokenizer

    instead = "Or name another classifier; classifier=lexicon is a word list that needs no model."
    with quiet(), explained(name):
        (loaded, tokenizer), notes = hub.opened(name, revision or None, load, instead=instead)
    module, info = loaded
    if info["missing_keys"]:
        raise BadModel(
            f"{name} has no classification head: {', '.join(sorted(map(str, info['missing_keys']))[:3])} "
            "would be random numbers.",
            mend="Name a text classifier.",
        )
    check_complete(name, module, info)
    check_weights(name, module)
    if tokenizer.pad_token_id is None:
        raise BadModel(
            f"The tokenizer of the classifier {name} has no padding token, so texts cannot be read together.",
            mend='Name one in its tokenizer_config.json ("pad_token"), and its id in config.json '
            '("pad_token_id").',
        )
    return placed(module.eval()), tokenizer, notes


@cache
def open_classifier(spec: str, purpose: str) -> Classifier:
    """The classifier that `spec` names, opened once; `purpose` (``toxicity``, ``regard``) chooses the word
    list.

    Raises:
        BadOption: `spec` names neither a Hugging Face classifier nor the lexicon.
        EvenhandError: as for opening a model.
    """
    check_classifier(spec)
    if spec == LEXICON:
        return ToxicWords() if purpose == "toxicity" else RegardWords()
    return HfClassifier(spec.removeprefix("hf:"))


def check_classifier(spec: str) -> None:
    """Check that `spec` can name a classifier; nothing is opened.

    Raises:
        BadOption: it cannot.
    """
    if spec != LEXICON and not spec.startswith("hf:"):
        raise BadOption(
            f"classifier={spec} names no classifier.",
            mend="Write classifier=hf:org/name, classifier=hf:./folder, or classifier=lexicon for the word "
            "list.",
        )
