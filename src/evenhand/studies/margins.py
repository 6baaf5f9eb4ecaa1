"""The limits of a verdict, fixed before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.studies import fitness


@dataclass(frozen=True)
class Margins:
    """The limits of a verdict, fixed before anything is measured.

    Attributes:
        accuracy: largest harmless loss of accuracy, as a share of the questions (0.01 is one point).
        log_perplexity: largest harmless rise of log-perplexity, nats per token (0.02 is about 2 %).
        mass_kept: the share of the terms' probability whose loss is harmless.
        mass_gone: the lost share beyond which the gap between the terms says nothing any more.
        mass_floor: the terms' probability before treatment below which the model hardly uses them, so that
            a gap between them says nothing about what it writes.
        hints: largest harmless loss of UB (following explicit hints), absolute.
        bias_floor: distance from the metric's ideal below which there is no bias worth treating, in the
            metric's unit; None for five of its smallest steps (0.10 of normalised AFGB).
        over_correction: how far items of one group may come to lean the other way, normalised gap. Where a
            benchmark gives no groups' probabilities, the bias may pass its ideal by five smallest steps.
        broken: how many times the margin of a capability must certainly be lost for the model to count as
            broken (with the defaults: 20 points of accuracy, or perplexity up by half).
        equivalence: half-width of "no specific effect", as a share of the bias before treatment.
        alpha: one-sided level of every test; intervals of margins are one-sided at 1 - alpha too.
        draws: bootstrap resamples.
    """

    accuracy: float = 0.01
    log_perplexity: float = 0.02
    mass_kept: float = 0.10
    mass_gone: float = 0.50
    mass_floor: float = fitness.FLOOR
    hints: float = 0.05
    bias_floor: float | None = None
    over_correction: float = 0.10
    broken: float = 20.0
    equivalence: float = 0.10
    alpha: float = 0.05
    draws: int = 2000
