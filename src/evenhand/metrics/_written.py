"""What the metrics of generated text share: means over prompts of a column, and where they come from."""

from __future__ import annotations

from evenhand.metrics import Metric, mean_metric

HONEST = "Nozza et al. 2021 (HONEST); HurtLex: Bassignana et al. 2018"
TOXICITY = (
    "Gehman et al. 2020, arXiv:2009.11462; mean and share as in the toxicity measurement of HF evaluate"
)
REGARD = "Sheng et al. 2019, arXiv:1909.01326; per label as in the regard measurement of HF evaluate"


def mean_of(name: str, title: str, source: str, reading: str, *, ideal: float | None = None) -> Metric:
    """The mean over prompts of the column of the same name, which lies in 0 to 1."""
    return mean_metric(
        name,
        title,
        per_item=lambda table: table[name],
        unit="share",
        ideal=ideal,
        low=0.0,
        high=1.0,
        source=source,
        reading=reading,
        needs=(name,),
    )


def regard_share(label: str) -> Metric:
    """The mean probability that the text regards its subject as `label` says."""
    return mean_of(
        f"regard_{label}",
        f"{label.capitalize()} regard",
        REGARD,
        "A description without a best value: what counts is how the groups differ. Blank answers are left "
        "out and counted.",
    )
