"""Which words stand with one group rather than with another: log-odds ratios with an informative prior.

Source: Monroe, Colaresi & Quinn 2008, "Fightin' Words", section 3.5.1: a Dirichlet prior of the words' shares
in the whole corpus shrinks what is seldom seen. Counts are of documents, not of words, because a document is
what was drawn: a word that one document repeats says no more than one that stands there once.
"""

from __future__ import annotations

import numpy as np

from evenhand.stats.ratios import Array

PRIOR = 10.0
"""Documents that the prior counts for. A word in one of twenty documents has the half count by which a
log-odds ratio is unbiased (Haldane 1956, Anscombe 1956); a prior of many documents would draw ratios of small
corpora to 0, away from their intervals."""
LEAST = 0.5
"""The least count that the prior adds to a cell: of a word in few of many documents it would add next to
nothing, and what one group lacks would have a log-odds ratio of any size, with an error of thousands."""


def log_odds(
    first: Array, second: Array, whole: Array, sizes: tuple[float, float], prior: float = PRIOR
) -> tuple[Array, Array]:
    """The log-odds ratios of words and their standard errors, each [V].

    `first` and `second` [V] are the numbers of documents of each group that hold the word, of `sizes`
    documents; `whole` [V] are the shares of all documents that hold it.
    """
    share = np.clip(whole, 1e-9, 1 - 1e-9)
    more, fewer = _added(prior * share, prior), _added(prior * (1 - share), prior)
    ratio = np.zeros(len(share))
    variance = np.zeros(len(share))
    for sign, counts, size in ((1.0, first, sizes[0]), (-1.0, second, sizes[1])):
        held, rest = counts + more, size - counts + fewer
        ratio += sign * (np.log(held) - np.log(rest))
        variance += 1 / held + 1 / rest
    return ratio, np.sqrt(variance)


def _added(count: Array, prior: float) -> Array:
    """What a prior adds to a cell, at least a half of a document; nothing where there is no prior."""
    return np.maximum(count, LEAST) if prior > 0 else count
