"""The parts of a fit at one site: its rows, probes of the groups, the detector, a map drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evenhand import subspaces
from evenhand.mitigations._erasing.rows import Rows, held_out, pair_rows, pairs_of, preferences
from evenhand.mitigations._erasing.states import prompt_states, text_states
from evenhand.records import Example
from evenhand.subspaces import Affine, Array, Moments, Probe

if TYPE_CHECKING:
    from evenhand.models import Model


def rows_at(model: Model, site: str, shown: Sequence[Any], *, texts: bool) -> tuple[Rows, Sequence[Example]]:
    """The states at `site` with their groups, and the prompts that they belong to; none for `texts`.

    Raises:
        EvenhandError: an example that the model cannot be asked.
    """
    if texts:
        pairs = pairs_of(shown)
        both = [text for _, first, second in pairs for text in (first, second)]
        return pair_rows(text_states(model, site, both), [cluster for cluster, *_ in pairs]), ()
    concept, codes = preferences(model, shown)
    states = prompt_states(model, site, shown)
    clusters = tuple(example.cluster for example in shown)
    return Rows(states, concept, codes, len(shown[0].terms), clusters), shown


def moments(rows: Rows) -> Moments:
    """The moments of the rows with their concept."""
    return Moments.of(rows.states, rows.concept)


def probed(train: Rows, test: Rows, removed: Affine) -> dict[str, Any]:
    """A linear probe's accuracy for the group on held-out subjects before and after, and the largest
    group's share. None where no subject is held out, or a group is missing.
    """
    known = len(np.unique(test.codes)) > 1 and len(np.unique(train.codes)) > 1
    majority = float(np.bincount(test.codes).max() / len(test.codes)) if known else None
    return {
        "held_out": len(test.codes),
        "majority": majority,
        "probe_before": _accuracy(train, test, lambda states: states) if known else None,
        "probe_after": _accuracy(train, test, removed) if known else None,
    }


def _accuracy(train: Rows, test: Rows, mapped: Any) -> float:
    given, asked = mapped(train.states), mapped(test.states)
    if train.groups == 2:
        told = subspaces.logistic(given, train.codes)(asked) > 0.5
        return float((told == test.codes).mean())
    middle = given.mean(0)
    rows = subspaces.svm(given - middle, train.codes)
    return subspaces.accuracy(rows, asked - middle, test.codes)


def detector(model: Model, site: str, examples: Sequence[Example], seed: int) -> tuple[Probe, dict[str, Any]]:
    """A probe that is above 1/2 where a prompt states no group, and its accuracy on held-out subjects."""
    states = prompt_states(model, site, examples)
    codes = np.array([int(not example.keep) for example in examples])
    out = held_out([example.cluster for example in examples], seed)
    probe = subspaces.logistic(states[~out], codes[~out])
    right = float(((probe(states[out]) > 0.5) == codes[out]).mean()) if out.any() else None
    return probe, {"detector_accuracy": right}


def removed_variance(removed: Affine, states: Array) -> float:
    """The mean square of what the map takes out of `states` [n, d], about its mean."""
    change = states - removed(states)
    return float(((change - change.mean(0)) ** 2).sum(1).mean())


def drawn(rows: Rows, like: Affine, seed: int) -> Affine:
    """As many directions as `like` has, drawn from the covariance of the states, taken out about their mean.

    What they take out is multiplied so that its variance is that of what `like` takes out.
    """
    chance = np.random.default_rng(seed)
    about = rows.states - rows.states.mean(0)  # [n, d]
    # A sum of the rows with normal weights has their covariance.
    found = subspaces.removal(chance.normal(size=(like.rank, len(about))) @ about, rows.states.mean(0))
    own = removed_variance(found, rows.states)
    scale = np.sqrt(removed_variance(like, rows.states) / own) if own > 0 else 0.0
    return Affine(found.left * scale, found.right, found.centre)
