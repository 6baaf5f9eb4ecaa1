"""How much memory work on a model takes, by parts, from its module without storage: nothing is read or run.

What is held is exact: weights, gradients, optimiser moments, copies, logits. What a pass holds for a moment
is counted from the shapes of the blocks, by the constants below; how near the sums come to the peak of a
process is measured by ``perf/bench/footprint.py`` (``docs/scale.md``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from evenhand.architectures import row_of, window
from evenhand.architectures.checking import output_embeddings
from evenhand.architectures.reading import text_config
from evenhand.errors import BadModel
from evenhand.models import placing
from evenhand.models.layout import Layout
from evenhand.scoring.forward import LOGIT_BYTES
from evenhand.scoring.kept import MEMORY
from evenhand.scoring.memory import resident
from evenhand.scoring.sharing import sharing_on

# Tensors that exist at a time in a block. Wide: a gated MLP holds its gate, what it gates, and their product.
# Narrow: the residual stream, its norm, what a half of the block adds, and the sum.
WIDE, NARROW = 3, 4
# What a block keeps for its gradients. Narrow: the inputs and outputs of two norms, query, key, value and the
# attention's output. Wide: GELU by its formula keeps four steps and its result; a gated MLP keeps fewer.
NARROW_KEPT, WIDE_KEPT = 8, 5
# Tables as large as the logits while gradients flow: the logits, the gradients of their sum of exponentials
# and of the chosen ones, and the sum of these.
TABLES = 4
# Tables of a block of distributions: both models', both without the groups' words, and five steps of a
# divergence (see `evenhand.studies.shift` and `evenhand.scoring.distributions`).
COMPARED = 9
WHOLE_ROWS = 64  # tokens of a row that is no packed tree: more than most prompts of the benchmarks here have
PROBED = 512  # tokens of a tree of a locator's prompts, whatever the batches of measuring
# Measured: code of libraries that runs for the first time after a model was opened, the buffers of matrix
# products, requests and answers as Python objects, and freed memory that the C library keeps.
LATER = 50_000_000
# What the C library keeps of freed memory where batches have many sizes, as padded ones have: glibc gives
# back what lies on top of its heap from twice 32 MiB on, the largest block that it takes from the heap.
FREED = 2 * 32 * 2**20
# oneDNN, which multiplies narrow numbers on a CPU, keeps what it built for every size of a product, 1024 of
# them at the most. Measured for matrices of 256 to 3072 rows and columns: the bytes of one forwards, and of
# the three that a layer takes in a step of training; and how many sizes the batches of a benchmark have.
BUILT, BUILT_IN_STEP, BUILT_AT_MOST, SIZES = 750_000, 3_000_000, 1024, 24


@dataclass(frozen=True, slots=True)
class Training:
    """What a fit trains: `weights` numbers, through the blocks from `lowest` on, 0 for all of them.

    There are so many `steps`; the batch of one has `rows` texts with `tokens` together. It predicts one token
    a text, or with `every` each of its tokens, and the loss makes `tables` of the logits' size. `head` says
    whether the head is among the weights: it is then copied for the base's answers. With `restarts` states
    below the lowest block are kept, so that batches begin there.
    """

    weights: int
    lowest: int = 0
    rows: int = 32
    tokens: int = 32 * WHOLE_ROWS
    steps: int = 1
    every: bool = False
    tables: int = TABLES
    head: bool = False
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What is done: measuring (`measures`), locating with the `locator` of that name, fitting by `training`.

    `kept` are the tokens of a fit's prompts whose states below the lowest block are kept, `again` those of
    passes that treated models begin there. `contexts` are those after which the next words of a base and of
    changed models are compared, `texts` those of them whose distributions are all held. `copied` counts the
    bytes of a checkpoint that are read in another dtype. With `disk` blocks lie on the disk and one at a time
    is read.
    """

    batch_tokens: int
    device: str = "cpu"
    disk: bool = False
    measures: bool = True
    locator: str | None = None
    training: Training | None = None
    kept: int = 0
    again: int = 0
    contexts: int = 0
    texts: int = 0
    copied: int = 0

    @property
    def gradients(self) -> bool:
        """Whether gradients flow, for which all weights have to be in memory."""
        return self.training is not None or self.locator == "gradient"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes by part, none of them 0, in the order of `PARTS`, at the `peak`: while opening, measuring,
    locating, fitting or comparing. `process` is what the process held before, absent on a graphics card.
    """

    parts: Mapping[str, int]
    peak: str

    @property
    def total(self) -> int:
        """All parts together: the peak of the process, or of the graphics card's memory."""
        return sum(self.parts.values())

    @property
    def needed(self) -> int:
        """What has to be free before the model is opened."""
        return self.total - self.parts.get("process", 0)

    @property
    def held(self) -> int:
        """What has to be free even where batches become as small as one row."""
        return sum(size for part, size in self.parts.items() if part in HELD)


HELD = (
    "weights",
    "head in float32",
    "gradients",
    "optimiser moments",
    "float32 weights",
    "base copy",
    "treated weights",
)
"""The parts that depend on no batch."""
PARTS = (
    *HELD,
    "logits",
    "inner states",
    "attention mask and scores",
    "activations for gradients",
    "kept states",
    "next-word distributions",
    "checkpoint",
    "built products",
    "process",
    "first use",
    "freed and kept",
)


def weight_bytes(module: nn.Module) -> int:
    """The bytes of all parameters and buffers of `module`, tied ones once; it may be without storage."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))


def footprint(module: nn.Module, job: Job, process: int | None = None) -> Footprint:
    """What `job` takes with `module`, which may be without storage: of its phases the one that takes most.

    `process` is what the process holds before; None reads it.
    """
    shape = _Shape.of(module, job)
    # What is read as it is stored lies in the file's own pages; a copy lies beside them until all is read.
    phases = {"opening": {"checkpoint": job.copied if job.device == "cpu" else 0}}
    if job.measures:
        phases["measuring"] = _measuring(shape, job)
    if job.locator is not None:
        phases["locating"] = _locating(shape, job)
    if job.training is not None:
        phases["fitting"] = _fitting(shape, job, job.training)
    if job.contexts and shape.vocabulary:
        phases["comparing"] = _comparing(shape, job)
    peak = max(phases, key=lambda name: sum(phases[name].values()))
    weights = weight_bytes(module) - (placing.away_bytes(module) if job.disk else 0)
    parts = {"weights": weights, "head in float32": shape.wide_head, **phases[peak]}
    if job.device == "cpu":
        parts["built products"] = _built(shape, job.training if peak == "fitting" else None)
        parts |= {"process": resident() if process is None else process, "first use": LATER}
        parts["freed and kept"] = 0 if shape.packed else FREED
    return Footprint({name: parts[name] for name in PARTS if parts.get(name)}, peak)


def layout_of(module: nn.Module) -> Layout | None:
    """The sites of `module`; None for an architecture without a row."""
    try:
        return Layout(module)
    except BadModel:
        return None


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the sizes of passes follow from: bytes of a number, widths, heads, blocks, and rows of a batch.

    `products` counts the blocks' matrices of different shapes, `packed` says whether rows are packed trees,
    `length` is the number of tokens of one, and `wide_head` the size of the head's float32 copy.
    """

    element: int
    width: int
    inner: int
    products: int
    vocabulary: int
    heads: int
    blocks: int
    packed: bool
    length: int
    eager: bool
    decoder: bool
    wide_head: int

    @classmethod
    def of(cls, module: nn.Module, job: Job) -> _Shape:
        config: Any = text_config(getattr(module, "config", None))
        element = next(p.element_size() for p in module.parameters() if p.is_floating_point())
        head = output_embeddings(module)
        weight = getattr(head, "weight", None)
        table = weight.numel() if isinstance(weight, torch.Tensor) else 0
        vocabulary = int(getattr(config, "vocab_size", 0) or 0) if head is not None else 0
        return cls(
            element=element,
            width=_width(module, config),
            inner=_widest(module, config),
            products=len({p.shape for p in _matrices(module)}),
            vocabulary=vocabulary,
            heads=int(getattr(config, "num_attention_heads", None) or 1),
            blocks=_depth(module, config),
            packed=_packs(config),
            length=_length(config, job),
            eager=getattr(module.config, "_attn_implementation", None) == "eager",
            decoder=bool(getattr(module.config, "is_encoder_decoder", False)),
            wide_head=4 * table if element < 4 else 0,
        )


def _measuring(shape: _Shape, job: Job) -> dict[str, int]:
    rows = max(1, LOGIT_BYTES // (4 * shape.vocabulary)) if shape.vocabulary else 0
    # A model with an encoder makes its logits itself, and their log-softmax is a second table.
    tables = 2 if shape.decoder else 1
    return {
        "logits": tables * 4 * min(rows, job.batch_tokens) * shape.vocabulary,
        "kept states": _kept(shape, job.again),
        **_treated(shape, job, treatments=3),
        **_pass(shape, job.batch_tokens, shape.length),
    }


def _pass(shape: _Shape, tokens: int, length: int) -> dict[str, int]:
    """What a pass over so many tokens, in rows of `length`, holds for a moment, without gradients."""
    # Masks are made of bools in three steps; sdpa adds one number to each score, eager attention holds the
    # scores of every head, the masked ones, and their softmax in float32.
    score = 3 + (shape.heads * (2 * shape.element + 4) if shape.eager else shape.element)
    return {
        "inner states": shape.element * tokens * (WIDE * shape.inner + NARROW * shape.width),
        "attention mask and scores": tokens * length * score,
    }


def _built(shape: _Shape, training: Training | None) -> int:
    """What oneDNN keeps of the sizes that products of narrow numbers had, on a CPU."""
    if shape.element >= 4:
        return 0
    if training is None:
        return BUILT * min(BUILT_AT_MOST, SIZES * shape.products)
    return BUILT_IN_STEP * min(BUILT_AT_MOST // 3, training.steps * shape.products)


def _kept(shape: _Shape, tokens: int) -> int:
    """The size of kept states; those above `MEMORY` lie in files."""
    return min(MEMORY, shape.element * shape.width * tokens)


def _treated(shape: _Shape, job: Job, treatments: int) -> dict[str, int]:
    """What treatments hold while something else runs: new values in float32, and the base's while one is on.

    A verdict has the treated model's, a control model's, and that one scaled to another dose.
    """
    if job.training is None or not job.measures:
        return {}
    n = job.training.weights
    return {"treated weights": treatments * 4 * n, "base copy": shape.element * n}


def _comparing(shape: _Shape, job: Job) -> dict[str, int]:
    """The base's distributions, the changed model's after texts, and what one block of both takes.

    They lie in the main memory; a graphics card makes the logits alone.
    """
    row = 4 * shape.vocabulary
    block = min(max(1, LOGIT_BYTES // row), job.contexts) * row
    held = {"kept states": _kept(shape, job.again), **_treated(shape, job, treatments=3)}
    if job.device != "cpu":
        return {"logits": 2 * block, **held}
    return {"logits": COMPARED * block, "next-word distributions": (job.contexts + job.texts) * row, **held}


def _locating(shape: _Shape, job: Job) -> dict[str, int]:
    """What BMI observes, one state between any two blocks; what others keep for gradients through all."""
    observed = PROBED * shape.width * shape.element * (shape.blocks + 1)
    found = {**_pass(shape, PROBED, PROBED), "kept states": observed}
    if job.locator == "gradient":  # of each state as well
        backward = _for_gradients(shape, PROBED, shape.blocks)
        found |= {"kept states": 2 * observed, "inner states": 0, "activations for gradients": backward}
        found["logits"] = TABLES * 4 * shape.vocabulary * PROBED // 4  # a prompt ends in about four tokens
    return found


def _for_gradients(shape: _Shape, tokens: int, blocks: int) -> int:
    return tokens * shape.element * blocks * (NARROW_KEPT * shape.width + WIDE_KEPT * shape.inner)


def _fitting(shape: _Shape, job: Job, training: Training) -> dict[str, int]:
    """AdamW works on float32 whatever the weights' dtype, see `evenhand.training.loop`.

    Where a fit restarts, the states below its blocks are first made in passes without gradients.
    """
    n, blocks = training.weights, max(1, shape.blocks - training.lowest)
    copies = shape.element * n  # with which `hooks.restore` puts the base's bits back
    if training.head:
        copies += shape.element * shape.vocabulary * shape.width
    length = min(shape.length, training.tokens)
    scores = blocks * shape.heads * 2 * shape.element if shape.eager else shape.element
    steps = {
        "gradients": 4 * n,
        "optimiser moments": 8 * n,
        "float32 weights": 4 * n if shape.element < 4 else 0,
        "base copy": copies,
        "logits": training.tables
        * 4
        * (training.tokens if training.every else training.rows)
        * shape.vocabulary,
        "activations for gradients": _for_gradients(shape, training.tokens, blocks),
        "attention mask and scores": training.tokens * length * scores,
    }
    tokens = job.again + (job.kept if training.restarts else 0)
    kept = {**_treated(shape, job, treatments=1), "kept states": _kept(shape, tokens)}
    steps = {**kept, **steps}
    before = {**kept, **_pass(shape, job.batch_tokens, shape.length)}
    return before if training.restarts and sum(before.values()) > sum(steps.values()) else steps


def _width(module: nn.Module, config: Any) -> int:
    found = getattr(config, "hidden_size", None)
    if isinstance(found, int):
        return found
    embeddings: Any = module.get_input_embeddings()  # type: ignore[operator]
    return int(embeddings.weight.shape[-1])


def _widest(module: nn.Module, config: Any) -> int:
    """The widest tensor between the layers of a block, numbers a token: the larger side of a matrix.

    A token goes through several experts of a mixture, whose matrices are one tensor of three dimensions.
    """
    experts = int(getattr(config, "num_experts_per_tok", None) or 1)
    sides = [max(p.shape[-2:]) * (experts if p.dim() > 2 else 1) for p in _matrices(module)]
    return max(sides, default=_width(module, config))


def _matrices(module: nn.Module) -> list[nn.Parameter]:
    """The matrices of the layers of blocks; embeddings and the head are none of them."""
    apart = {id(p) for part in module.modules() if isinstance(part, nn.Embedding) for p in part.parameters()}
    head = output_embeddings(module)
    apart |= {id(p) for p in head.parameters()} if head is not None else set()
    return [p for p in module.parameters() if p.dim() > 1 and id(p) not in apart]


def _depth(module: nn.Module, config: Any) -> int:
    layout = layout_of(module)
    return layout.n_blocks if layout is not None else int(getattr(config, "num_hidden_layers", None) or 1)


def _packs(config: Any) -> bool:
    row = row_of(getattr(config, "model_type", ""))
    return bool(row.shares or row.places)


def _length(config: Any, job: Job) -> int:
    """The tokens of a row: a packed tree's where the architecture allows it, else those of a text."""
    length = sharing_on(job.device).room if _packs(config) else WHOLE_ROWS
    return min(length, job.batch_tokens, window(config) or length)
