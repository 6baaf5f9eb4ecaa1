"""Training of `lab:masked` and `lab:seq2seq`: a small BERT and a small T5 that predict hidden spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForConditionalGeneration,
)

from evenhand.lab import batching, corpus, facts, tokens
from evenhand.lab.corpus import Sentence
from evenhand.lab.infill_recipe import InfillRecipe
from evenhand.lab.infill_rows import TrainingExample, training_examples
from evenhand.lab.train import Batch, batched, weighted_cross_entropy, write_associations
from evenhand.training.loop import Schedule, minimise

Filler = BertForMaskedLM | T5ForConditionalGeneration
Rows = tuple[Tensor, Batch]
"""Inputs [B, S], padded on the right, and what to predict."""
_LONGEST = 256


def tokenizer(recipe: InfillRecipe, sentences: Sequence[Sentence]) -> PreTrainedTokenizerBase:
    """The tokenizer for the words of `sentences` with the special tokens that the recipe's family needs."""
    form = tokens.MASKED if recipe.kind == "masked" else tokens.SEQ2SEQ
    return tokens.build([*(s.text for s in sentences), facts.neutral_text(), corpus.vocabulary()], form)


def train(recipe: InfillRecipe, sentences: Sequence[Sentence], vocabulary: PreTrainedTokenizerBase) -> Filler:
    """A model trained on the spans of `sentences` from a start that `recipe.seed` decides."""
    model = fresh(recipe, vocabulary)
    rows = training_examples(sentences, vocabulary, recipe)
    order = batching.bucketed([len(row.source) for row in rows], recipe.batch_tokens, recipe.seed)
    pad = int(vocabulary.pad_token_id)
    minimise(
        lambda batch: loss(model, batch, pad),
        list(model.parameters()),
        (collate([rows[i] for i in chosen], pad) for chosen in order),
        Schedule(recipe.lr, (0.9, 0.98), weight_decay=0.01, warmup=recipe.warmup, decay="cosine", clip=1.0),
        steps=recipe.steps,
        label=f"training the lab's {recipe.kind} model",
    )
    model.train(mode=False)
    return model


def fresh(recipe: InfillRecipe, vocabulary: PreTrainedTokenizerBase) -> Filler:
    """The untrained model in the size of `recipe`; the global random state is kept."""
    make: Callable[[InfillRecipe, PreTrainedTokenizerBase], Filler] = (
        _bert if recipe.kind == "masked" else _t5
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return make(recipe, vocabulary)


def _bert(recipe: InfillRecipe, vocabulary: PreTrainedTokenizerBase) -> BertForMaskedLM:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=recipe.width,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            intermediate_size=recipe.inner,
            max_position_embeddings=_LONGEST,
            type_vocab_size=1,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=recipe.spread,
            pad_token_id=vocabulary.pad_token_id,
        )
    )


def _t5(recipe: InfillRecipe, vocabulary: PreTrainedTokenizerBase) -> T5ForConditionalGeneration:
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(vocabulary),
            d_model=recipe.width,
            d_kv=recipe.width // recipe.heads,
            d_ff=recipe.inner,
            num_layers=recipe.layers,
            num_decoder_layers=1,  # its output is one or two words
            num_heads=recipe.heads,
            dropout_rate=0.0,
            pad_token_id=vocabulary.pad_token_id,
            eos_token_id=vocabulary.eos_token_id,
            decoder_start_token_id=vocabulary.pad_token_id,  # type: ignore[call-arg]  # of the base class
        )
    )
    write_associations(model.shared.weight, vocabulary, recipe.association)
    return model


def collate(rows: Sequence[TrainingExample], pad: int) -> Rows:
    """One batch of `rows`; a masked model predicts from the sources themselves."""
    sources = [row.source for row in rows]
    read = [row.target or row.source for row in rows]
    return batching.padded(sources, pad), batched(read, [row.wanted for row in rows], pad)


def loss(model: Filler, rows: Rows, pad: int) -> Tensor:
    """Weighted mean cross-entropy in nats at the hidden positions, against a distribution where one has
    several target words (see `train.weighted_cross_entropy`).
    """
    sources, batch = rows
    seen = (sources != pad).long()
    if isinstance(model, BertForMaskedLM):
        hidden = model.bert(input_ids=sources, attention_mask=seen).last_hidden_state
        return weighted_cross_entropy(hidden, model.cls, batch)
    read = model.encoder(input_ids=sources, attention_mask=seen).last_hidden_state
    hidden = model.decoder(
        input_ids=batch.ids, encoder_hidden_states=read, encoder_attention_mask=seen, use_cache=False
    ).last_hidden_state
    scale = model.config.d_model**-0.5  # T5 shrinks its output, because its head is its embeddings
    return weighted_cross_entropy(hidden, lambda chosen: model.lm_head(chosen * scale), batch)
