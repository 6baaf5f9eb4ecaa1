"""Perplexity: exp of the mean negative log-likelihood a token, one ratio over the whole set of texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.metrics import Array, Columns, Metric


def perplexity(nll: Array, tokens: Array, weights: Array) -> Array:
    """``exp(Σ w nll / Σ w tokens)``: `nll` in nats and scored `tokens` per text [n], `weights` [B, n] to [B].

    A ratio of sums, not a mean of texts' perplexities: every token counts alike. Texts without a scored
    token or with an undefined likelihood are left out; NaN where nothing is left, inf beyond float range.
    """
    used = _used(nll, tokens)
    sums = weights @ np.stack([np.where(used, nll, 0.0), np.where(used, tokens, 0.0)], axis=1)
    mean = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(weights), np.nan), where=sums[:, 1] > 0)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(mean))


def _used(nll: Array, tokens: Array) -> NDArray[np.bool_]:
    return np.isfinite(nll) & np.isfinite(tokens) & (tokens > 0)


def _compute(table: Columns, weights: Array) -> Array:
    return perplexity(table["nll"], table["tokens"], weights)


def _items(table: Columns) -> NDArray[np.bool_]:
    return _used(table["nll"], table["tokens"])


component = Metric(
    "perplexity",
    "Perplexity per token",
    unit="tokens",
    ideal=1.0,
    low=1.0,
    high=None,
    source="exp(Σ NLL / Σ scored tokens), each token scored once",
    reading="Lower is better; a uniform model scores the size of its vocabulary. Comparable only between "
    "models with the same tokenizer, on the same texts.",
    needs=("nll", "tokens"),
    compute=_compute,
    items=_items,
)
