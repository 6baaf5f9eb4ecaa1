"""One case: ours beside its peers, as ratios of costs that are measured in interleaved rounds.

Seconds depend on the machine and on what else runs there; the ratio of two costs of one round hardly does.
Each peer runs at the best of its batch sizes, found in a sweep that is printed. Every way returns numbers,
and a difference beyond the case's tolerance is an error: speed is compared between equal answers only.

The ceiling is what the products alone would take, `Case.products` multiply-adds at the rate of one large
matrix product in the same process, precision and device. The rate is measured before and after the case; when
the two differ by more than `STEADY`, the share of the ceiling is flagged, because others used the machine.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch

STEADY = 0.15
SIDES = (1024, 768, 3072)
"""The rows, the common side and the columns of the product whose rate is the ceiling."""
CHUNKS, CHUNK = 5, 0.1
"""The rate is the best of this many measurements, each of at least this many seconds."""

Numbers = Sequence[float]
Clock = Callable[[], float]
Meter = Callable[[Callable[[], Numbers]], tuple[float, Numbers]]
"""What a call costs, and what it returns."""


class Skip(Exception):
    """A case that cannot run here; the text says what is missing."""


@dataclass(frozen=True)
class Peer:
    """Another way to the same numbers.

    Attributes:
        name: what it is, for the table.
        run: computes the numbers with a batch size.
        sizes: the batch sizes to choose from; one alone needs no sweep, and 0 stands for "has none".
        share: the part of the requests that it answers, from the first on; its cost counts as much more.
        target: the ratio that is asked for; None where none is.
        compared: whether its numbers must equal ours.
    """

    name: str
    run: Callable[[int], Numbers]
    sizes: tuple[int, ...] = (0,)
    share: float = 1.0
    target: float | None = None
    compared: bool = True


@dataclass(frozen=True)
class Case:
    """A workload.

    Attributes:
        name: short, as ``--only`` takes it.
        what: the workload in words, with its size.
        ours: evenhand's way to the numbers.
        peers: the other ways.
        tolerance: the largest absolute difference of two numbers that is no error.
        products: multiply-adds of matrix products that no implementation avoids; None where there are none.
        ceiling: the share of the ceiling that is asked for; None where none is.
        unit: seconds, or megabytes of memory above what was held before.
        detail: a remark made after the rounds, such as the tokens that were run.
    """

    name: str
    what: str
    ours: Callable[[], Numbers]
    peers: tuple[Peer, ...]
    tolerance: float
    products: float | None = None
    ceiling: float | None = None
    unit: Literal["s", "MB"] = "s"
    detail: Callable[[], str] = field(default=lambda: "")


@dataclass(frozen=True)
class Ratio:
    """A peer's cost over ours.

    Attributes:
        peer: its name.
        batch: the batch size that was best in the sweep; 0 where it has none.
        cost: its median cost, in the case's unit.
        median, low, high: of the ratios of the rounds.
        difference: the largest absolute difference of its numbers from ours; None: not compared.
        target: the ratio that was asked for.
        sweep: the cost at each batch size that was tried.
    """

    peer: str
    batch: int
    cost: float
    median: float
    low: float
    high: float
    difference: float | None
    target: float | None
    sweep: Mapping[int, float]


@dataclass(frozen=True)
class Found:
    """What was measured of one case.

    Attributes:
        name, what, unit, detail: of the case.
        device: where it ran.
        cost: our median cost.
        ratios: one a peer.
        share: of the ceiling, None without one; `asked` is the share that was asked for.
        steady: whether the rate of the matrix product was the same before and after the case.
        equal: whether every compared difference is within the tolerance.
    """

    name: str
    what: str
    unit: str
    device: str
    cost: float
    ratios: tuple[Ratio, ...]
    share: float | None
    asked: float | None
    steady: bool
    equal: bool
    detail: str = ""


def measured(
    case: Case,
    *,
    rounds: int,
    meter: Meter,
    rate: Callable[[], float],
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> Found:
    """Measure `case` in `rounds` rounds, each peer at its best batch size; `say` takes the sweeps.

    `rate` gives multiply-adds a second; it is asked before and after.
    """
    before = rate() if case.products else 0.0
    _, numbers = meter(case.ours)  # the warm-up, and the numbers to compare with
    sweeps = [_swept(peer, meter) for peer in case.peers]
    best = [min(sweep, key=lambda size: sweep[size]) for sweep, _ in sweeps]
    for peer, (sweep, _) in zip(case.peers, sweeps, strict=True):
        if len(sweep) > 1:
            say(
                f"{case.name}: {peer.name}: "
                + ", ".join(f"{n}: {c:.3g} {case.unit}" for n, c in sweep.items())
            )
    costs: list[list[float]] = [[] for _ in case.peers]
    ours: list[float] = []
    for _ in range(rounds):
        for peer, size, spent in zip(case.peers, best, costs, strict=True):
            spent.append(meter(partial(peer.run, size))[0] / peer.share)
        ours.append(meter(case.ours)[0])
    after = rate() if case.products else 0.0
    ratios = tuple(
        _ratio(peer, size, spent, ours, apart(found, numbers, peer), sweep)
        for peer, size, spent, (sweep, found) in zip(case.peers, best, costs, sweeps, strict=True)
    )
    cost = statistics.median(ours)
    return Found(
        case.name,
        case.what,
        case.unit,
        device,
        cost,
        ratios,
        share_of_ceiling(case.products, cost, before, after),
        case.ceiling,
        is_steady(before, after),
        all(r.difference is None or r.difference <= case.tolerance for r in ratios),
        case.detail(),
    )


def _swept(peer: Peer, meter: Meter) -> tuple[dict[int, float], Numbers]:
    """The cost at each batch size, and the numbers; the first size runs twice, for it pays the warm-up."""
    if len(peer.sizes) > 1:
        peer.run(peer.sizes[0])
    sweep: dict[int, float] = {}
    numbers: Numbers = ()
    for size in peer.sizes:
        cost, numbers = meter(partial(peer.run, size))
        sweep[size] = cost / peer.share
    return sweep, numbers


def _ratio(  # noqa: PLR0917 - what one row of the table holds
    peer: Peer,
    batch: int,
    costs: Sequence[float],
    ours: Sequence[float],
    difference: float | None,
    sweep: Mapping[int, float],
) -> Ratio:
    """The ratio of each round, not of the medians: both sides of a round met the same machine."""
    of_rounds = [theirs / mine for theirs, mine in zip(costs, ours, strict=True)]
    return Ratio(
        peer.name,
        batch,
        statistics.median(costs),
        statistics.median(of_rounds),
        min(of_rounds),
        max(of_rounds),
        difference,
        peer.target,
        sweep if len(sweep) > 1 else {},
    )


def apart(theirs: Numbers, ours: Numbers, peer: Peer) -> float | None:
    """The largest absolute difference; infinite where one is NaN, None for a peer that is not compared.

    Raises:
        ValueError: a peer that answers everything has not one number for each of ours, or a peer has none.
    """
    if not peer.compared:
        return None
    if not len(theirs) or (peer.share == 1.0 and len(theirs) != len(ours)) or len(theirs) > len(ours):
        raise ValueError(f"{peer.name} gives {len(theirs)} numbers, ours {len(ours)}.")
    differences = [abs(a - b) for a, b in zip(theirs, ours, strict=False)]
    return math.inf if any(map(math.isnan, differences)) else max(differences)


def share_of_ceiling(products: float | None, cost: float, before: float, after: float) -> float | None:
    """The seconds of the products alone, at the mean of the two rates, as a share of `cost`."""
    return None if products is None or not cost else products / ((before + after) / 2) / cost


def is_steady(before: float, after: float) -> bool:
    """Whether two rates differ by no more than `STEADY` of the larger one."""
    return abs(before - after) <= STEADY * max(before, after)


def timed(clock: Clock, device: str) -> Meter:
    """A meter of seconds; a GPU is waited for before the clock is read."""

    def meter(way: Callable[[], Numbers]) -> tuple[float, Numbers]:
        gc.collect()  # what an earlier way left behind is not this one's cost
        start = clock()
        numbers = way()
        if device != "cpu":
            torch.cuda.synchronize()
        return clock() - start, numbers

    return meter


def matrix_rate(clock: Clock, device: str, dtype: torch.dtype = torch.float32) -> float:
    """Multiply-adds a second of one large matrix product: the best of several short measurements."""
    rows, inner, columns = SIDES
    left, right = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
    left, right = left.to(device), right.to(device)
    out = torch.empty(rows, columns, dtype=dtype, device=device)
    best = 0.0
    for _ in range(CHUNKS):
        done, start, now = 0, clock(), 0.0
        while now < CHUNK:
            torch.mm(left, right, out=out)
            done += 1
            if device != "cpu":
                torch.cuda.synchronize()
            now = clock() - start
        best = max(best, done * rows * inner * columns / now)
    return best


CLOCKS: Mapping[str, Clock] = {"cpu": time.process_time, "wall": time.perf_counter}
