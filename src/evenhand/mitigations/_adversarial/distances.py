"""Distances between a model's answers about counterfactual twins, and its task loss. Tensors in and out.

`log_p` [N, k, L] holds log-probabilities in nats: person n with the attribute set to group g, label word l;
the last label is the favourable one. The probability of the rest of the vocabulary is not included.
With more than two groups a distance is the mean over all pairs of groups; a model that gives all twins equal
answers has distance 0 (up to rounding), and gradient 0.

Source: FairCon, equation 3, whose text compares decisions; its public code compares all logits of the
vocabulary (``vocabulary``), where a difference between two irrelevant words counts as much as one between
the label words. The default here compares decisions.
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor

from evenhand import jensen_shannon
from evenhand.errors import BadData

Distance = Literal["log_odds", "jensen_shannon", "vocabulary"]


def favour(log_p: Tensor) -> Tensor:
    """Log-odds of the favourable label word against all others together, nats: [N, k, L] to [N, k]."""
    return log_p[..., -1] - torch.logsumexp(log_p[..., :-1], dim=-1)


def distances(kind: Distance, log_p: Tensor, logits: Tensor | None = None) -> Tensor:
    """The distance between each person's twins, [N].

    ``log_odds``: absolute difference of `favour`, nats. ``jensen_shannon``: divergence of the distributions
    over the label words alone, nats, at most ln 2. ``vocabulary``: mean squared difference of `logits`
    [N, k, V], which the other two do not need.

    Raises:
        BadData: fewer than two groups, or `logits` is missing.
    """
    if log_p.ndim != 3 or log_p.shape[1] < 2 or log_p.shape[2] < 2:
        raise BadData(
            f"Answers of shape {tuple(log_p.shape)} have no twins to compare, not [N, k, L].",
            mend="Give at least two groups and two label words for each person.",
        )
    if kind == "log_odds":
        odds = favour(log_p)  # [N, k]
        return _over_pairs([(odds[:, a] - odds[:, b]).abs() for a, b in _pairs(log_p)])
    if kind == "jensen_shannon":
        shares = torch.log_softmax(log_p, dim=-1)  # [N, k, L]
        return _over_pairs([jensen_shannon.of_logs(shares[:, a], shares[:, b]) for a, b in _pairs(log_p)])
    if logits is None:
        raise BadData(
            "This distance needs the logits of the whole vocabulary, which this model does not give.",
            mend="Use distance=log_odds or distance=jensen_shannon.",
        )
    return _over_pairs([(logits[:, a] - logits[:, b]).square().mean(dim=-1) for a, b in _pairs(log_p)])


def gaps(log_p: Tensor) -> Tensor:
    """Counterfactual gap of each person, [N] in 0..1: |difference| of the favourable label's share.

    The share is taken among the label words; with more than two groups it is the mean over pairs.
    """
    share = torch.softmax(log_p, dim=-1)[..., -1]
    return _over_pairs([(share[:, a] - share[:, b]).abs() for a, b in _pairs(log_p)])


def own(log_p: Tensor, groups: Tensor) -> Tensor:
    """The rows of each person's own group: [N, k, L] and int64 [N] to [N, L]."""
    return log_p[torch.arange(len(groups), device=log_p.device), groups]


def task_loss(log_p: Tensor, groups: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the true label word after the person's own prompt, mean over people, nats.

    It is taken over the whole vocabulary: an answer that is not a label word is also wrong.
    """
    rows = own(log_p, groups)
    return -rows[torch.arange(len(labels), device=rows.device), labels].mean()


def accuracy(log_p: Tensor, groups: Tensor, labels: Tensor) -> float:
    """Share of people whose likeliest label word, of their own prompt, is the true one; a tie is wrong."""
    rows = own(log_p, groups)
    largest = rows.max(dim=1, keepdim=True).values
    right = (rows.argmax(dim=1) == labels) & ((rows == largest).sum(dim=1) == 1)
    return float(right.double().mean())


def _pairs(log_p: Tensor) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(log_p.shape[1]), 2))


def _over_pairs(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(dim=0)
