"""Log-probabilities read off tables of logits that exist a part at a time."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from evenhand.scoring import reading
from evenhand.scoring.forward import SelectedHead, evaluating, row_inputs
from evenhand.scoring.reading import Reader, _log_softmax_at
from evenhand.scoring.report import Tally
from evenhand.testing import tiny


def _parts(table: Tensor, width: int) -> Iterator[tuple[int, Tensor]]:
    for first in range(0, table.shape[1], width):
        yield first, table[:, first : first + width].clone()


@pytest.mark.parametrize("width", [1, 3, 7, 20])
def test_parts_of_a_table_give_its_log_softmax(width: int) -> None:
    table = 30 * torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    table[1, 4:11] = -math.inf  # whole parts of a row; such a place has no token
    table[2, :3] = -math.inf  # the first part
    table[3] += 200.0  # far from the other rows: relative to one top for all, their sums would be 0
    rows, targets = torch.tensor([0, 0, 1, 2, 3, 4]), torch.tensor([3, 19, 12, 0, 7, 3])

    found = _log_softmax_at(_parts(table, width), rows, targets)

    expected = table.double().log_softmax(-1)[rows, targets].float()
    assert expected[3] == -math.inf
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)


def test_a_logit_that_is_no_number_is_no_probability() -> None:
    table = torch.zeros(2, 6)
    table[0, 1] = math.nan

    found = _log_softmax_at(_parts(table, 2), torch.tensor([0, 1]), torch.tensor([5, 5]))

    assert found[0].isnan()
    assert found[1].item() == pytest.approx(-math.log(6))


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "cohere"])  # bare, soft-capped and scaled logits
def test_a_small_table_at_a_time_gives_the_answers_of_the_whole_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tiny.module(name)
    rows = [[3, 5, 7, 9], [4, 6], [8, 2, 1]]
    inputs, where = row_inputs(module, rows, [[1, 3], [0, 1], [2]])
    places, targets = torch.tensor([0, 1, 1, 3, 4]), torch.tensor([2, 0, 11, 7, 5])

    def read() -> tuple[Tensor, Tensor]:
        with evaluating(module), torch.no_grad(), SelectedHead(module) as head:
            found = Reader(module, head, Tally()).read(inputs, where)
            assert isinstance(found, reading._States), "the model's own logits were read"
            return found.log_probs(places, targets), found.logits(range(5))

    monkeypatch.setattr(reading, "extent", lambda _, vocabulary: (100, vocabulary))
    whole, logits = read()
    monkeypatch.setattr(reading, "extent", lambda *_: (2, 3))
    parts, _ = read()

    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(whole, logits.log_softmax(-1)[places, targets], rtol=1e-6, atol=1e-5)
