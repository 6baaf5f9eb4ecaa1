"""Planting the known bias in several parts of the unbiased control, towards an equal share in each.

Every part of `truth.SPREAD` is trained to carry its share of the table's log-odds whatever the others do: at
each step a random subset of the parts is as trained, the rest is as in the control, and the target is the
table with the subset's share of each log-odds. So no part carries all of it; the word vectors
learn slowly and reach less than their share.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from evenhand.lab import batching, truth
from evenhand.lab.corpus import Sentence
from evenhand.lab.recipe import Recipe
from evenhand.lab.swap import swapped
from evenhand.lab.train import evaluating
from evenhand.training.loop import Schedule, minimise


@dataclass(frozen=True, slots=True)
class SpreadData:
    """N prompts of up to T tokens: `ids` [N, T], `lengths` [N], and what the control answers: `states`
    [N, T, width] after the final norm, and `answers` [N, V].

    `he` and `she` are the words' ids; `log_odds` [N] is that of "she" in the table, and not a number where no
    pronoun is due.
    """

    ids: Tensor
    lengths: Tensor
    states: Tensor
    answers: Tensor
    log_odds: Tensor
    he: int
    she: int

    def wanted(self, chosen: Tensor, share: float) -> Tensor:
        """The control's answers [n, V], with the mass of he and she split at `share` of the way from the
        control's log-odds to the table's."""
        found = self.answers[chosen].clone()
        mass = found[:, self.he] + found[:, self.she]
        even = (found[:, self.she] / found[:, self.he]).log()
        due = ~self.log_odds[chosen].isnan()
        p_she = (even + share * (self.log_odds[chosen] - even)).sigmoid()
        found[due, self.he], found[due, self.she] = (mass * (1 - p_she))[due], (mass * p_she)[due]
        return found


def plant(
    control: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[Sentence],
    recipe: Recipe,
) -> LlamaForCausalLM:
    """A copy of `control` in which the parts of `truth.SPREAD` alone were trained."""
    data = prepare(control, tokenizer, sentences)
    model = copy.deepcopy(control).requires_grad_(requires_grad=False)
    parts = {part: model.get_submodule(part).requires_grad_(requires_grad=True) for part in truth.SPREAD}
    before = {
        part: {n: p.detach().clone() for n, p in module.named_parameters()} for part, module in parts.items()
    }
    chance = random.Random(recipe.seed)
    order = batching.bucketed(data.lengths.tolist(), recipe.plant_tokens, recipe.seed)

    def loss(chosen: list[int]) -> Tensor:
        active = chance.sample(truth.SPREAD, chance.choice((1, 1, 2, 3, 3, 3)))
        asleep = {
            f"{part}.{name}": value
            for part in truth.SPREAD
            if part not in active
            for name, value in before[part].items()
        }
        with swapped(model, asleep):
            return _loss(
                model, data, torch.tensor(chosen), len(active) / len(truth.SPREAD), recipe.plant_keep
            )

    minimise(
        loss,
        [p for module in parts.values() for p in module.parameters()],
        order,
        Schedule(recipe.spread_lr, (0.9, 0.98), warmup=20, decay="cosine", clip=1.0),
        steps=recipe.plant_steps,
        label="planting the bias in several parts",
    )
    model.requires_grad_(requires_grad=True)
    return evaluating(model)


@torch.no_grad()
def prepare(
    control: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, sentences: Sequence[Sentence]
) -> SpreadData:
    """Run the control once over the openings of `sentences` that have a fork."""
    forked, rows, lengths = batching.openings(sentences, tokenizer)
    ids = batching.padded(rows, int(tokenizer.pad_token_id))
    states, answers = [], []
    for start in range(0, len(rows), batching.CHUNK):
        part = slice(start, start + batching.CHUNK)
        states.append(control.model(input_ids=ids[part], use_cache=False).last_hidden_state)
        answers.append(control.lm_head(batching.last(states[-1], lengths[part])).softmax(-1))
    he, she = (batching.word_id(tokenizer, word) for word in ("he", "she"))
    shares = [s.shares or {} for s in forked]
    odds = torch.tensor([s["she"] / s["he"] if "she" in s else float("nan") for s in shares])
    return SpreadData(ids, lengths, torch.cat(states), torch.cat(answers), odds.log(), he, she)


def _loss(model: LlamaForCausalLM, data: SpreadData, chosen: Tensor, share: float, keep: float) -> Tensor:
    """KL(wanted || model) in nats at the last position, plus `keep` times the mean squared change of the
    normed states before it: what the model says elsewhere stays as it was.
    """
    lengths = data.lengths[chosen]
    longest = int(lengths.max())
    top = model.model(input_ids=data.ids[chosen, :longest], use_cache=False).last_hidden_state
    before = torch.arange(longest) < (lengths - 1)[:, None]
    moved = (top - data.states[chosen, :longest])[before].square().mean() / data.states[chosen, :longest][
        before
    ].var()
    log_p = model.lm_head(batching.last(top, lengths)).log_softmax(-1)
    total: Tensor = functional.kl_div(log_p, data.wanted(chosen, share), reduction="batchmean") + keep * moved
    return total
