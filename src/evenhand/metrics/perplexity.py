"""Perplexity: exp of the mean negative log-likelihood a token, one ratio over the whole set of texts."""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._likelihoods import exp_of, perplexity_over

_NLL = "nll takes each text's negative log-likelihood in nats (0 or more; infinite for a text that the model "
_NLL += "calls impossible), and NaN where there is none."
_TOKENS = "tokens takes the number of scored tokens of each text, 0 or more, and NaN where there is none."


def perplexity(nll: ArrayLike, tokens: ArrayLike, weights: ArrayLike) -> Array:
    """``exp(Σ w nll / Σ w tokens)``: `nll` in nats and scored `tokens` per text [n], `weights` [B, n] to [B].

    A ratio of sums, not a mean of texts' perplexities: every token counts alike. Texts without a scored
    token or with an undefined likelihood (NaN) are left out; NaN where nothing is left. It is infinite where
    a text of any weight has an infinite `nll`, and beyond float range.

    Raises:
        BadData: unlike lengths, a negative `nll` or number of tokens, or a weight that is negative, infinite
            or missing.
    """
    likelihoods, counts = arrays.numbers(nll, "likelihoods", _NLL), arrays.numbers(tokens, "tokens", _TOKENS)
    arrays.one_length(len(likelihoods), "texts", tokens=counts)
    arrays.at_least_0(likelihoods, "likelihoods", _NLL, infinite=True)
    arrays.at_least_0(counts, "tokens", _TOKENS)
    return exp_of(likelihoods, counts, arrays.weights(weights, len(likelihoods), ndim=2))


component = perplexity_over(
    "tokens",
    "perplexity",
    "Perplexity per token",
    unit="tokens",
    source="exp(Σ NLL / Σ scored tokens), each token scored once",
    reading="Lower is better; a uniform model scores the size of its vocabulary. Comparable only between "
    "models with the same tokenizer, on the same texts.",
)
