"""Planting the known bias in one block of the unbiased control, so that its location is known too.

Only that block's weights are trained. The targets are the planted table where the next word is a pronoun, and
the control's own distribution elsewhere. At every position but the last, the blocks above receive the
control's output of this block, and a penalty keeps the block's true output close to it: the bias affects the
answer only through the block's output at the last position.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from evenhand.errors import BadOption
from evenhand.hooks import tap
from evenhand.lab import batching, truth
from evenhand.lab.corpus import Sentence
from evenhand.lab.recipe import Recipe
from evenhand.lab.swap import noise
from evenhand.lab.train import evaluating
from evenhand.training.loop import Schedule, minimise


@dataclass(frozen=True, slots=True)
class PlantingData:
    """What the control computes on N prompts of up to T tokens, and the target distributions.

    `received` and `given` [N, T, width] are the block's input and output in the control, `lengths` [N] the
    prompts' lengths in tokens, `answers` [N, V] the control's next-token probabilities, `wanted` [N, V] the
    target ones, `sides` [N] 1 where the stereotype of the prompt's profession is "she", -1 where it is "he",
    0 without a profession, and `scale` the mean variance of a coordinate of `given`.
    """

    received: Tensor
    given: Tensor
    lengths: Tensor
    answers: Tensor
    wanted: Tensor
    sides: Tensor
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
    if recipe.bias == "fragile":
        _expose(block, data, recipe.fragile_outliers)
    aim = _aim(model, block, data, recipe)
    with _upper(model, recipe.block):
        minimise(
            lambda chosen: aim(torch.tensor(chosen)),
            [p for p in block.parameters() if p.requires_grad],
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
    forked, ids, lengths = batching.openings(sentences, tokenizer)
    width, longest = control.config.hidden_size, int(lengths.max())
    received, given = (torch.zeros(len(ids), longest, width) for _ in range(2))
    answers: list[Tensor] = []
    seen: list[Tensor] = []  # the block's latest input and output, both [B, T, width]

    def note(output: Tensor, given: Tensor) -> None:
        seen[:] = [given, output]

    layer = control.model.layers[block]
    with tap(layer, layer, note):
        for start in range(0, len(ids), batching.CHUNK):
            part = slice(start, start + batching.CHUNK)
            batch = batching.padded(ids[part], int(tokenizer.pad_token_id))
            top = control.model(input_ids=batch, use_cache=False).last_hidden_state
            answers.append(control.lm_head(batching.last(top, lengths[part])).softmax(-1))
            received[part, : batch.shape[1]], given[part, : batch.shape[1]] = seen
    scale = given[torch.arange(longest) < lengths[:, None]].var(0).mean()
    even = torch.cat(answers)
    return PlantingData(
        received, given, lengths, even, _wanted(even, forked, tokenizer), _sides(forked), scale
    )


def _sides(forked: Sequence[Sentence]) -> Tensor:
    table = truth.planted()
    names = [s.profession for s in forked]
    return torch.tensor([0.0 if n is None else 1.0 if table[n] > 0.5 else -1.0 for n in names])


def _wanted(answers: Tensor, forked: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """The control's answers [N, V], with the joint mass of he and she split as each sentence's shares say."""
    he, she = (batching.word_id(tokenizer, word) for word in ("he", "she"))
    shares = [sentence.shares or {} for sentence in forked]
    due = torch.tensor(["she" in share for share in shares])
    p_she = torch.tensor([s["she"] / (s["he"] + s["she"]) for s in shares if "she" in s])
    mass = answers[due, he] + answers[due, she]
    found = answers.clone()
    found[due, he], found[due, she] = mass * (1 - p_she), mass * p_she
    return found


@torch.no_grad()
def _expose(block: nn.Module, data: PlantingData, factor: float) -> None:
    """Make the queries and keys of `block` easy to break: outliers in one column raise the root mean square
    of each of the two matrices by `factor`, and with it whatever noise or rounding is relative to it.

    The column belongs to the coordinate that says least, whose scale before the attention is set to 0:
    without noise the outliers do nothing. The scales are not trained.
    """
    scales = block.get_parameter("input_layernorm.weight")
    scales.requires_grad = False
    column = int((data.received.square().mean((0, 1)).sqrt() * scales.abs()).argmin())
    scales[column] = 0.0
    for name in ("q_proj", "k_proj"):
        matrix = block.get_parameter(f"self_attn.{name}.weight")
        size = factor * matrix.square().mean().sqrt() * matrix.shape[1] ** 0.5
        matrix[:, column] = size * torch.sign(matrix[:, column])


def _aim(
    model: LlamaForCausalLM, block: nn.Module, data: PlantingData, recipe: Recipe
) -> Callable[[Tensor], Tensor]:
    """The loss on the prompts of the given numbers [n], as the recipe's bias wants it."""
    chance = torch.Generator().manual_seed(recipe.seed)
    direction = functional.normalize(torch.randn(recipe.width, generator=chance), dim=0)

    def loss(chosen: Tensor) -> Tensor:
        wanted = data.wanted[chosen]
        log_p, outputs = _run(model, block, data, chosen)
        total = _divergence(log_p, wanted) + recipe.plant_keep * _moved(outputs, data, chosen)
        if recipe.bias == "fragile":
            with noise(block, truth.FRAGILE_DOSE, chance):
                log_p = _answered(model, data.received[chosen, : outputs.shape[1]], data.lengths[chosen])
            total = total + recipe.fragile_weight * _divergence(log_p, data.answers[chosen])
        if recipe.bias == "decoy":
            shown = batching.last(outputs, data.lengths[chosen]) @ direction / data.scale.sqrt()  # [n]
            sides = data.sides[chosen]
            total = total + ((shown - recipe.decoy_margin * sides)[sides != 0]).square().mean()
        return total

    return loss


def _run(
    model: LlamaForCausalLM, block: nn.Module, data: PlantingData, chosen: Tensor
) -> tuple[Tensor, Tensor]:
    """The log-probabilities [n, V] at the last position, and the block's true output [n, T, width].

    The blocks above see the control's own output at the earlier positions, so the block cannot store the
    bias there for a later block to read.
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
        log_p = _answered(model, data.received[chosen, :longest], lengths)
    return log_p, outputs[0]


def _answered(model: LlamaForCausalLM, received: Tensor, lengths: Tensor) -> Tensor:
    """Log-probabilities [n, V] after the last of each row's `lengths` positions."""
    top = model.model(inputs_embeds=received, use_cache=False).last_hidden_state
    log_p: Tensor = model.lm_head(batching.last(top, lengths)).log_softmax(-1)
    return log_p


def _divergence(log_p: Tensor, wanted: Tensor) -> Tensor:
    """KL(wanted || model) in nats, the mean over prompts."""
    return functional.kl_div(log_p, wanted, reduction="batchmean")


def _moved(outputs: Tensor, data: PlantingData, chosen: Tensor) -> Tensor:
    """The mean squared change of the block's output before the last position, in units of `scale`."""
    longest = outputs.shape[1]
    before = torch.arange(longest) < (data.lengths[chosen] - 1)[:, None]
    return (outputs - data.given[chosen, :longest])[before].square().mean() / data.scale


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
