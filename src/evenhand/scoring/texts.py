"""Whole texts as packed prefix trees, for hooks to observe: no text is predicted, every token has a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from evenhand.scoring.blocks import distinct
from evenhand.scoring.forward import SelectedHead, run_inputs
from evenhand.scoring.kept import Nodes, kept_of
from evenhand.scoring.packing import Packed
from evenhand.scoring.plan import Row
from evenhand.scoring.probe import choose
from evenhand.scoring.restarting import agrees, packed, packed_rows
from evenhand.scoring.tokens import Encoder
from evenhand.scoring.trees import most_nodes, refusal, tree_inputs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Texts:
    """Texts in `trees`; `places` holds, text by text, its tree and the places of its tokens in that tree."""

    trees: tuple[Packed, ...]
    places: tuple[tuple[int, list[int]], ...]


def trees_of(
    module: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, room: int = 512
) -> Texts:
    """The whole `texts`, begin-of-text tokens included, as trees of at most `room` tokens.

    Raises:
        BadData: a text is empty, or does not fit into the model's window.
    """
    rows = Encoder.of(module, tokenizer).prompts(texts)
    apart = distinct(rows)
    trees, _ = packed(apart, [[] for _ in apart], room)
    nodes = Nodes()
    for row in apart:
        nodes.add(row)
    at = [{node: place for place, node in enumerate(nodes.of_tree(tree))} for tree in trees]
    home = {node: i for i, places in enumerate(at) for node in places}
    paths = [nodes.of_row(row) for row in rows]
    # A text lies whole in any tree that holds its last token.
    places = tuple((home[path[-1]], [at[home[path[-1]]][node] for node in path]) for path in paths)
    return Texts(tuple(trees), places)


def packs(module: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> bool:
    """Whether the model's texts may run as trees; tested once per model on a few of `texts`.

    Raises:
        BadData: as for `trees_of`.
    """
    return rows_pack(module, lambda: Encoder.of(module, tokenizer).prompts(texts))


def rows_pack(module: nn.Module, rows: Callable[[], Sequence[tuple[int, ...]]]) -> bool:
    """The same of texts that are encoded already, as `rows` gives them."""
    if refusal(module) is not None or most_nodes(module) is not None:
        return False

    def test() -> bool:
        ids = sorted(distinct(rows()), key=len, reverse=True)
        few = choose([Row(row, ((len(row) - 1, 0),), 0) for row in ids])
        return agrees(module, packed_rows(module), few, "packed texts")

    return kept_of(module).passes("trees", test)


def run_trees(module: nn.Module, trees: Sequence[Packed]) -> None:
    """Run the trees as one batch; hooked states are [trees, longest tree, width]."""
    with SelectedHead(module) as head:
        run_inputs(module, head, tree_inputs(module, trees), [(0, 0)])
