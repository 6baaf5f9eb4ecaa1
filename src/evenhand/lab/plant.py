"""Planting the known bias in one block of the unbiased control, so that its location is known too.

Only that block's weights are trained. The targets are the planted table where the next word is a pronoun, and
the control's own distribution elsewhere. At every position but the last, the blocks above receive the
control's output of this block, and a penalty keeps the block's true output close to it: the bias affects the
answer only through the block's output at the last position.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from evenhand.errors import BadOption
from evenhand.hooks import tap
from evenhand.lab import batching
from evenhand.lab.corpus import Sentence
from evenhand.lab.recipe import Recipe
from evenhand.lab.train import evaluating
from evenhand.training.loop import Schedule, minimise

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class PlantingData:
    """What the control computes on N prompts of up to T tokens, and the target distributions.

    `received` and `given` [N, T, width] are the block's input and output in the control, `lengths` [N] the
    prompts' lengths in tokens, `wanted` [N, V] the target next-token probabilities, and `scale` the mean
    variance of a coordinate of `given`.
    """

    received: Tensor
    given: Tensor
    lengths: Tensor
    wanted: Tensor
    scale: Tensor


def plant(
    control: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[Sentence],
    recipe: Recipe,
) -> LlamaForCausalLM:
    """A copy of `control` whose block `recipe.block` alone was trained on the distributions at the forks of
    `sentences`.

    Raises:
        BadOption: the recipe is that of a control, which plants nothing.
    """
    if recipe.block is None:
        raise BadOption("This recipe has no block to plant in.", mend="Give one: lab:causal?block=2.")
    model = copy.deepcopy(control).requires_grad_(requires_grad=False)
    data = prepare(model, tokenizer, sentences, recipe.block)
    block = model.model.layers[recipe.block].requires_grad_(requires_grad=True)
    order = batching.bucketed(data.lengths.tolist(), recipe.plant_tokens, recipe.seed)
    with _upper(model, recipe.block):
        minimise(
            lambda chosen: _loss(model, block, data, torch.tensor(chosen), recipe.plant_keep),
            list(block.parameters()),
            order,
            Schedule(recipe.plant_lr, (0.9, 0.98), warmup=20, decay="cosine"),
            steps=recipe.plant_steps,
            label=f"planting the bias in block {recipe.block}",
        )
    model.requires_grad_(requires_grad=True)
    return evaluating(model)


@torch.no_grad()
def prepare(
    control: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, sentences: Sequence[Sentence], block: int
) -> PlantingData:
    """Run the control once over the openings of `sentences` that have a fork."""
    forked = sorted((s for s in sentences if s.opening), key=lambda s: len(s.opening or ""))
    ids = tokenizer([s.opening for s in forked])["input_ids"]
    lengths = torch.tensor([len(row) for row in ids])
    width, longest = control.config.hidden_size, int(lengths.max())
    received, given = (torch.zeros(len(ids), longest, width) for _ in range(2))
    answers: list[Tensor] = []
    seen: list[Tensor] = []  # the block's latest input and output, both [B, T, width]

    def note(output: Tensor, given: Tensor) -> None:
        seen[:] = [given, output]

    layer = control.model.layers[block]
    with tap(layer, layer, note):
        for start in range(0, len(ids), _CHUNK):
            part = slice(start, start + _CHUNK)
            batch = batching.padded(ids[part], int(tokenizer.pad_token_id))
            top = control.model(input_ids=batch, use_cache=False).last_hidden_state
            answers.append(control.lm_head(_last(top, lengths[part])).softmax(-1))
            received[part, : batch.shape[1]], given[part, : batch.shape[1]] = seen
    scale = given[torch.arange(longest) < lengths[:, None]].var(0).mean()
    return PlantingData(received, given, lengths, _wanted(torch.cat(answers), forked, tokenizer), scale)


def _wanted(answers: Tensor, forked: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """The control's answers [N, V], with the joint mass of he and she split as each sentence's shares say."""
    he, she = (batching.word_id(tokenizer, word) for word in ("he", "she"))
    shares = [sentence.shares or {} for sentence in forked]
    due = torch.tensor(["she" in share for share in shares])
    p_she = torch.tensor([s["she"] / (s["he"] + s["she"]) for s in shares if "she" in s])
    mass = answers[due, he] + answers[due, she]
    wanted = answers.clone()
    wanted[due, he], wanted[due, she] = mass * (1 - p_she), mass * p_she
    return wanted


def _loss(
    model: LlamaForCausalLM, block: nn.Module, data: PlantingData, chosen: Tensor, keep: float
) -> Tensor:
    """KL(wanted || model) in nats at the last position, plus `keep` times the block's change before it.

    The change is a mean square in units of `scale`. The blocks above see the control's own output at those
    earlier positions, so the block cannot store the bias there for a later block to read.
    """
    lengths = data.lengths[chosen]
    longest = int(lengths.max())
    before = torch.arange(longest) < (lengths - 1)[:, None]
    given = data.given[chosen, :longest]
    outputs: list[Tensor] = []  # what the block truly gives

    def hold(output: Tensor, _: Tensor) -> Tensor:
        outputs[:] = [output]
        return torch.where(before[..., None], given, output)

    with tap(block, block, hold):
        top = model.model(inputs_embeds=data.received[chosen, :longest], use_cache=False).last_hidden_state
    log_p = model.lm_head(_last(top, lengths)).log_softmax(-1)
    divergence = functional.kl_div(log_p, data.wanted[chosen], reduction="batchmean")
    moved = (outputs[0] - given)[before].square().mean() / data.scale
    return divergence + keep * moved


def _last(hidden: Tensor, lengths: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden)), lengths - 1]


@contextmanager
def _upper(model: LlamaForCausalLM, first: int) -> Iterator[None]:
    """Let `model` start at block `first`; the blocks below never change, so they are computed only once."""
    layers, number = model.model.layers, model.config.num_hidden_layers
    model.model.layers = layers[first:]
    model.config.num_hidden_layers = number - first
    try:
        yield
    finally:
        model.model.layers = layers
        model.config.num_hidden_layers = number
