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
        mass_gone: the lost share beyond which the gap between the terms is no longer interpretable.
        mass_floor: the terms' probability before treatment below which the model hardly uses them, so that
            a gap between them says nothing about its output.
        hints: largest harmless loss of UB (following explicit hints), absolute.
        rest: largest harmless mean KL divergence of the next word, the groups' words left out, nats; or three
            times what fewer bits do to the same base, where that is more.
        rates: how far a group's rate of favourable decisions may leave the range of the base's rates.
        options: the same over the answers to questions with options, nats.
        entropy: largest harmless change of the entropy of the next word after neutral text, nats.
        each: largest harmless loss of accuracy on one of several benchmarks, as a multiple of `accuracy`.
        saturated: the share of right answers of the base above which a benchmark can show a loss of
            accuracy, and not its absence.
        bias_floor: distance from the metric's ideal that a bias worth treating certainly exceeds, in the
            metric's unit; None for twice the smallest relevant effect (see `equivalence`).
        grew: how much an item's own gap, as a share of the groups' mass, may grow unnoticed.
        scatter: largest harmless share of items whose gap grew by more than that.
        over_correction: largest harmless lean of one group's items in the other direction, as a normalised
            gap. Where a benchmark gives no groups' probabilities, the bias may pass its ideal by five of its
            smallest steps.
        broken: a model counts as broken when it certainly lost more than this multiple of a capability's
            margin (with the defaults: 20 points of accuracy, or a perplexity 50 % higher).
        equivalence: the smallest relevant effect, as a share of the bias before treatment; at least the
            metric's smallest step.
        alpha: one-sided level of every test; intervals of margins are one-sided at 1 - alpha too.
        draws: bootstrap resamples.
    """

    accuracy: float = 0.01
    log_perplexity: float = 0.02
    mass_kept: float = 0.10
    mass_gone: float = 0.50
    mass_floor: float = fitness.FLOOR
    hints: float = 0.05
    rest: float = 0.02
    rates: float = 0.05
    options: float = 0.03
    entropy: float = 0.05
    each: float = 3.0
    saturated: float = 0.95
    bias_floor: float | None = None
    grew: float = 0.05
    scatter: float = 0.10
    over_correction: float = 0.10
    broken: float = 20.0
    equivalence: float = 0.10
    alpha: float = 0.05
    draws: int = 2000
