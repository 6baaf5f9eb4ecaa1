"""A study of four cells that takes seconds on a tiny model: what follows the models in its file."""

from __future__ import annotations

SMALL = """
mitigations = ["prompt", {with = "prompt", name = "other", text = ["Be calm.", "Be fair."]}]
benchmarks = ["genbiaseval:split=heldout"]
capability = ["perplexity:text=lab"]
control = "none"
seeds = [0, 1]
limit = 6
"""
