"""Packed trees without a beginning: masks by hand, every proven architecture, even sizes, gradients."""

from __future__ import annotations

import random

import pytest
import torch

from evenhand.architectures.table import ROWS as TABLE
from evenhand.scoring.forward import SelectedHead, run_inputs, run_rows
from evenhand.scoring.packing import Packed
from evenhand.scoring.plan import Row, make_plan
from evenhand.scoring.tokens import Encoded
from evenhand.scoring.trees import most_nodes, nodes_at, pack_evenly, refusal, tree_inputs, visible
from evenhand.testing import tiny

pytestmark = pytest.mark.filterwarnings("ignore")

PROVEN = {kind for kind, row in TABLE.items() if row.shares}


def workload(seed: int = 0, n: int = 24) -> tuple[Row, ...]:
    """Rows that branch anywhere, some without anything in common, each read at two positions."""
    draw = random.Random(seed)
    texts = [tuple(draw.randrange(2, 300) for _ in range(11)) for _ in range(3)]
    for _ in range(n):
        known = draw.choice(texts)
        own = [draw.randrange(2, 300) for _ in range(draw.randint(1, 9))]
        texts.append((*known[: draw.randrange(len(known))], *own))
    return make_plan([Encoded(ids, max(1, len(ids) - 2)) for ids in texts if len(ids) > 1]).rows


def worst(module, rows=None, room: int = 60) -> float:
    """The largest difference of a log-probability between batches of trees and single rows."""
    trees = pack_evenly(rows or workload(), room)
    assert len(trees) > 1
    with torch.no_grad(), SelectedHead(module) as head:
        together = run_inputs(module, head, tree_inputs(module, trees), nodes_at(trees)).log_softmax(-1)
        alone = [
            run_rows(module, head, [path_to(trees[i], place)], [[trees[i].depth[place]]], padding="right")
            for i, place in nodes_at(trees)
        ]
    return float((together - torch.cat(alone).log_softmax(-1)).abs().max())


def path_to(tree: Packed, place: int) -> list[int]:
    return [tree.ids[j] for j in range(place + 1) if place < tree.end[j]]


def tree(ids, depth, end, start: int = 0) -> Packed:
    return Packed((), start, ids, depth, end, ())


def test_the_mask_by_hand():
    """5 with the branches 6 and 7 beside the single 8: 7 does not see 6, and padding sees itself only."""
    first, second = tree((5, 6, 7), (0, 1, 1), (3, 2, 3)), tree((8,), (0,), (1,))
    seen = visible([first, second], None)
    assert seen[0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert seen[1].int().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_padding_does_not_see_the_beginning():
    first, second = tree((6, 7), (1, 1), (1, 2), start=1), tree((8,), (1,), (1,), start=1)
    seen = visible([first, second], None)
    assert seen[0].int().tolist() == [[1, 1, 0], [1, 0, 1]]
    assert seen[1].int().tolist() == [[1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("kind", [*sorted(PROVEN), "gpt_neo"])
def test_proven_architectures_read_trees_as_they_read_single_rows(kind):
    module = tiny.module(kind, **({"window_size": 60} if kind == "gpt_neo" else {}))
    assert refusal(module) is None
    assert worst(module) < 2e-5


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral", "gemma3_text", "opt", "falcon", "cohere2"])
def test_either_attention_is_right(kind):
    assert tiny.module(kind).config._attn_implementation == "sdpa", "the case above"
    assert worst(tiny.module(kind, attn_implementation="eager")) < 2e-5


def test_a_window_in_places_limits_the_tree():
    """GPT-Neo's local layers count places: a tree of 60 tokens with a window of 6 is wrong."""
    module = tiny.module("gpt_neo")
    assert most_nodes(module) == 6
    assert most_nodes(tiny.module("llama")) is None
    assert worst(module) > 1e-2
    short = [row for row in workload() if len(row.ids) <= 6]
    assert worst(module, short, 6) < 2e-5


@pytest.mark.parametrize("room", [1, 16, 40, 64, 1000])
def test_trees_are_few_and_even(room):
    """As few as rows packed up to the limit one after the other; the largest as small as may be."""
    rows = workload(1, 60)
    trees = pack_evenly(rows, room)
    assert sorted(row.slot for one in trees for row in one.rows) == [row.slot for row in rows]
    sizes = [len(one.ids) for one in trees]
    assert all(size <= room or len(one.rows) == 1 for size, one in zip(sizes, trees, strict=True))
    smaller = [pack_evenly(rows, limit) for limit in range(max(sizes) - 1, 0, -1)][:1]
    assert all(len(found) > len(trees) or max(len(t.ids) for t in found) >= max(sizes) for found in smaller)
    assert trees == pack_evenly(rows[::-1], room), "the order does not matter"


def test_gradients_flow_through_trees():
    """The gradient of the summed log-probabilities is that of the rows one by one."""
    module, rows = tiny.module("llama"), workload()
    trees = pack_evenly(rows, 60)

    def gradient(logits, targets):
        module.zero_grad()
        logits.log_softmax(-1)[range(len(targets)), targets].sum().backward()
        return module.model.layers[0].mlp.down_proj.weight.grad.clone()

    with SelectedHead(module) as head:
        packed = run_inputs(module, head, tree_inputs(module, trees), nodes_at(trees))
        index = {node: i for i, node in enumerate(nodes_at(trees))}
        wanted = [(index[i, place], target) for i, t in enumerate(trees) for place, target, _ in t.wanted]
        together = gradient(packed[[row for row, _ in wanted]], [target for _, target in wanted])
        places = [[position for position, _ in row.wanted] for row in rows]
        single = run_rows(module, head, [row.ids for row in rows], places, padding="right")
        alone = gradient(single, [target for row in rows for _, target in row.wanted])
    assert float((together - alone).abs().max() / alone.abs().max()) < 1e-4
