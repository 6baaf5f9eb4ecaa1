"""Batches under a budget that shrinks when memory runs out."""

from __future__ import annotations

import pytest
import torch

from evenhand.errors import OutOfMemory
from evenhand.scoring.batching import in_batches


def test_the_longest_come_first_and_the_budget_counts_padding():
    seen: list[list[int]] = []
    assert in_batches([2, 5, 4, 1, 1], 10, seen.append) == 10
    assert seen == [[1, 2], [0, 3, 4]]  # 2 rows of 5; then 3 rows of 2


def test_a_row_longer_than_the_budget_runs_alone():
    seen: list[list[int]] = []
    in_batches([30, 3], 10, seen.append)
    assert seen == [[0], [1]]


def test_a_batch_that_does_not_fit_is_halved_and_loses_nothing():
    seen: list[list[int]] = []

    def work(batch: list[int]) -> None:
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        seen.append(batch)

    assert in_batches([4] * 5, 100, work) == 10  # 5 rows of 4 are 20; half of that holds 2 rows
    assert sorted(i for batch in seen for i in batch) == list(range(5))


def test_one_row_that_does_not_fit_is_an_error():
    def work(batch: list[int]) -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="One row of 7 tokens"):
        in_batches([7, 3], 100, work)


def test_other_errors_pass():
    def work(batch: list[int]) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        in_batches([1], 1, work)


def test_nothing_to_do():
    assert in_batches([], 10, lambda batch: None) == 10
