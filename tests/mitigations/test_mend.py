"""MEND on tiny models: what changes, what it says of itself, and what it refuses."""

from __future__ import annotations

from typing import cast

import pytest

from evenhand.errors import BadOption
from evenhand.mitigations.mend import Mend
from evenhand.models.projections import mlp_projections
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.mitigations import last_block
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.weights import WeightTreatment

CASE = MitigationCase(
    "mend",
    "mend:iterations=4,contexts=1,rank=8",
    lab="mend:edits=100,iterations=80,contexts=1,rank=32,blocks=2,loss=symmetric_kl",
)


def _fit(method: Mend, kind: str = "llama") -> WeightTreatment:
    model = tiny(kind)
    return cast(WeightTreatment, method.fit(model, examples(), sites=last_block(model), seed=0))


@pytest.mark.parametrize("kind", PROMISED)
def test_every_matrix_of_the_chosen_mlps_changes_and_no_other(kind: str) -> None:
    model = tiny(kind)
    made = _fit(Mend(iterations=2, contexts=1, blocks="0+2", rank=4), kind)
    assert set(made.weights) == {
        of.weight for block in (0, 2) for of in mlp_projections(model, f"block.{block}")
    }
    assert all(
        made.weights[of.weight].shape == of.parameter.shape for of in mlp_projections(model, "block.0")
    )


def test_it_says_how_its_editor_was_trained() -> None:
    details = _fit(Mend(iterations=3, contexts=1, rank=4, state="sequential", edits=8)).about.details
    assert (details["state"], details["edits"], details["iterations"]) == ("sequential", 8, 3)
    assert details["blocks"] == ["block.0", "block.1", "block.2"]
    assert len(details["edit_rates"]) == 9  # three matrices in each of three blocks
    first, best = details["held_out_loss"]
    assert best <= first


def test_each_state_loss_and_target_makes_its_own_change() -> None:
    made = [
        _fit(Mend(iterations=2, contexts=1, rank=4, **{key: value})).digest  # type: ignore[arg-type]
        for key, value in (
            ("state", "batch"),
            ("state", "sequential"),
            ("loss", "symmetric_kl"),
            ("target", "anti"),
        )
    ]
    assert len(set(made)) == 4


def test_more_iterations_than_some_hundred_prompts_bear_are_refused() -> None:
    with pytest.raises(BadOption, match=r"iterations=2001.*at most 2000"):
        Mend(iterations=2001)
