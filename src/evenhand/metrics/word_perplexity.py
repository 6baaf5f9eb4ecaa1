"""Perplexity per word: exp of the mean negative log-likelihood, one ratio over the whole set of texts."""

from __future__ import annotations

from evenhand.metrics._likelihoods import perplexity_over

component = perplexity_over(
    "words",
    "word_perplexity",
    "Perplexity per word",
    unit="words",
    source="exp(Σ NLL / Σ words), as lm-evaluation-harness counts them",
    reading="Lower is better. Counted in words, not in a tokenizer's pieces, so that models with unlike "
    "tokenizers compare on the same texts.",
)
