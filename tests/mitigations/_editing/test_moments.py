"""Second moments by hand, their shrinkage, what is refused, and the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evenhand.errors import BadModel
from evenhand.mitigations._editing import moments
from evenhand.mitigations._editing.moments import Estimate, Sums, checked, second_moment, shrunk
from evenhand.mitigations._editing.passes import passing
from evenhand.models.projections import output_projection
from evenhand.testing.tiny import CORPUS
from evenhand.testing.tiny import model as tiny


def _sums(rows: list[list[float]]) -> Sums:
    x = torch.tensor(rows, dtype=torch.float64)
    return Sums(len(x), x.T @ x, float(((x**2).sum(1) ** 2).sum()))


def test_shrinkage_by_hand() -> None:
    # x = (2, 0), (0, 1): S = diag(2, .5), mu = 1.25, ||S - mu I||² = 2 * .75² = 1.125.
    # sum ||x xᵀ - S||² = sum ||x||⁴ - n ||S||² = 17 - 2 * 4.25 = 8.5; over n² = 4: 2.125 > 1.125, so rho = 1.
    found = shrunk(_sums([[2, 0], [0, 1]]))
    assert found.shrunk == 1.0
    assert found.matrix.tolist() == [[1.25, 0], [0, 1.25]]
    # (2, 0) three times: S = diag(4, 0), scatter 48 - 3 * 16 = 0: there is nothing to doubt.
    assert shrunk(_sums([[2, 0]] * 3)).shrunk == 0.0


def test_a_stated_shrinkage_is_taken_and_enough_tokens_need_none() -> None:
    # S = diag(2, .5), rho = .2: .8 S + .2 * 1.25.
    assert shrunk(_sums([[2, 0], [0, 1]]), 0.2).matrix.diagonal().tolist() == pytest.approx([1.85, 0.65])
    many = _sums([[2, 0], [0, 1]] * 10)  # 20 tokens, 2 dimensions
    assert shrunk(many).shrunk == 0.0
    assert shrunk(many).matrix.tolist() == [[2, 0], [0, 0.5]]
    assert shrunk(_sums([[2, 0], [0, 1]] * 9)).shrunk > 0.0  # 18 are fewer than 10 for each


def test_singular_and_infinite_moments_are_refused_with_what_to_do() -> None:
    with pytest.raises(BadModel, match=r"block 3 is singular over 40 tokens.*shrink=.01.*text=FILE.*C=I"):
        checked(Estimate(torch.diag(torch.tensor([1.0, 0.0])).double(), 40, 0.0), 3)
    with pytest.raises(BadModel, match="not finite"):
        checked(Estimate(torch.full((2, 2), torch.inf).double(), 40, 0.0), 3)


def test_it_is_the_mean_over_every_token_and_comes_from_the_cache_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))
    model = tiny("gpt2")
    of = output_projection(model, "block.1", "mlp")
    first = second_moment(model, of, CORPUS, 0.5)
    total, n = torch.zeros(128, 128, dtype=torch.float64), 0
    for text in CORPUS:
        row = tuple(model.tokenizer(text)["input_ids"])
        ((_, given, _),) = passing(model, of.module, 1, [row])
        keys = given[0].detach().double()
        total, n = total + keys.T @ keys, n + len(keys)
    assert first.tokens == n
    half = 0.5 * total / n + 0.5 * (total / n).diagonal().mean() * torch.eye(128).double()
    assert torch.allclose(first.matrix, half, rtol=1e-4, atol=1e-6)
    (kept,) = (tmp_path / "moments").iterdir()
    monkeypatch.setattr(moments, "summed", None)  # would fail if it were called
    assert torch.equal(second_moment(model, of, CORPUS, 0.5).matrix, first.matrix)
    for other in (
        output_projection(model, "block.0", "mlp"),
        output_projection(tiny("gpt2", seed=1), "block.1", "mlp"),
    ):
        with pytest.raises(TypeError):  # another block has other keys
            second_moment(model if other.block == 0 else tiny("gpt2", seed=1), other, CORPUS, 0.5)
    with pytest.raises(TypeError):  # and so have other texts
        second_moment(model, of, CORPUS[:2], 0.5)
    kept.write_bytes(b"half")
    with pytest.raises(TypeError):  # what is damaged is estimated again
        second_moment(model, of, CORPUS, 0.5)


def test_what_is_kept_for_another_width_is_not_used(tmp_path: Path) -> None:
    place = tmp_path / "moments.npz"
    np.savez(place, n=4, outer=np.eye(3), fourth=1.0)
    assert moments._loaded(place, 3) is not None
    assert moments._loaded(place, 4) is None
