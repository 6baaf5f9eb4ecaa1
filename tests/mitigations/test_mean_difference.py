"""The mean difference: both groups' means come together in their middle."""

from __future__ import annotations

from typing import cast

import numpy as np

from evenhand.mitigations._erasing.rows import preferences
from evenhand.mitigations._erasing.states import prompt_states
from evenhand.mitigations.leace import Leace
from evenhand.mitigations.mean_difference import MeanDifference
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.projection import ProjectionTreatment

CASE = MitigationCase("mean_difference")


def test_the_means_meet_in_their_middle_and_the_states_move_further_than_under_leace() -> None:
    model = tiny("llama")
    _, codes = preferences(model, examples())
    before = prompt_states(model, "block.1", examples())
    moved = {}
    for name, method in (("mean", MeanDifference(blocks="1")), ("leace", Leace(blocks="1", shrink="on"))):
        treatment = cast(ProjectionTreatment, method.fit(model, examples(), sites=None, seed=0))
        with treatment.applied(model) as treated:
            after = prompt_states(treated, "block.1", examples())
        moved[name] = float(((after - before) ** 2).sum(1).mean())
        if name == "mean":
            first, second = (after[codes == group].mean(0) for group in (0, 1))
            assert np.allclose(first, second, atol=1e-3)
            one = treatment.maps["block.1"]
            middle = (before[codes == 0].mean(0) + before[codes == 1].mean(0)) / 2
            # Along the direction every state has the middle's coordinate; in the others it is where it was.
            assert np.allclose((after - middle) @ one.right.numpy().T, 0, atol=1e-3)
    assert moved["mean"] > 0
