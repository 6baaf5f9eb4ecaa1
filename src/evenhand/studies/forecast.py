"""How long a verification will take, said before anything is trained.

What a model costs is known once the base was measured. How long a fit takes is not: it is taken for so many
passes over its prompts, forwards and backwards. The range reaches from the first look to the last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from evenhand.progress import duration

FIT = 0.7  # what an epoch costs, in passes over its prompts: only one block is trained
EPOCHS = 2  # of a method that does not say
SHAM, PLAIN = "sham", "plain text"  # families that are fitted
AGAIN = (0.2, 0.8)  # a changed model beside the base: with and without what is kept of its passes


@dataclass
class Clock:
    """How long parts of a run took, in seconds, and when it has to end; `minutes` None for no end."""

    minutes: float | None = None
    began: float = field(default_factory=time.monotonic)
    parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time until the context ends to `part`."""
        start = time.monotonic()
        yield
        self.parts[part] = self.parts.get(part, 0.0) + time.monotonic() - start

    def left(self) -> float | None:
        """The minutes that are left, 0 or more; None for no end."""
        if self.minutes is None:
            return None
        return max(0.0, self.minutes - (time.monotonic() - self.began) / 60)

    def over(self) -> bool:
        """Whether the time is spent."""
        return self.minutes is not None and time.monotonic() - self.began > 60 * self.minutes


@dataclass(frozen=True)
class Forecast:
    """How long it will take, in seconds, between the least and the most, and that as a sentence."""

    low: float
    high: float
    said: str


def forecast(
    *,
    measured: float,
    prompts: float,
    epochs: tuple[float, float],
    looks: tuple[int, ...],
    families: tuple[str, ...],
    fits: int = 1,
) -> Forecast:
    """What lies ahead.

    `measured` is how long the base took, `prompts` how long it took over as many prompts as are trained on,
    both in seconds; `looks` are the models of each of the `families` at each look. `fits` are the treated
    models: at the least all share their control models, at the most each has its own. `epochs` are those
    that a fit is as long as, a sham's too, and those that plain text is trained for.
    """
    fit, plain = (FIT * prompts * number for number in epochs)
    costs = {SHAM: fit, PLAIN: plain}
    trained = sum(costs.get(family, 0.0) for family in families)

    def whole(number: int, share: float) -> float:
        models = fits + number * len(families)
        return models * share * measured + fits * fit + number * trained

    least, most = (looks[0], looks[-1] * fits) if looks else (0, 0)
    low, high = (whole(n, share) for n, share in zip((least, most), AGAIN, strict=True))
    fewest, many = (number * len(families) for number in (least, most))
    counted = f"{span(fewest, many) if many else 'no'} control models"
    treated = "a fit, the treated model" if fits == 1 else f"{fits} fits, their treated models"
    said = f"From here it takes about {duration(low)} to {duration(high)}: {treated}, and {counted}."
    return Forecast(low, high, said)


def span(least: int, most: int) -> str:
    """``6 to 13``, or one number where both are the same."""
    return str(most) if least == most else f"{least} to {most}"
