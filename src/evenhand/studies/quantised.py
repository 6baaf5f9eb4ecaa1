"""What fewer bits do to the base by themselves: how far its expectations move where nothing is lost.

Rounding the weights of a model to so few bits that its perplexity just stays what it was moves every
distribution a little, and nobody calls that damage. So the margin of the guard on the rest of the
distribution is never below three times what this does to the same model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from evenhand.benchmarks import Benchmark
from evenhand.errors import NotComparable
from evenhand.metrics import columns
from evenhand.models import Model, OpenModel, gives_weights
from evenhand.records import Measurement, Verification, digest
from evenhand.studies.capability import (
    LOG_PERPLEXITY,
    all_kept,
    capability_checks,
    component,
    negated,
    within,
)
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements
from evenhand.studies.shift import kinds_of, of_kind
from evenhand.studies.store import Store, cell_key

if TYPE_CHECKING:
    from evenhand.studies.cells import Cells
    from evenhand.studies.shift import Shift
    from evenhand.treatments import Treatment

NAME = "shift of the quantised base"
BITS = (4, 5, 6, 8)  # the fewest that leave the perplexity as it was
TIMES = 3.0  # how far beyond that a treated model may move


def reading(
    cells: Cells, shift: Shift, base: ModelMeasurements, texts: Benchmark, margins: Margins
) -> Measurement | None:
    """The shift of the base at the fewest bits that leave the likelihood of `texts` as it was.

    None where no number of bits does, or the base was not measured on `texts`. It is measured once for a run.
    """
    model = cells.model
    if not gives_weights(model):
        return None
    before = next((m for m in base.capability if m.benchmark == texts.name), None)
    if before is None:
        return None
    for bits in BITS:
        key, enter = _key(bits), partial(_applied, model, bits)
        (after,) = cells.treated([texts], key, enter)
        if unchanged(before, after, margins):
            return replace(cells.shifted(shift, key, enter), benchmark=NAME)
    return None


def unchanged(before: Measurement, after: Measurement, margins: Margins) -> bool:
    """Whether a rise and a fall of the log-perplexity beyond the margin are both excluded."""
    try:
        found = capability_checks(
            ModelMeasurements((), (before,)), ModelMeasurements((), (after,)), margins=margins
        )
    except NotComparable:
        return False
    states = [
        all_kept((check.kept, check.kept and within(negated(check.loss), check.margin)))
        for check in found.checks
    ]
    return bool(states) and all(state is True for state in states)


def carry_over(record: Verification, source: Store, target: Store) -> None:
    """Copy what the store of the run `record` holds of its quantised base to the store of another run."""
    for m in (*record.before, *record.beside):
        for bits in BITS:
            for treatment in (_key(bits), digest(_key(bits))):  # on a benchmark, and how far it moved
                key = cell_key(
                    weights=record.model.identity,
                    treatment=treatment,
                    card=m.card,
                    protocol=m.protocol,
                    seed=record.seed,
                )
                found = source.get(key)
                if found is not None:
                    target.put(key, found)


def texts_of(capability: Sequence[Benchmark], base: ModelMeasurements) -> Benchmark | None:
    """The first benchmark of the likelihood of texts; None without one."""
    known = {m.benchmark for m in base.capability if component(m) is LOG_PERPLEXITY}
    return next((b for b in capability if b.name in known), None)


def rest_margins(quantised: Measurement | None, margins: Margins) -> Mapping[str, float]:
    """The margin of each kind of context: three times what fewer bits do; kinds without more are left out."""
    if quantised is None:
        return {}
    means = {
        kind: float(np.mean(columns(of_kind(quantised, kind))["kl.rest"])) for kind in kinds_of(quantised)
    }
    return {kind: TIMES * mean for kind, mean in means.items() if TIMES * mean > margins.rest}


def _key(bits: int) -> str:
    """What stands for the base at so many bits in the keys of its cells."""
    return digest("quantised", bits)


def _applied(model: OpenModel, bits: int) -> AbstractContextManager[Model]:
    return rounded(model, bits).applied(model)


def rounded(model: OpenModel, bits: int) -> Treatment:
    """Every matrix rounded to the nearest of ``2^bits - 1`` levels of each row."""
    import torch

    from evenhand.treatments import About
    from evenhand.treatments.weights import WeightTreatment

    top, weights = 2 ** (bits - 1) - 1, {}
    for name, parameter in model.module.named_parameters():
        if parameter.ndim > 1:
            value = parameter.detach().float().cpu()
            step = value.abs().amax(dim=-1, keepdim=True) / top  # [..., 1]
            step = torch.where(step > 0, step, torch.ones_like(step))
            weights[name] = torch.round(value / step) * step
    return WeightTreatment(About(f"{bits} bits", model.spec.digest, 0), weights)
