"""Perplexity per byte: exp of the mean negative log-likelihood, one ratio over the whole set of texts."""

from __future__ import annotations

from evenhand.metrics._likelihoods import perplexity_over

component = perplexity_over(
    "bytes",
    "byte_perplexity",
    "Perplexity per byte",
    unit="bytes",
    source="exp(Σ NLL / Σ bytes), as lm-evaluation-harness counts them",
    reading="Lower is better. Counted in bytes, not in a tokenizer's pieces, so that models with unlike "
    "tokenizers compare on the same texts.",
)
