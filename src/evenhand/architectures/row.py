"""The row of one architecture: where its sites are, and what scoring must know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Part:
    """The modules of one site, in the order in which they run.

    `output` is the path where the site's result comes out, when that is not the last of `paths`: a module
    that adds the residual stream itself (BLOOM) must not be taken at its own output. Every path must exist
    in the model, unless `optional`: then the configuration decides, and those that it lacks are left out.
    """

    paths: tuple[str, ...]
    output: str | None = None
    optional: bool = False


def part(*paths: str, output: str | None = None, optional: bool = False) -> Part:
    """A `Part` from its paths."""
    return Part(paths, output, optional)


NONE = Part(())


@dataclass(frozen=True, slots=True)
class Architecture:
    """The properties of all models of one `model_type`. With the defaults a model can only be scored.

    `blocks`, `embeddings` and `norm` are paths from the model; `attention`, `mlp`, `norm1` and `norm2` are
    paths from a block. The head is what the model's `get_output_embeddings` gives. Without `blocks` no site
    is known.

    Attributes:
        window: names under which a configuration may state the largest number of tokens, the first one that
            it has counts; empty where nothing limits it.
        first_position: the row of the position table that a text's first token takes; ``padding`` is the one
            after the padding token's id. A model that itself adds an offset to positions (OPT, BART) begins
            at 0.
        shares: whether texts may run as packed trees, also after a beginning that runs once (see
            `evenhand.scoring.trees` and `evenhand.scoring.prefix`): only where the tests compare both with
            whole rows.
        places: the configuration's name of a window that the model counts in places of the batch row instead
            of positions of the text: packed trees may not be larger than it. Empty where there is none.
        recurrent: whether a layer carries a state from token to token, although the configuration's
            `layer_types` does not say so.
        encoder: where the blocks of an encoder are, which come before those of the decoder that `blocks`
            names; None for a model of one stack.
        depth: the configuration's name of the number of `blocks`.
        alone: whether a block takes and gives nothing but the hidden state, so that those below it need not
            run again. T5's hand on the distances between tokens as well.
    """

    blocks: str = ""
    embeddings: Part = NONE
    norm: Part = NONE
    attention: Part = NONE
    mlp: Part = NONE
    norm1: Part = NONE
    norm2: Part = NONE
    window: tuple[str, ...] = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
    first_position: int | Literal["padding"] = 0
    shares: bool = False
    places: str = ""
    recurrent: bool = False
    encoder: Architecture | None = None
    depth: str = "num_hidden_layers"
    alone: bool = True
