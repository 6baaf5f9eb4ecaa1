"""Batches under a budget that shrinks when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from evenhand.errors import OutOfMemory
from evenhand.scoring.batching import Load, Room, in_batches


def run(lengths: list[int], room: Room, work: Callable[[list[int]], Any], **more: Any) -> list[Any]:
    """Rows of these lengths by number; what `work` found for each batch."""
    rows = range(len(lengths))
    return [found for _, found in in_batches(rows, lambda i: Load(lengths[i]), room, work, **more)]


def test_the_longest_come_first_and_the_budget_counts_padding():
    room = Room(10)
    assert run([2, 5, 4, 1, 1], room, list) == [[1, 2], [0, 3, 4]]  # 2 rows of 5; 3 rows of 2
    assert room == Room(10)


def test_a_row_longer_than_the_budget_runs_alone():
    assert run([30, 3], Room(10), list) == [[0], [1]]


def test_a_batch_that_does_not_fit_is_halved_and_loses_nothing():
    seen: list[list[int]] = []

    def work(batch: list[int]) -> None:
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        seen.append(batch)

    room = Room(100)
    run([4] * 5, room, work)
    assert (room.tokens, room.halvings) == (10, 1)  # 5 rows of 4 are 20; half of that holds 2 rows
    assert sorted(i for batch in seen for i in batch) == list(range(5))


def test_one_row_that_does_not_fit_is_an_error():
    def work(batch: list[int]) -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="One row of 7 tokens"):
        run([7, 3], Room(100), work)


def test_other_errors_pass():
    def work(batch: list[int]) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        run([1], Room(1), work)


def test_nothing_to_do():
    assert run([], Room(10), lambda batch: None) == []


def test_only_like_rows_meet_and_the_head_has_its_own_limit():
    lengths = [4, 4, 4, 4, 3]
    like = in_batches(range(5), lambda i: Load(lengths[i], like=lengths[i]), Room(100), list)
    assert [batch for batch, _ in like] == [[0, 1, 2, 3], [4]]
    heads = in_batches(range(5), lambda i: Load(lengths[i], heads=2), Room(100, heads=5), list)
    assert [batch for batch, _ in heads] == [[0, 1], [2, 3], [4]]
    many = in_batches(range(2), lambda i: Load(1, heads=9), Room(100, heads=5), list)
    assert [batch for batch, _ in many] == [[0], [1]], "one row at least"


def test_a_row_that_does_not_fit_alone_comes_in_parts_before_the_others():
    def work(batch: list[str]) -> list[str]:
        if len(batch[0]) > 2:
            raise MemoryError
        return batch

    found = in_batches(
        ["abcd", "e"],
        lambda text: Load(len(text)),
        Room(4),
        work,
        split=lambda text: [text[: len(text) // 2], text[len(text) // 2 :]],
    )
    assert [batch for batch, _ in found] == [["ab", "cd"], ["e"]]
