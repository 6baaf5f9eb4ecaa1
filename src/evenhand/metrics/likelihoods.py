"""Perplexities of whole texts: ratios of sums, in which an impossible text is never left out.

A text of infinite negative log-likelihood makes a perplexity infinite. A metric then has no value (None: a
record holds no infinity), and a change from or to it has none either; without the text it would be smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.metrics import Array, Metric, Sums
from evenhand.metrics import _arrays as arrays


def scored(nll: Array, units: Array) -> NDArray[np.bool_]:
    """The texts [n] that count: with a likelihood, be it 0, and at least one unit."""
    return ~np.isnan(nll) & np.isfinite(units) & (units > 0)


def mean_nll(nll: Array, units: Array, weights: Array) -> Array:
    """``Σ w nll / Σ w units`` in nats a unit: `nll` and `units` [n], `weights` [B, n] to [B].

    NaN where no text counts, infinite where one that counts is impossible (0 times infinity is no NaN here).
    """
    used = scored(nll, units)
    impossible = used & np.isinf(nll)
    finite = np.where(used & ~impossible, nll, 0.0)
    # [B, n] @ [n, 2]: the weighted sums of the likelihoods and of the units.
    sums = weights @ np.stack([finite, np.where(used, units, 0.0)], axis=1)
    mean: Array = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(weights), np.nan), where=sums[:, 1] > 0)
    if impossible.any():
        mean[(weights[:, impossible] > 0).any(axis=1)] = np.inf
    return mean


def exp_of(nll: Array, units: Array, weights: Array) -> Array:
    """The perplexity of `mean_nll`, [B]; infinite beyond float range."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(mean_nll(nll, units, weights)))


def perplexity_over(column: str, name: str, title: str, *, unit: str, source: str, reading: str) -> Metric:
    """``exp(Σ w nll / Σ w units)``: columns ``nll`` (nats) and `column`, how many units each text has."""
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
        compute=lambda table, weights: exp_of(table["nll"], table[column], weights),
        items=lambda table: scored(table["nll"], table[column]),
        kind=Sums(lambda table: table["nll"], lambda table: table[column], exp=True),
    )


_NLL = "nll takes each text's negative log-likelihood in nats (0 or more; infinite for a text that the model "
_NLL += "calls impossible), and NaN where there is none."
_TOKENS = "tokens takes the number of scored tokens of each text, 0 or more, and NaN where there is none."


def perplexity(nll: ArrayLike, tokens: ArrayLike, weights: ArrayLike) -> Array:
    """``exp(Σ w nll / Σ w tokens)``: `nll` in nats and scored `tokens` per text [n], `weights` [B, n] to [B].

    A ratio of sums, not a mean of texts' perplexities: every token counts equally. Texts without a scored
    token or with an undefined likelihood (NaN) are left out; NaN where nothing is left. It is infinite where
    a text of any weight has an infinite `nll`, and beyond float range.

    Raises:
        BadData: lengths differ, a negative `nll` or number of tokens, or a weight that is negative, infinite
            or missing.
    """
    likelihoods, counts = arrays.numbers(nll, "likelihoods", _NLL), arrays.numbers(tokens, "tokens", _TOKENS)
    arrays.one_length(len(likelihoods), "texts", tokens=counts)
    arrays.at_least_0(likelihoods, "likelihoods", _NLL, infinite=True)
    arrays.at_least_0(counts, "tokens", _TOKENS)
    return exp_of(likelihoods, counts, arrays.weights(weights, len(likelihoods), ndim=2))


PERPLEXITY = perplexity_over(
    "tokens",
    "perplexity",
    "Perplexity per token",
    unit="tokens",
    source="exp(Σ NLL / Σ scored tokens), each token scored once",
    reading="Lower is better; a uniform model scores the size of its vocabulary. Comparable only between "
    "models with the same tokenizer, on the same texts.",
)


WORD_PERPLEXITY = perplexity_over(
    "words",
    "word_perplexity",
    "Perplexity per word",
    unit="words",
    source="exp(Σ NLL / Σ words), as lm-evaluation-harness counts them",
    reading="Lower is better. Counted in words, not in a tokenizer's pieces, so that models with unlike "
    "tokenizers compare on the same texts.",
)


BYTE_PERPLEXITY = perplexity_over(
    "bytes",
    "byte_perplexity",
    "Perplexity per byte",
    unit="bytes",
    source="exp(Σ NLL / Σ bytes), as lm-evaluation-harness counts them",
    reading="Lower is better. Counted in bytes, not in a tokenizer's pieces, so that models with unlike "
    "tokenizers compare on the same texts.",
)


components = (
    PERPLEXITY,
    WORD_PERPLEXITY,
    BYTE_PERPLEXITY,
)
