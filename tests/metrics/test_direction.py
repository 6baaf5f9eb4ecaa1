"""Which way a figure is better: told from its ideal and its range, for every metric that there is."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.metrics import direction


@pytest.mark.parametrize(
    ("ideal", "low", "high", "said"),
    [
        (0.0, 0.0, 1.0, "lower is better"),
        (1.0, 0.0, 1.0, "higher is better"),
        (50.0, 0.0, 100.0, "best at 50"),
        (0.0, -1.0, 1.0, "best at 0"),
        (0.0, None, None, "best at 0"),
        (1.0, 1.0, None, "lower is better"),
        (None, 0.0, 1.0, ""),
        (None, None, None, ""),
    ],
)
def test_direction(ideal: float | None, low: float | None, high: float | None, said: str) -> None:
    assert direction(ideal, low, high) == said


def test_the_metrics_say_it_themselves() -> None:
    said = {name: registry.get("metric", name).direction for name in registry.names("metric")}
    assert said["ss"] == said["stereotype_preference"] == "best at 50"
    assert said["afgb"] == said["perplexity"] == "lower is better"
    assert said["accuracy"] == said["lms"] == said["disparate_impact"] == "higher is better"
    assert said["afgb_signed"] == said["weat_effect"] == "best at 0"
    assert said["mass"] == said["chance"] == ""
    assert {name for name, way in said.items() if not way} == {
        name for name in said if registry.get("metric", name).ideal is None
    }
