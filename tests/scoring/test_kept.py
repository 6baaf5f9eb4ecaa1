"""What is kept of a module: states in bounded numbers, and results of fits that no state displaces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evenhand import registry
from evenhand.mitigations._editing import stacks
from evenhand.scoring.kept import MOST, kept_of
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from evenhand.testing.mitigations import last_block


def test_the_value_that_was_used_longest_ago_gives_way() -> None:
    states = kept_of(nn.Linear(1, 1)).states
    for number in range(MOST):
        states.put((number,), torch.ones(2))
    assert states.find((0,)) is not None
    states.put(("new",), torch.ones(2))
    assert states.find((1,)) is None
    assert states.find((0,)) is not None
    assert len(states) == MOST
    assert states.nbytes == MOST * 8


def test_states_of_models_measured_in_between_leave_the_values_of_edits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sham that draws the same prompts writes the same additions, which are sought once."""
    model = tiny.model("llama")
    sought: list[int] = []
    honest = stacks.values

    def counted(*given: object, **more: object) -> object:
        sought.append(1)
        return honest(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(stacks, "values", counted)
    method = registry.create("mitigation", "r_rome:blocks=0,edits=3,contexts=0,steps=2")
    method.fit(model, examples(), sites=last_block(model), seed=0)
    for number in range(2 * MOST):
        kept_of(model.module).states.put(("measured", number), Tensor())
    method.sham(seed=1).fit(model, examples(), sites=last_block(model), seed=0)
    assert len(sought) == 1
