"""How much memory work on a model takes, by parts, from its module without storage: nothing is read or run.

What is held is exact: weights, gradients, optimiser moments, copies, logits. What a pass holds for a moment
is counted from the shapes of the blocks, by the constants below; how near the sums come to the peak of a
process is measured by ``perf/bench/footprint.py`` (``docs/scale.md``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from evenhand.models import placing
from evenhand.models.shape import WHOLE_ROWS, Shape
from evenhand.models.stage import Stage
from evenhand.scoring.forward import LOGIT_BYTES, rows_of
from evenhand.scoring.kept import MEMORY
from evenhand.scoring.memory import resident
from evenhand.scoring.reading import extent

# Tensors that exist at a time in a block. Wide: a gated MLP holds its gate, what it gates, and their product.
# Narrow: the residual stream, its norm, what a half of the block adds, and the sum.
WIDE, NARROW = 3, 4
# What a block keeps for its gradients. Narrow: the inputs and outputs of two norms, query, key, value and the
# attention's output. Wide: GELU by its formula keeps four steps and its result; a gated MLP keeps fewer.
NARROW_KEPT, WIDE_KEPT = 8, 5
# The same where no weight has gradients: a linear layer then keeps nothing of its input.
FROZEN_NARROW, FROZEN_WIDE = 6, 4
# Tables of a block of distributions: both models', both without the groups' words, and five steps of a
# divergence (see `evenhand.studies.shift` and `evenhand.scoring.distributions`).
COMPARED = 9
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
class Job:
    """What is done: measuring (`measures`), locating and fitting by the stages of a locator and of methods.

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
    locating: tuple[Stage, ...] = ()
    fitting: tuple[Stage, ...] = ()
    kept: int = 0
    again: int = 0
    contexts: int = 0
    texts: int = 0
    copied: int = 0

    @property
    def gradients(self) -> bool:
        """Whether gradients flow, for which all weights have to be in memory."""
        return any(stage.backward for stage in (*self.locating, *self.fitting))

    @property
    def treated(self) -> int:
        """The most numbers that a treatment of the fits changes."""
        return max((stage.treated for stage in self.fitting), default=0)


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
    "matrices",
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
    shape = Shape.of(module, job.batch_tokens, job.device)
    # What is read as it is stored lies in the file's own pages; a copy lies beside them until all is read.
    phases = [_Phase("opening", {"checkpoint": job.copied if job.device == "cpu" else 0})]
    if job.measures:
        phases.append(_Phase("measuring", _measuring(shape, job)))
    phases += [_Phase("locating", _stage(shape, job, stage), stage) for stage in job.locating]
    for stage in job.fitting:
        held = _treated(shape, job, treatments=1)
        phases += [_Phase("fitting", {**held, **made}, stage) for made in _fitting(shape, job, stage)]
    if job.contexts and shape.vocabulary:
        phases.append(_Phase("comparing", _comparing(shape, job)))
    peak = max(phases, key=lambda phase: sum(phase.parts.values()))
    weights = weight_bytes(module) - (placing.away_bytes(module) if job.disk else 0)
    parts = {"weights": weights, "head in float32": shape.wide_head, **peak.parts}
    if job.device == "cpu":
        parts["built products"] = _built(shape, peak.stage)
        parts |= {"process": resident() if process is None else process, "first use": LATER}
        padded = peak.stage is not None and peak.stage.padded
        parts["freed and kept"] = FREED if padded or not shape.packed else 0
    return Footprint({name: parts[name] for name in PARTS if parts.get(name)}, peak.name)


@dataclass(frozen=True, slots=True)
class _Phase:
    """A part of the work by its name, with what it holds beside the weights, and the stage that it is of."""

    name: str
    parts: Mapping[str, int]
    stage: Stage | None = None


def _measuring(shape: Shape, job: Job) -> dict[str, int]:
    return {
        "logits": _read(shape, job),
        "kept states": _kept(shape, job.again),
        **_treated(shape, job, treatments=3),
        **_pass(shape, job.batch_tokens, shape.length),
    }


def _read(shape: Shape, job: Job) -> int:
    """The logits that exist at a time while probabilities are read."""
    if not shape.vocabulary:
        return 0
    if shape.decoder:  # it makes its logits itself, and their log-softmax is a second table
        return 2 * 4 * min(rows_of(shape.vocabulary), job.batch_tokens) * shape.vocabulary
    rows, columns = extent(job.device, shape.vocabulary)
    return 4 * min(rows, job.batch_tokens) * columns


def _pass(shape: Shape, tokens: int, length: int) -> dict[str, int]:
    """What a pass over so many tokens, in rows of `length`, holds for a moment, without gradients."""
    # Masks are made of bools in three steps; sdpa adds one number to each score, eager attention holds the
    # scores of every head, the masked ones, and their softmax in float32.
    score = 3 + (shape.heads * (2 * shape.element + 4) if shape.eager else shape.element)
    return {
        "inner states": shape.element * tokens * (WIDE * shape.inner + NARROW * shape.width),
        "attention mask and scores": tokens * length * score,
    }


def _built(shape: Shape, stage: Stage | None) -> int:
    """What oneDNN keeps of the sizes that products of narrow numbers had, on a CPU."""
    if shape.element >= 4:
        return 0
    if stage is None or not stage.backward or stage.frozen:
        return BUILT * min(BUILT_AT_MOST, SIZES * shape.products)
    return BUILT_IN_STEP * min(BUILT_AT_MOST // 3, (stage.steps or 1) * shape.products)


def _kept(shape: Shape, tokens: int) -> int:
    """The size of kept states; those above `MEMORY` lie in files."""
    return min(MEMORY, shape.element * shape.width * tokens)


def _treated(shape: Shape, job: Job, treatments: int) -> dict[str, int]:
    """What treatments hold while something else runs: new values in float32, and the base's while one is on.

    A verdict has the treated model's, a control model's, and that one scaled to another dose.
    """
    if not job.measures:
        return {}
    n = job.treated
    return {"treated weights": treatments * 4 * n, "base copy": shape.element * n}


def _comparing(shape: Shape, job: Job) -> dict[str, int]:
    """The base's distributions, the changed model's after texts, and what one block of both takes.

    They lie in the main memory; a graphics card makes the logits alone.
    """
    row = 4 * shape.vocabulary
    block = min(rows_of(shape.vocabulary), job.contexts) * row
    held = {"kept states": _kept(shape, job.again), **_treated(shape, job, treatments=3)}
    if job.device != "cpu":
        return {"logits": 2 * block, **held}
    return {"logits": COMPARED * block, "next-word distributions": (job.contexts + job.texts) * row, **held}


def _fitting(shape: Shape, job: Job, stage: Stage) -> list[dict[str, int]]:
    """The steps of a fit; where they restart, the passes before that make the states below its blocks too."""
    tokens = job.again + (job.kept if stage.restarts else 0)
    kept = {"kept states": _kept(shape, tokens)}
    steps = _stage(shape, job, stage)
    found = [{**steps, "kept states": steps["kept states"] + kept["kept states"]}]
    if stage.restarts:
        found.append({**kept, **_pass(shape, job.batch_tokens, shape.length)})
    return found


def _stage(shape: Shape, job: Job, stage: Stage) -> dict[str, int]:
    """What a stage holds; an optimiser works on float32 whatever the weights' dtype."""
    n = stage.weights
    tokens = stage.tokens
    if tokens is None:
        tokens = stage.rows * WHOLE_ROWS if stage.backward else job.batch_tokens
    length = min(shape.length, tokens) if stage.length is None else stage.length
    copies = stage.restored + (shape.vocabulary * shape.width if stage.head else 0)
    seen = tokens * (shape.blocks + 1) * (stage.states * shape.width + stage.neurons * shape.inner)
    tails = 2 * shape.blocks * shape.keys * shape.element * job.kept if stage.tails else 0
    parts = {
        "gradients": stage.gradients * 4 * n,
        "optimiser moments": stage.moments * 4 * n,
        "float32 weights": 4 * n if shape.element < 4 or stage.apart else 0,
        "base copy": shape.element * copies,  # with which `hooks.restore` puts the base's bits back
        "matrices": stage.matrices,
        "logits": _logits(shape, stage, tokens),
        "kept states": shape.element * seen + min(MEMORY, tails),
    }
    if not stage.backward:
        return {**parts, **_pass(shape, tokens, length)}
    blocks = max(1, shape.blocks - stage.lowest)
    narrow, wide = (FROZEN_NARROW, FROZEN_WIDE) if stage.frozen else (NARROW_KEPT, WIDE_KEPT)
    each = narrow * shape.width + wide * shape.inner
    scores = blocks * shape.heads * 2 * shape.element if shape.eager else shape.element
    return {
        **parts,
        "activations for gradients": tokens * shape.element * blocks * each,
        "attention mask and scores": tokens * length * scores,
    }


def _logits(shape: Shape, stage: Stage, tokens: int) -> int:
    """The tables of a stage; a batch of measuring has at most `LOGIT_BYTES` of them."""
    if stage.tokens is None and not stage.backward:
        return min(LOGIT_BYTES, 4 * tokens * shape.vocabulary) if stage.rows else 0
    return stage.tables * 4 * (tokens if stage.every else stage.rows) * shape.vocabulary
