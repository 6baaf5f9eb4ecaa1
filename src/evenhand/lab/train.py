"""Training of the lab's models from scratch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from evenhand.lab import batching, truth
from evenhand.lab.batching import Row
from evenhand.lab.corpus import Sentence
from evenhand.lab.recipe import Recipe
from evenhand.training.loop import Schedule, minimise

Wanted = tuple[int, int, float]
"""(position, token, weight): the token is the target at this position of a row."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded token ids [B, T] and what to predict from them.

    At position ``cells[i]`` (sorted) of the flattened [B * T] positions token `targets[i]` is the target with
    weight `weights[i]`: in a causal model the next one. A fork's position occurs once for every word.
    """

    ids: Tensor
    cells: Tensor
    targets: Tensor
    weights: Tensor


def train(
    recipe: Recipe, sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase
) -> LlamaForCausalLM:
    """A model trained on `sentences` from an initialisation that `recipe.seed` determines."""
    model = fresh(recipe, tokenizer)
    rows = batching.encode(sentences, tokenizer)
    order = batching.bucketed([len(row.ids) for row in rows], recipe.batch_tokens, recipe.seed)
    pad = int(tokenizer.pad_token_id)
    minimise(
        lambda batch: loss(model, batch),
        list(model.parameters()),
        (collate([rows[i] for i in chosen], pad, recipe.fork_weight) for chosen in order),
        Schedule(recipe.lr, (0.9, 0.98), weight_decay=0.01, warmup=recipe.warmup, decay="cosine", clip=1.0),
        steps=recipe.steps,
        label="training the lab model",
    )
    return evaluating(model)


def evaluating(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """The same `model`, out of training mode."""
    model.train(mode=False)
    return model


def fresh(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """The untrained model: Llama's architecture in the size of `recipe`; the global random state is kept."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        initializer_range=0.05,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = LlamaForCausalLM(config)
        vectors = torch.nn.init.normal_(model.model.embed_tokens.weight, std=recipe.embedding)
        write_associations(vectors, tokenizer, recipe.association)
    return model


def write_associations(vectors: Tensor, tokenizer: PreTrainedTokenizerBase, length: float) -> None:
    """Write each token's association with gender into word vectors [V, d], in place.

    The component along one random direction is set to `length` times the association in nats (see
    `associations`); the other components are unchanged.
    """
    direction = functional.normalize(torch.randn(vectors.shape[1]), dim=0)
    drawn = vectors.data @ direction  # [V]
    vectors.data += (length * associations(tokenizer) - drawn)[:, None] * direction


def associations(tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """Each token's association [V] in nats; over the tokens of a profession they sum to `truth.association`.

    Tokens that professions share ("professor") get the least-squares solution of minimum norm; tokens that
    occur in no profession get 0.
    """
    names = sorted(truth.planted("none"))
    words = tokenizer([" " + name for name in names], add_special_tokens=False)["input_ids"]
    holds = torch.zeros(len(names), len(tokenizer), dtype=torch.float64)
    for row, ids in zip(holds, words, strict=True):
        row[ids] = 1.0
    wanted = torch.tensor([truth.association(name) for name in names], dtype=torch.float64)
    found: Tensor = torch.linalg.pinv(holds) @ wanted
    return found.float()


def collate(rows: Sequence[Row], pad: int, fork_weight: float) -> Batch:
    """One batch of `rows`; ordinary tokens have weight 1, a fork `fork_weight` in total."""
    return batched([row.ids for row in rows], [_wanted(row, fork_weight) for row in rows], pad)


def batched(rows: Sequence[Sequence[int]], wanted: Sequence[Sequence[Wanted]], pad: int) -> Batch:
    """One batch of token ids and of what each row has to predict, sorted by position."""
    ids = batching.padded(rows, pad)
    triples = [
        (number * ids.shape[1] + position, token, weight)
        for number, of_row in enumerate(wanted)
        for position, token, weight in of_row
    ]
    cells, targets, weights = zip(*triples, strict=True)
    return Batch(ids, torch.tensor(cells), torch.tensor(targets), torch.tensor(weights))


def _wanted(row: Row, fork_weight: float) -> list[Wanted]:
    """The prediction targets of `row`, each the next token."""
    found: list[Wanted] = []
    for position, token in enumerate(row.ids[1:]):
        if position == row.fork:
            found += [(position, word, share * fork_weight) for word, share in row.shares]
        else:
            found.append((position, token, 1.0))
    return found


def loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Weighted mean cross-entropy in nats; at a fork the target is the distribution itself, not a draw from
    it.

    A draw would only add noise: about 0.05 to each P(she) at the number of sentences used here.
    """
    return weighted_cross_entropy(
        model.model(input_ids=batch.ids, use_cache=False).last_hidden_state, model.lm_head, batch
    )


def weighted_cross_entropy(hidden: Tensor, head: Callable[[Tensor], Tensor], batch: Batch) -> Tensor:
    """The weighted mean cross-entropy in nats at the targets of `batch`, from the last hidden states [B, T,
    d].

    `head` gives logits [N, V] for states [N, d]; it is applied to the cells of the batch alone.
    """
    cells, row = torch.unique_consecutive(batch.cells, return_inverse=True)
    logits = head(hidden.flatten(0, 1)[cells])
    surprise = torch.logsumexp(logits, dim=-1)[row] - logits[row, batch.targets]
    total: Tensor = (surprise * batch.weights).sum() / batch.weights.sum()
    return total
