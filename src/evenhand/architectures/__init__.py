"""Where the parts of each architecture are: one row of a table, checked when a model is opened.

A site is a place in the residual stream of a causal transformer, named alike for every architecture:

``embeddings`` · ``block.3`` · ``block.3.attention`` · ``block.3.mlp`` · ``block.3.norm1`` (the norms around
the attention) · ``block.3.norm2`` (the norms around the MLP) · ``norm`` (the final one) · ``head``

Another package adds an architecture through an entry point of the group ``evenhand.architectures`` whose name
is the ``model_type`` and whose object is an `Architecture`; in Python, ``Layout(module, architecture)`` does.
"""

from evenhand.architectures.reading import first_position, is_recurrent, kind_of, known, row_of, window
from evenhand.architectures.row import NONE, Architecture, Part, part

__all__ = [
    "NONE",
    "Architecture",
    "Part",
    "first_position",
    "is_recurrent",
    "kind_of",
    "known",
    "part",
    "row_of",
    "window",
]
