"""Perplexities of whole texts, counted in units that do not depend on a tokenizer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.metrics import Array, Columns, Metric
from evenhand.metrics.perplexity import perplexity


def perplexity_over(column: str, name: str, title: str, *, unit: str, source: str, reading: str) -> Metric:
    """``exp(Σ w nll / Σ w units)``: columns ``nll`` (nats) and `column`, how many units each text has."""

    def items(table: Columns) -> NDArray[np.bool_]:
        return np.isfinite(table["nll"]) & np.isfinite(table[column]) & (table[column] > 0)

    def compute(table: Columns, weights: Array) -> Array:
        return perplexity(table["nll"], table[column], weights)

    return Metric(
        name,
        title,
        unit=unit,
        ideal=1.0,
        low=1.0,
        high=None,
        source=source,
        reading=reading,
        needs=("nll", column),
        compute=compute,
        items=items,
    )
