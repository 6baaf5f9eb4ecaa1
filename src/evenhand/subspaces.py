"""Linear subspaces of hidden states: how to find them, and how to take them out again. Arrays in, arrays out.

States are rows, [n, d]; a concept is [n, k]: one column for two groups or a score, k - 1 columns for k groups
(`one_hot`). All is computed in float64. A map that removes something is `Affine`, x -> x - A(x - c):

* `mean_difference`: the directions from the first group's mean to each other one's.
* `pca`: the directions of greatest variance (of `pairs`, centred: SentenceDebias, Liang et al. 2020).
* `leace`: Belrose et al. 2023, theorem 4.3: of all affine maps after which no linear probe beats a constant,
  the map that moves the states least.
* `inlp`: Ravfogel et al. 2020, algorithm 1: the null space of linear classifiers trained one after another.

The first two and the last give directions, which `removal` makes a map of; `leace` gives its map itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import BadData

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Classifier = Callable[[Array, Codes], Array]

RANK = 1e-9
"""Singular values below this share of the largest one count as 0."""
ENOUGH = 10
"""A covariance of d columns is taken as it is from 10 d rows on, and shrunk below."""


@dataclass(frozen=True)
class Affine:
    """The map ``x -> x - A(x - c)`` of states [..., d], with A of rank r as ``left @ right``.

    Attributes:
        left, right: [d, r] and [r, d], both of rank r.
        centre: c, [d].
    """

    left: Array
    right: Array
    centre: Array

    def __call__(self, states: Array) -> Array:
        """The mapped states, of the same shape."""
        return states - (states - self.centre) @ self.right.T @ self.left.T

    @property
    def matrix(self) -> Array:
        """A, [d, d]."""
        return self.left @ self.right

    @property
    def rank(self) -> int:
        """How many directions it removes."""
        return len(self.right)


def one_hot(codes: Codes, groups: int) -> Array:
    """The concept of group numbers [n], [n, groups - 1]: a column for each group but the first."""
    return np.asarray(codes[:, None] == np.arange(1, groups)[None, :], dtype=np.float64)


def norm(vector: Array) -> float:
    """The length of a vector [d]."""
    return float(np.linalg.norm(vector))


def basis(rows: Array) -> Array:
    """An orthonormal basis [r, d] of what the rows [m, d] span; r is 0 where all rows are 0."""
    if not len(rows):
        return np.zeros((0, rows.shape[1]))
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    return right[values > RANK * values.max(initial=0.0)] if values.max(initial=0.0) else right[:0]


def nothing(width: int) -> Affine:
    """The map that leaves states of that many dimensions as they are."""
    return Affine(np.zeros((width, 0)), np.zeros((0, width)), np.zeros(width))


def removal(rows: Array, centre: Array | None = None) -> Affine:
    """Take out what `rows` [m, d] span: ``x - B'B(x - c)`` for an orthonormal basis B of theirs.

    The linear projection B'B is symmetric and idempotent. `centre` [d] is 0 by default, after which mapped
    states have no component along the rows; with another one they all have its component.
    """
    found = basis(rows)
    return Affine(found.T, found, np.zeros(rows.shape[1]) if centre is None else centre)


def combined(maps: Sequence[Affine]) -> Affine:
    """The orthogonal removal of everything that some of the `maps` remove, about 0 (Ravfogel et al. 2020).

    The product of null-space projections is no projection unless their directions are orthogonal; the
    projection onto the intersection of the null spaces is.
    """
    return removal(np.concatenate([one.right for one in maps]))


# ---------------------------------------------------------------- directions


def mean_difference(states: Array, codes: Codes, groups: int) -> tuple[Array, Array]:
    """The directions [groups - 1, d] from the first group's mean to the others', and the means' middle [d].

    Raises:
        BadData: a group without states.
    """
    means = np.stack([_of_group(states, codes, group).mean(0) for group in range(groups)])
    return means[1:] - means[0], means.mean(0)


def _of_group(states: Array, codes: Codes, group: int) -> Array:
    found = states[codes == group]
    if not len(found):
        raise BadData(f"There are no states of group {group}.", mend="Give examples of every group.")
    return np.asarray(found)


def pairs(first: Array, second: Array) -> Array:
    """Both states of each pair less the pair's mean, [2 n, d]: what two texts differ in, and nothing else."""
    half = (first - second) / 2
    return np.concatenate([half, -half])


def pca(states: Array, components: int, *, centred: bool = True) -> tuple[Array, Array]:
    """The `components` directions [m, d] of greatest variance, unit length, and each one's variance [m].

    m is at most the rank. The largest entry of a direction is positive, so that it does not depend on the
    machine. With ``centred=False`` the states are taken about 0.
    """
    about = states - states.mean(0) if centred else states
    _, values, right = np.linalg.svd(about, full_matrices=False)
    keep = min(components, int((values > RANK * values.max(initial=0.0)).sum()))
    found = right[:keep]
    largest = np.abs(found).argmax(1)
    signs = np.sign(found[np.arange(keep), largest])
    return found * signs[:, None], values[:keep] ** 2 / max(len(states) - centred, 1)


# ---------------------------------------------------------------- LEACE


@dataclass(frozen=True)
class Moments:
    """Sums that LEACE needs of `n` states and their concept; parts of a stream are added with ``+``.

    Attributes:
        n: how many rows.
        mean, concept: the means of the states [d] and of the concept [k].
        spread: the states' sum of squares about their mean, [d, d].
        cross: the sum of products of states and concept about their means, [d, k].
    """

    n: int
    mean: Array
    concept: Array
    spread: Array
    cross: Array

    @classmethod
    def of(cls, states: Array, concept: Array) -> Moments:
        """The moments of states [n, d] and their concept [n, k], n at least 1."""
        states, concept = np.asarray(states, np.float64), np.asarray(concept, np.float64)
        mean, middle = states.mean(0), concept.mean(0)
        about = states - mean
        return cls(len(states), mean, middle, about.T @ about, about.T @ (concept - middle))

    def __add__(self, other: Moments) -> Moments:
        """Those of all rows of both (Chan et al. 1979), without a difference of large sums."""
        n = self.n + other.n
        step, turn = other.mean - self.mean, other.concept - self.concept
        weight = self.n * other.n / n
        return Moments(
            n,
            self.mean + step * (other.n / n),
            self.concept + turn * (other.n / n),
            self.spread + other.spread + weight * np.outer(step, step),
            self.cross + other.cross + weight * np.outer(step, turn),
        )


def covariance(moments: Moments, *, shrink: bool | None = None) -> tuple[Array, float]:
    """The states' covariance [d, d], and the weight in [0, 1] with which it is shrunk to a multiple of I.

    The weight is that of oracle approximating shrinkage (Chen et al. 2010, eq. 23). `shrink` None shrinks
    where there are fewer than `ENOUGH` d states.

    Raises:
        BadData: without shrinkage, no more states than dimensions.
    """
    n, d = moments.n, len(moments.mean)
    if shrink is None:
        shrink = n < ENOUGH * d
    if not shrink and n <= d:
        raise BadData(
            f"{n} states of {d} dimensions have no covariance that could be inverted.",
            mend="Give more examples, or allow shrinkage.",
        )
    found = moments.spread / max(n - 1, 1)
    if not shrink:
        return found, 0.0
    trace, squares = float(np.trace(found)), float((found**2).sum())
    apart = (n + 1 - 2 / d) * (squares - trace**2 / d)
    weight = min(1.0, ((1 - 2 / d) * squares + trace**2) / apart) if apart > 0 else 1.0
    return (1 - weight) * found + weight * trace / d * np.eye(d), weight


def leace(moments: Moments, *, shrink: bool | None = None) -> Affine:
    """Least-squares concept erasure: ``x - W+ P W (x - mean)`` with W the inverse root of the covariance.

    P projects onto the columns of W cov(x, z). Of the states in `moments`, the mapped ones have covariance 0
    with the concept, shrunk or not; mapping twice is mapping once. At most k directions are removed, none
    where the states already have no covariance with it. See `covariance` for `shrink`.

    Raises:
        BadData: as for `covariance`.
    """
    sigma, _ = covariance(moments, shrink=shrink)
    values, vectors = np.linalg.eigh(sigma)
    kept = values > len(values) * np.finfo(np.float64).eps * values.max(initial=0.0)
    roots = np.sqrt(np.where(kept, values, 1.0))
    whiten = (vectors * np.where(kept, 1 / roots, 0.0)) @ vectors.T  # W [d, d]
    colour = (vectors * np.where(kept, roots, 0.0)) @ vectors.T  # its pseudo-inverse [d, d]
    left, sizes, _ = np.linalg.svd(whiten @ moments.cross / max(moments.n - 1, 1), full_matrices=False)
    largest = sizes.max(initial=0.0)
    # Sizes are correlations times the concept's spread: rounding alone leaves about 1e-16 of it.
    left = left[:, sizes > RANK * largest] if largest > 1e-12 else left[:, :0]
    return Affine(colour @ left, left.T @ whiten, moments.mean)


# ---------------------------------------------------------------- linear classifiers and INLP


def svm(states: Array, codes: Codes, *, cost: float = 1.0, steps: int = 50) -> Array:
    """One linear classifier a group against the rest, [k, d] ([1, d] for two groups), without intercept.

    L2 support vector machine with squared hinge, ``|w|^2 / 2 + cost * sum max(0, 1 - y w'x)^2``, the
    classifier of INLP's authors (scikit-learn's LinearSVC); by Newton steps in the primal (Chapelle 2007).
    """
    found = np.unique(codes)
    against = found[1:] if len(found) == 2 else found
    return np.stack([_svm(states, np.where(codes == g, 1.0, -1.0), cost, steps) for g in against])


def _svm(states: Array, signs: Array, cost: float, steps: int) -> Array:
    weights = np.zeros(states.shape[1])

    def loss(of: Array) -> float:
        return float(of @ of / 2 + cost * (np.maximum(0.0, 1 - signs * (states @ of)) ** 2).sum())

    for _ in range(steps):
        active = signs * (states @ weights) < 1
        chosen = states[active]  # [m, d]: those inside the margin
        step = _ridge(chosen, signs[active], 1 / (2 * cost)) - weights
        scale, now = 1.0, loss(weights)
        while loss(weights + scale * step) > now and scale > 1e-6:
            scale /= 2
        weights = weights + scale * step
        if np.abs(scale * step).max(initial=0.0) <= 1e-10 * max(np.abs(weights).max(initial=0.0), 1e-300):
            break
    return weights


def _ridge(states: Array, target: Array, penalty: float) -> Array:
    """``(X'X + penalty I)^-1 X'y`` [d], in whichever of the two forms is the smaller system."""
    n, d = states.shape
    if n < d:
        return np.asarray(states.T @ np.linalg.solve(states @ states.T + penalty * np.eye(n), target))
    return np.asarray(np.linalg.solve(states.T @ states + penalty * np.eye(d), states.T @ target))


def inlp(
    states: Array, codes: Codes, *, rounds: int, classifier: Classifier = svm, stop: float | None = None
) -> tuple[Affine, tuple[Array, ...]]:
    """Iterative null-space projection: the removal of every round's classifier, and their rows [k, d].

    Each round trains `classifier` on the states without what the earlier ones found. It ends early where a
    round finds nothing, or where its accuracy is at most `stop` above the share of the largest group.
    """
    most = np.bincount(codes).max() / len(codes)
    found: list[Array] = []
    removed = nothing(states.shape[1])
    for _ in range(rounds):
        left = removed(states)
        rows = classifier(left, codes)
        # A classifier of projected states lies in their span but for rounding, which must not come back in.
        rows = rows - rows @ removed.left @ removed.right
        if not np.abs(rows).max(initial=0.0) > RANK * np.abs(left).max(initial=0.0):
            break
        if stop is not None and accuracy(rows, left, codes) <= most + stop:
            break
        found.append(rows)
        removed = combined([removed, removal(rows)])
    return removed, tuple(found)


def accuracy(rows: Array, states: Array, codes: Codes, *, bias: Array | None = None) -> float:
    """How often the largest of the scores ``rows x + bias`` is the state's group; one row: its sign."""
    scores = states @ rows.T + (0.0 if bias is None else bias)  # [n, k]
    known = np.unique(codes)
    told = (scores[:, 0] > 0).astype(np.intp) if scores.shape[1] == 1 else scores.argmax(1)
    return float((known[told] == codes).mean())


@dataclass(frozen=True)
class Probe:
    """A logistic probe of two groups: P(second group | x) = sigma(`weights` [d] x + `bias`)."""

    weights: Array
    bias: float

    def __call__(self, states: Array) -> Array:
        """The second group's probability of each state, [...]."""
        return np.asarray(1 / (1 + np.exp(-np.clip(states @ self.weights + self.bias, -500, 500))))


def logistic(states: Array, codes: Codes, *, penalty: float = 1.0, steps: int = 50) -> Probe:
    """The probe of states [n, d] of groups 0 and 1: logistic regression with ``penalty |w|^2 / 2``.

    States are centred inside, so the penalty does not depend on where they lie; the intercept is free.
    """
    middle = states.mean(0)
    _, sizes, right = np.linalg.svd(states - middle, full_matrices=False)
    right = right[sizes > RANK * sizes.max(initial=0.0)]  # [r, d]: weights lie in the states' span
    given = np.column_stack([(states - middle) @ right.T, np.ones(len(states))])  # [n, r + 1]
    ridge = np.append(np.full(len(right), penalty), 0.0)
    found = np.zeros(given.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(given @ found, -500, 500)))
        slope = given.T @ (chance - codes) + ridge * found
        curve = (given * np.maximum(chance * (1 - chance), 1e-12)[:, None]).T @ given + np.diag(ridge)
        step = np.linalg.solve(curve + 1e-12 * np.eye(len(curve)), slope)
        found = found - step
        if np.abs(step).max() < 1e-9:
            break
    weights = found[:-1] @ right
    return Probe(weights, float(found[-1] - weights @ middle))
