"""INLP on hidden states: its rounds, and its projection written into a head without a bias."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from evenhand.errors import BadOption
from evenhand.mitigations._erasing.rows import group_logs
from evenhand.mitigations.inlp import Inlp
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.projection import ProjectionTreatment
from evenhand.treatments.weights import WeightTreatment

CASE = MitigationCase("inlp")


@pytest.mark.parametrize("rounds", [1, 3])
def test_every_round_removes_a_direction_by_an_orthogonal_projection(rounds: int) -> None:
    treatment = Inlp(blocks="1", rounds=rounds).fit(tiny("llama"), examples(), sites=None, seed=0)
    one = cast(ProjectionTreatment, treatment).maps["block.1"]
    removed = (one.left @ one.right).numpy()
    assert len(one.right) == rounds == treatment.about.details["sites"][0]["rounds"]
    assert np.abs(removed @ removed - removed).max() < 1e-10
    assert np.abs(removed - removed.T).max() < 1e-12
    assert not one.centre.any()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_it_is_about_0_so_a_head_without_a_bias_takes_it_in(kind: str) -> None:
    model = tiny(kind)
    hooked = Inlp(at="head", rounds=2).fit(model, examples(), sites=None, seed=0)
    written = Inlp(fold=True, rounds=2).fit(model, examples(), sites=None, seed=0)
    assert isinstance(written, WeightTreatment)
    with hooked.applied(model) as treated:
        first = group_logs(treated, examples())
    with written.applied(model) as treated:
        assert np.allclose(group_logs(treated, examples()), first, atol=1e-3)


def test_it_ends_where_a_classifier_is_no_better_than_the_largest_group() -> None:
    stopped = Inlp(blocks="1", stop=0.0, rounds=30).fit(tiny("llama"), examples(), sites=None, seed=0)
    assert stopped.about.details["sites"][0]["rounds"] <= 30
    with pytest.raises(BadOption, match="rounds=0"):
        Inlp(rounds=0)
