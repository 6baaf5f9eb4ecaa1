"""Requests in shares, which several processes answer: made of the requests alone, whoever answers them."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.records import Request

CHARACTERS = 8
"""Characters of a share for each token of a batch: about two full batches of English text."""


def shares_of(requests: Sequence[Request], most: int) -> list[list[int]]:
    """The indices of `requests` in shares of about `most` characters, requests that begin alike side by side.

    Equal requests are in one share: where answers are drawn, each draws after the ones before it.
    """
    texts = [repr(request) for request in requests]
    shares: list[list[int]] = []
    size = most
    for i in sorted(range(len(texts)), key=lambda i: texts[i]):
        if size >= most and not (shares and texts[shares[-1][-1]] == texts[i]):
            shares.append([])
            size = 0
        shares[-1].append(i)
        size += len(texts[i])
    return shares
