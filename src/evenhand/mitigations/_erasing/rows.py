"""What directions are fitted on: states with their groups, of prompts or of pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evenhand.errors import BadData
from evenhand.hashing import shuffle_key
from evenhand.lexicons import gender_of
from evenhand.models import every_logprob
from evenhand.records import Example, PairExample
from evenhand.subspaces import Array, Codes, one_hot

if TYPE_CHECKING:
    from evenhand.models import Model

HELD_OUT = 5  # one subject in so many is held out of the fit


@dataclass(frozen=True)
class Rows:
    """States [n, d] with their `concept` [n, k - 1], groups `codes` [n] of k, and subjects `clusters` [n].

    In `paired` rows number 2 i and 2 i + 1 are the two texts of a pair.
    """

    states: Array
    concept: Array
    codes: Codes
    groups: int
    clusters: tuple[str, ...]
    paired: bool = False

    def only(self, keep: np.ndarray) -> Rows:
        """The rows that `keep` [n] marks."""
        clusters = tuple(c for c, kept in zip(self.clusters, keep, strict=True) if kept)
        return replace(
            self,
            states=self.states[keep],
            concept=self.concept[keep],
            codes=self.codes[keep],
            clusters=clusters,
        )

    def permuted(self, seed: int) -> Rows:
        """The same states with their groups dealt out at random; in pairs, each pair's order drawn."""
        chance = np.random.default_rng(seed)
        if self.paired:
            flips = chance.random(len(self.codes) // 2) < 0.5
            both = np.arange(len(self.codes)).reshape(-1, 2)
            both[flips] = both[flips, ::-1]
            order = both.ravel()
        else:
            order = chance.permutation(len(self.codes))
        return replace(self, concept=self.concept[order], codes=self.codes[order])


def held_out(clusters: Sequence[str], seed: int) -> np.ndarray:
    """Which rows [n] belong to the subjects that a fit with `seed` does not see, about one in five.

    None of them where there are fewer than `HELD_OUT` subjects.
    """
    names = sorted(set(clusters), key=lambda name: shuffle_key(seed, name))
    out = set(names[: len(names) // HELD_OUT])
    return np.array([cluster in out for cluster in clusters], dtype=bool)


def preferences(model: Model, examples: Sequence[Example]) -> tuple[Array, Codes]:
    """How far each prompt's answer leans to a group, [n, k - 1] in nats, and which one it leans to, [n].

    The first are log-odds against the first group; the second is the group whose log-probability exceeds its
    mean over the prompts the most, so that a model that prefers one group everywhere still has both.

    Raises:
        BadModel: the model has no answer to one of them.
    """
    table = group_logs(model, examples)  # [n, k]
    about = table - table.mean(0)
    return table[:, 1:] - table[:, :1], about.argmax(1)


def group_logs(model: Model, examples: Sequence[Example]) -> Array:
    """The log-probability of each group's terms after each prompt, [n, k] in nats.

    Raises:
        BadModel: the model has no answer to one of them.
    """
    answers = iter(every_logprob(model, [request for e in examples for request in e.requests()]))
    return np.array(
        [[np.logaddexp.reduce([next(answers).value for _ in forms]) for forms in e.terms] for e in examples]
    )


def pairs_of(examples: Sequence[Any]) -> list[tuple[str, str, str]]:
    """(subject, text of the first group, text of the second) of pairs, or of prompts with each group's term.

    Pairs come in the order male, female where the words of both texts say it, else as they stand.

    Raises:
        BadData: prompts of more than two groups.
    """
    found = []
    for example in examples:
        if isinstance(example, PairExample):
            first, second = example.sentence, example.counterpart
            if (gender_of(first), gender_of(second)) == ("female", "male"):
                first, second = second, first
        elif len(example.terms) == 2:
            first, second = (f"{example.context}{forms[0]}" for forms in example.terms)
        else:
            raise BadData(
                f"Pairs are of two groups, and the prompts have {len(example.terms)}.",
                mend="Use leace or inlp with signal=preference, which take any number of groups.",
            )
        found.append((example.cluster, first, second))
    return found


def pair_rows(states: Array, clusters: Sequence[str]) -> Rows:
    """Rows of states [2 n, d] that are the two texts of each pair in turn, `clusters` [n]."""
    codes = np.arange(len(states)) % 2
    both = tuple(cluster for cluster in clusters for _ in range(2))
    return Rows(states, one_hot(codes, 2), codes, 2, both, paired=True)


def mean_gap(model: Model, examples: Sequence[Example]) -> float:
    """The mean over prompts of the largest less the smallest of the groups' shares, in [0, 1].

    Raises:
        BadModel: the model has no answer to one of them.
    """
    table = group_logs(model, examples)  # [n, k]
    shares = np.exp(table - np.logaddexp.reduce(table, axis=1, keepdims=True))
    return float((shares.max(1) - shares.min(1)).mean())
