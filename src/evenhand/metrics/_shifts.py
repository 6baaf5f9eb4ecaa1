"""Where the metrics of counterfactual pairs come from."""

from __future__ import annotations

PAIRS = "ours, after Kusner et al. 2017, arXiv:1703.06856 (counterfactual fairness), on paired prompts"
