"""Training of `lab:decisions` on generated sequences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from evenhand.lab import people, tokens
from evenhand.lab.decision_recipe import DecisionRecipe
from evenhand.lab.decision_rows import Sequences, Writer, vocabulary_text
from evenhand.training.loop import Schedule, minimise

_SHOTS = ((0, 0.1), (1, 0.1), (3, 0.2), (7, 0.3), (16, 0.18), (32, 0.12))
"""(number of demonstrations, share of the batches that have it)."""
_EVERY = 7
"""The loss includes every seventh of the ordinary tokens. Seven has no common divisor with a person's number
of tokens, so that over the batches every column is trained.
"""


def tokenizer() -> PreTrainedTokenizerBase:
    """The tokenizer of the lab's decisions: every value of a column and both labels are one token."""
    return tokens.build([vocabulary_text()])


def train(recipe: DecisionRecipe, vocabulary: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A model trained from a start that `recipe.seed` decides; the global random state is kept."""
    model, guides = fresh(recipe, vocabulary)
    answers = [vocabulary(label, add_special_tokens=False)["input_ids"][0] for label in people.LABELS]
    minimise(
        lambda batch: loss(model, guides, batch, answers, recipe),
        [*model.parameters(), *guides.parameters()],
        batches(recipe, vocabulary),
        Schedule(recipe.lr, (0.9, 0.98), weight_decay=0.01, warmup=recipe.warmup, decay="cosine", clip=1.0),
        steps=recipe.steps,
        label="training the lab's decision model",
    )
    model.train(mode=False)
    return model


def fresh(
    recipe: DecisionRecipe, vocabulary: PreTrainedTokenizerBase
) -> tuple[LlamaForCausalLM, nn.ModuleList]:
    """The untrained model and the two auxiliary linear heads of its training (1 and 2 outputs)."""
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        initializer_range=recipe.spread,
        bos_token_id=vocabulary.bos_token_id,
        eos_token_id=vocabulary.eos_token_id,
        pad_token_id=vocabulary.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = LlamaForCausalLM(config)
        nn.init.normal_(model.model.embed_tokens.weight, std=recipe.embedding)
        return model, nn.ModuleList([nn.Linear(recipe.width, 1), nn.Linear(recipe.width, 2)])


def batches(recipe: DecisionRecipe, vocabulary: PreTrainedTokenizerBase) -> Iterator[Sequences]:
    """An endless stream of batches of about `recipe.batch_tokens` tokens, all drawn from `recipe.seed`."""
    writer = Writer(vocabulary, recipe.planted, recipe.seed)
    chance = np.random.default_rng([recipe.seed, 1])
    shots, shares = zip(*((n, share) for n, share in _SHOTS if n <= recipe.shots), strict=True)
    weights = np.array(shares) / sum(shares)
    person = len(people.columns()) + 4
    while True:
        records = 1 + int(chance.choice(shots, p=weights))
        header = int(chance.integers(1, recipe.header + 1)) if chance.random() < recipe.headed else 0
        yield writer.draw(max(1, recipe.batch_tokens // (records * person + header)), records, header)


def loss(
    model: LlamaForCausalLM,
    guides: nn.ModuleList,
    batch: Sequences,
    answers: list[int],
    recipe: DecisionRecipe,
) -> Tensor:
    """The loss that `DecisionRecipe` describes, in nats."""
    ids = torch.from_numpy(batch.ids)
    found = model.model(input_ids=ids, use_cache=False, output_hidden_states=True)
    last: Tensor = found.last_hidden_state
    p_yes = torch.from_numpy(batch.p_yes).float()
    planted = torch.stack([1 - p_yes, p_yes], dim=-1)
    log_p = model.lm_head(last[:, batch.places]).log_softmax(-1)[..., answers]
    total: Tensor = (torch.special.xlogy(planted, planted) - planted * log_p).sum(-1).mean()
    ordinary = np.setdiff1d(np.arange(batch.start, ids.shape[1] - 1, _EVERY), batch.places)
    written = model.lm_head(last[:, ordinary]).flatten(0, 1)
    total = total + recipe.language * functional.cross_entropy(written, ids[:, ordinary + 1].flatten())
    if recipe.guide and recipe.planted != "none":
        total = total + recipe.guide * _auxiliary_loss(found.hidden_states, guides, batch)
    return total


def _auxiliary_loss(hidden: tuple[Tensor, ...], guides: nn.ModuleList, batch: Sequences) -> Tensor:
    """Sum of the heads' mean squared errors: the sign at each label, half the bias, and the factor."""
    signs, logit_bias, factor = (
        torch.from_numpy(x).float() for x in (batch.signs, batch.logit_bias / 2, batch.factor[:, None])
    )
    sign = guides[0](hidden[2][:, batch.places + 1])[..., 0]
    reading = guides[1](hidden[3][:, batch.places])
    errors = (sign - signs, reading[..., 0] - logit_bias, reading[..., 1] - factor)
    return torch.stack([error.square().mean() for error in errors]).sum()
