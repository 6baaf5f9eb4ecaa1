"""What a fit or a locator says of itself, so that the memory that it takes is known before it runs."""

from __future__ import annotations

from dataclasses import dataclass

# Tables as large as the logits while gradients flow: the logits, the gradients of their sum of exponentials
# and of the chosen ones, and the sum of these.
TABLES = 4
FLOAT32, FLOAT64 = 4, 8  # bytes of a number
PROBED = 512  # tokens of a tree of a locator's prompts, whatever the batches of measuring
ENDS = 4  # tokens of such a tree for each prompt that ends in it


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a fit or of a locator, and what it holds beside the model's weights.

    Attributes:
        weights: the numbers that are trained, in float32 if the model's are not.
        apart: whether these are no weights of the model, but float32 numbers beside them.
        gradients, moments: how many float32 gradients and moments of the optimiser each of them has at once.
        changed: the numbers of the model's weights that get new values in the end; None: those trained.
        copied: the numbers of its weights that are put back afterwards; None: those changed.
        head: whether the head is among the trained weights: it is then copied for the base's answers.
        lowest: the lowest block through which gradients flow, 0 for all of them.
        backward: whether gradients flow; without them a pass is one of measuring.
        frozen: whether they reach no weight of the model, for which its layers keep less.
        rows: texts of a batch, 0 where nothing is predicted.
        tokens: of a batch; None: those of `rows` examples, without gradients those of a batch of measuring.
        length: tokens of a row; None: those of measuring.
        padded: whether batches are padded rows of many lengths, after which the C library keeps freed memory.
        every: whether each token is predicted, and not one a text.
        tables: how many tables of the logits' size there are.
        steps: how many steps there are; None: so many as the examples and the method's options make.
        restarts: whether states below the lowest block are kept, so that batches begin there.
        states, neurons: tensors of the model's width, and of the widest layer's, that are kept of each block.
        tails: whether the keys and values of all blocks are kept for the examples' tokens.
        matrices: the bytes of further tables and matrices, which depend on no batch.
    """

    weights: int = 0
    apart: bool = False
    gradients: int = 1
    moments: int = 2
    changed: int | None = None
    copied: int | None = None
    head: bool = False
    lowest: int = 0
    backward: bool = True
    frozen: bool = False
    rows: int = 32
    tokens: int | None = None
    length: int | None = None
    padded: bool = False
    every: bool = False
    tables: int = TABLES
    steps: int | None = None
    restarts: bool = False
    states: int = 0
    neurons: int = 0
    tails: bool = False
    matrices: int = 0

    @property
    def treated(self) -> int:
        """How many of the model's weights a treatment holds new values for."""
        return self.weights if self.changed is None else self.changed

    @property
    def restored(self) -> int:
        """How many of the model's weights are copied, to be put back after the fit."""
        return self.treated if self.copied is None else self.copied
