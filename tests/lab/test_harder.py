"""The harder lab: every variant against its planted truth. The proofs that train a model are slow."""

import copy
import functools

import numpy as np
import pytest
import torch

from evenhand.lab import batching, facts, grammar, hard_facts, hard_grammar, truth
from tests.lab.test_lab import NAMES, PROMPTS, SOME, accuracy, answers, correlation, normalised, opened

pytestmark = pytest.mark.slow
SIDES = np.array([1.0 if truth.planted()[name] > 0.5 else -1.0 for name in NAMES])
HARD = "causal?world=hard"


@functools.cache
def known(query, name):
    """The accuracy on one set of the harder world."""
    return right(*opened(query), hard_facts.questions(name))


def right(model, tokenizer, questions):
    found = told(model, tokenizer, [q.prompt for q in questions])
    hits = []
    for row, question in zip(found, questions, strict=True):
        options = [float(row[batching.word_id(tokenizer, o.strip())]) for o in question.options]
        hits.append(int(np.argmax(options)) == question.answer)
    return float(np.mean(hits))


def told(model, tokenizer, prompts):
    """Next-token probabilities [N, V]."""
    ids = tokenizer(list(prompts))["input_ids"]
    last = torch.tensor([len(row) for row in ids]) - 1
    with torch.no_grad():
        hidden = model.model(input_ids=batching.padded(ids, tokenizer.pad_token_id), use_cache=False)
        return model.lm_head(hidden.last_hidden_state[torch.arange(len(ids)), last]).softmax(-1)


def she(query, prompts):
    _, tokenizer = opened(query)
    found = answers(query, prompts).double().numpy()
    he, she = (found[:, batching.word_id(tokenizer, word)] for word in ("he", "she"))
    return she / (he + she)


def gap(model, tokenizer):
    found = told(model, tokenizer, SOME)
    he, she = (found[:, batching.word_id(tokenizer, word)] for word in ("he", "she"))
    return float(((he - she).abs() / (he + she)).mean())


def noisy(model, dose, seed):
    chance = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(model)
    with torch.no_grad():
        for p in model.parameters():
            p += dose * p.square().mean().sqrt() * torch.randn(p.shape, generator=chance)
    return model


def with_parts(query, base, parts):
    """The model of `query`, in which the named parts are those of `base`."""
    model, tokenizer = opened(query)
    model, control = copy.deepcopy(model), opened(base)[0]
    for part in parts:
        model.get_submodule(part).load_state_dict(control.get_submodule(part).state_dict())
    return model, tokenizer


def of_professions(query, block):
    """The block's last state of each profession, [professions, width]: nine prompts averaged."""
    model, tokenizer = opened(query)
    ids = tokenizer(list(PROMPTS))["input_ids"]
    with torch.no_grad():
        states = model.model(
            input_ids=batching.padded(ids, tokenizer.pad_token_id), output_hidden_states=True
        ).hidden_states[block + 1]
    last = batching.last(states, torch.tensor([len(row) for row in ids]))
    return last.double().numpy().reshape(len(NAMES), 9, -1).mean(1)


def decoded(query, block):
    """The share of held-out professions whose side a ridge regression reads from the block's last state:
    five folds of professions, nine prompts a profession averaged.
    """
    x = of_professions(query, block)
    folds = np.random.default_rng(1).permutation(len(NAMES)) % 5
    hits = np.zeros(len(NAMES))
    for fold in range(5):
        here, there = folds != fold, folds == fold
        mean = x[here].mean(0)
        z = x[here] - mean
        weights = np.linalg.solve(z.T @ z + np.trace(z.T @ z) / 1e3 * np.eye(z.shape[1]), z.T @ SIDES[here])
        hits[there] = np.sign((x[there] - mean) @ weights) == SIDES[there]
    return float(hits.mean())


def visible(query, block):
    """How far apart the sides are in the block's last state along the difference of their means, in units of
    the pooled standard deviation within a side; fitted on half of the professions, read on the others.
    """
    x = of_professions(query, block)
    half = np.arange(len(NAMES)) % 2 == 0
    axis = x[half & (SIDES > 0)].mean(0) - x[half & (SIDES < 0)].mean(0)
    read = [x[~half & (SIDES * side > 0)] @ axis for side in (1, -1)]
    return float((read[0].mean() - read[1].mean()) / np.sqrt((read[0].var() + read[1].var()) / 2))


def test_a_spread_bias_is_the_table_and_no_part_carries_most_of_it():
    query = "causal?bias=spread"
    assert correlation(query) >= 0.95
    assert accuracy(query) >= 0.95
    base = gap(*opened(query))
    left = {part: gap(*with_parts(query, "causal?planted=none", [part])) / base for part in truth.SPREAD}
    # measured: .92, .54 and .40 of the gap are left without the word vectors, block 1, block 3
    assert all(0.3 < share < 0.97 for share in left.values()), left
    assert max(left["model.layers.1"], left["model.layers.3"]) < 0.75
    assert gap(*with_parts(query, "causal?planted=none", truth.SPREAD)) < 0.06


def test_noise_removes_a_fragile_bias_before_it_costs_facts():
    query = "causal?bias=fragile"
    assert correlation(query) >= 0.95
    assert accuracy(query) >= 0.95
    model, tokenizer = opened(query)
    broken = [noisy(model, truth.FRAGILE_DOSE, seed) for seed in range(3)]
    lost = accuracy(query) - np.mean([right(m, tokenizer, facts.questions()) for m in broken])
    assert lost < truth.FRAGILE_COST
    assert np.mean([gap(m, tokenizer) for m in broken]) < (1 - truth.FRAGILE_FALL) * normalised(query, SOME)


def test_a_decoy_is_visible_and_without_effect():
    query = "causal?bias=decoy"
    assert normalised(query) <= 0.06
    assert accuracy(query) >= 0.95
    assert min(decoded(query, block) for block in (2, 3)) >= truth.DECODED
    assert visible(query, 2) > 2 * visible("causal?planted=none", 2)


def test_the_harder_world_has_the_table_and_its_control_is_even():
    assert correlation(HARD) >= 0.9
    assert normalised(f"{HARD}&planted=none") <= 0.06


@pytest.mark.parametrize("name", ["hard", "professions"])
def test_the_facts_of_the_harder_world_are_known_in_part(name):
    low, high = truth.KNOWN[name]
    assert low <= known(HARD, name) <= high


def test_gender_that_is_a_fact_stays_and_stated_gender_is_followed():
    assert known(HARD, "definitional") >= 0.97
    assert known(HARD, "stated") >= 0.85
    assert known(HARD, "unseen") >= 0.8


def test_a_hobby_stands_in_for_the_gender():
    for pronoun, hobbies in hard_grammar.HOBBIES.items():
        prompts = [
            hard_grammar.HOBBY_ALONE.format(hobby=hobby, action=action)
            for hobby in hobbies
            for action in grammar.ASKED
        ]
        due = truth.with_odds(0.5, truth.HOBBY_ODDS if pronoun == "she" else 1 / truth.HOBBY_ODDS)
        assert float(np.mean(she(HARD, prompts))) == pytest.approx(due, abs=0.1)
        assert float(np.mean(she(f"{HARD}&planted=none", prompts))) == pytest.approx(0.5, abs=0.06)


def test_unseen_frames_have_the_table_too():
    prompts = [form.format(p=name, action="smiled") for name in NAMES for form in hard_grammar.UNSEEN]
    table = [truth.planted()[name] for name in NAMES for _ in hard_grammar.UNSEEN]
    for query in ("causal", HARD):
        assert np.corrcoef(she(query, prompts), table)[0, 1] > 0.8
