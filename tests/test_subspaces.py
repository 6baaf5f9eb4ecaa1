"""Subspaces: what is found, what is removed, and what a neighbouring method does not do."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import subspaces
from evenhand.errors import BadData
from evenhand.subspaces import Moments

Array = subspaces.Array


def _states(n: int = 600, d: int = 8, groups: int = 2, seed: int = 0) -> tuple[Array, np.ndarray]:
    """Correlated states of `groups` groups, whose means differ in two directions."""
    chance = np.random.default_rng(seed)
    codes = np.arange(n) % groups
    mix = chance.normal(size=(d, d))
    shift = chance.normal(size=(groups, d))
    return chance.normal(size=(n, d)) @ mix + shift[codes] + 3.0, codes


def _cov(states: Array, concept: Array) -> Array:
    return np.asarray((states - states.mean(0)).T @ (concept - concept.mean(0)) / (len(states) - 1))


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("shrink", [True, False])
def test_leace_leaves_no_covariance(groups: int, shrink: bool) -> None:
    states, codes = _states(groups=groups)
    concept = subspaces.one_hot(codes, groups)
    erase = subspaces.leace(Moments.of(states, concept), shrink=shrink)
    after = erase(states)
    assert np.abs(_cov(states, concept)).max() > 0.01
    assert np.abs(_cov(after, concept)).max() < 1e-10
    assert np.abs(erase(after) - after).max() < 1e-9  # r(r(x)) = r(x)
    assert erase.rank == groups - 1
    assert np.allclose(after.mean(0), states.mean(0))


def test_leace_of_a_score_takes_one_direction() -> None:
    states, _ = _states()
    score = states[:, :1] * 2 - states[:, 1:2]  # [n, 1]
    erase = subspaces.leace(Moments.of(states, score))
    assert erase.rank == 1
    assert np.abs(_cov(erase(states), score)).max() < 1e-9


def test_leace_moves_the_states_less_than_the_mean_difference_and_two_axes_show_it() -> None:
    # z moves the first axis by 1 and the second follows the first's noise: x = (z + e, 4 e).
    chance = np.random.default_rng(0)
    codes = np.arange(4000) % 2
    noise = chance.normal(size=4000)
    states = np.column_stack([codes + noise, 4 * noise])
    # Take the sample's own correlation of e and z out, so that the arithmetic is exact.
    states -= np.outer(noise @ (codes - 0.5) / ((codes - 0.5) @ (codes - 0.5)) * (codes - 0.5), [1.0, 4.0])
    states = states + np.random.default_rng(1).normal(size=states.shape) * 1e-3
    concept = subspaces.one_hot(codes, 2)
    direction, middle = subspaces.mean_difference(states, codes, 2)
    plain = subspaces.removal(direction, middle)
    erase = subspaces.leace(Moments.of(states, concept))
    moved = {
        name: float(((f(states) - states) ** 2).sum(1).mean())
        for name, f in (("leace", erase), ("mean", plain))
    }
    # Mean difference takes the whole first axis: E (z - 1/2 + e)^2 = 1/4 + 1. LEACE takes z alone: 1/4.
    assert moved["leace"] == pytest.approx(0.25, abs=0.01)
    assert moved["mean"] == pytest.approx(1.25, abs=0.08)


def test_leace_gives_a_probe_the_majority_and_sentence_debias_does_not() -> None:
    # The pairs differ along the first axis, but the second one tells the group as well (0.5 of it).
    states = np.array([[1.0, 0.5], [-1.0, -0.5], [1.0, 0.4], [-1.0, -0.4], [1.2, 0.5], [-1.2, -0.5]])
    codes = np.array([1, 0, 1, 0, 1, 0])
    first = subspaces.removal(np.array([[1.0, 0.0]]))
    assert subspaces.accuracy(np.array([[1.0]]), first(states)[:, 1:], codes) == 1.0
    erase = subspaces.leace(Moments.of(states, subspaces.one_hot(codes, 2)), shrink=False)
    assert np.allclose(erase(states)[codes == 1].mean(0), erase(states)[codes == 0].mean(0))


def test_a_held_out_probe_is_at_the_majority() -> None:
    states, codes = _states(n=8000)
    train, test = slice(0, 4000), slice(4000, None)
    probe = subspaces.logistic(states[train], codes[train])
    assert ((probe(states[test]) > 0.5) == codes[test]).mean() > 0.6
    erase = subspaces.leace(Moments.of(states[train], subspaces.one_hot(codes[train], 2)))
    probe = subspaces.logistic(erase(states[train]), codes[train])
    assert ((probe(erase(states[test])) > 0.5) == codes[test]).mean() == pytest.approx(0.5, abs=0.03)


def test_moments_of_parts_are_those_of_all_rows() -> None:
    states, codes = _states(n=101)
    concept = subspaces.one_hot(codes, 2)
    whole = Moments.of(states, concept)
    parts = Moments.of(states[:7], concept[:7]) + Moments.of(states[7:8], concept[7:8])
    parts = parts + Moments.of(states[8:], concept[8:])
    assert parts.n == 101
    for name in ("mean", "concept", "spread", "cross"):
        assert np.allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12, atol=1e-10)


def test_too_few_states_are_shrunk_or_refused() -> None:
    states, codes = _states(n=8)
    moments = Moments.of(states, subspaces.one_hot(codes, 2))
    with pytest.raises(BadData, match="8 states of 8 dimensions"):
        subspaces.covariance(moments, shrink=False)
    _, weight = subspaces.covariance(moments)
    assert 0 < weight <= 1
    assert subspaces.covariance(Moments.of(*_many()), shrink=None)[1] == 0.0


def _many() -> tuple[Array, Array]:
    states, codes = _states(n=80)
    return states, subspaces.one_hot(codes, 2)


def test_leace_of_a_concept_that_is_not_there_changes_nothing() -> None:
    states = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    codes = np.array([0, 0, 1, 1])
    erase = subspaces.leace(Moments.of(states, subspaces.one_hot(codes, 2)), shrink=True)
    assert erase.rank == 0
    assert (erase(states) == states).all()


def test_leace_equals_the_authors_package() -> None:
    torch = pytest.importorskip("torch")
    authors = pytest.importorskip("concept_erasure", reason="the package concept-erasure is not installed")
    for groups in (2, 3):
        states, codes = _states(groups=groups)
        concept = subspaces.one_hot(codes, groups)
        fitted = authors.LeaceFitter.fit(
            torch.from_numpy(states), torch.from_numpy(concept), shrinkage=False, constrain_cov_trace=False
        )
        theirs = fitted.eraser(torch.from_numpy(states)).numpy()
        ours = subspaces.leace(Moments.of(states, concept), shrink=False)(states)
        assert np.abs(theirs - ours).max() < 1e-8


def test_a_removal_is_an_orthogonal_projection() -> None:
    rows = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])  # rank 2
    found = subspaces.removal(rows)
    keep = np.eye(3) - found.matrix
    assert found.rank == 2
    assert np.abs(keep @ keep - keep).max() < 1e-12
    assert np.abs(keep - keep.T).max() < 1e-12
    assert np.abs(rows @ keep).max() < 1e-12
    assert subspaces.removal(np.zeros((2, 3))).rank == 0


def test_combined_projections_differ_from_their_product() -> None:
    # e1 and (1, 1)/sqrt 2 together span the plane; the product of their null spaces leaves part of it.
    one, other = (
        subspaces.removal(np.array([[1.0, 0.0, 0.0]])),
        subspaces.removal(np.array([[1.0, 1.0, 0.0]])),
    )
    state = np.array([1.0, 2.0, 3.0])
    assert np.allclose(subspaces.combined([one, other])(state), [0, 0, 3])
    # (1, 2, 3) -> (0, 2, 3) -> (0, 2, 3) - 1 * (1, 1, 0) = (-1, 1, 3)
    assert np.allclose(other(one(state)), [-1, 1, 3])


def test_inlp_takes_what_later_classifiers_find_and_one_direction_does_not() -> None:
    chance = np.random.default_rng(3)
    codes = np.arange(400) % 2
    sign = np.where(codes == 1, 1.0, -1.0)
    # Two axes tell the group, with independent noise; a third one is large and tells nothing.
    states = np.column_stack([sign + 0.1 * chance.normal(size=400), 0.5 * sign + chance.normal(size=400)])
    states = np.column_stack([states, 5 * chance.normal(size=400)])
    once, _ = subspaces.inlp(states, codes, rounds=1)
    found, rows = subspaces.inlp(states, codes, rounds=8)
    keep = np.eye(3) - found.matrix
    assert np.abs(keep @ keep - keep).max() < 1e-9
    assert np.abs(keep - keep.T).max() < 1e-12
    assert np.abs(np.concatenate(rows) @ keep).max() < 1e-9  # WP = 0
    assert once.rank == 1 < found.rank
    means = [abs(float(f(states)[codes == 1].mean(0) @ [0, 1, 0])) for f in (once, found)]
    assert means[0] > 0.2 > means[1]


def test_inlp_stops_where_its_classifier_is_no_better_than_the_largest_group() -> None:
    states, codes = _states(n=2000)
    found, rows = subspaces.inlp(states, codes, rounds=8, stop=0.02)
    assert found.rank == len(rows) < 8


def test_the_svm_is_that_of_scikit_learn() -> None:
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    for groups, n in ((2, 300), (3, 300), (2, 6)):
        states, codes = _states(n=n, groups=groups)
        states = states / 4
        theirs = (
            svm.LinearSVC(fit_intercept=False, dual=True, tol=1e-8, max_iter=1000000).fit(states, codes).coef_
        )
        assert np.allclose(subspaces.svm(states, codes), theirs, atol=1e-4)


def test_the_logistic_probe_is_that_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    states, codes = _states(n=300)
    theirs = linear.LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(states, codes)
    probe = subspaces.logistic(states, codes)
    assert np.allclose(probe.weights, theirs.coef_[0], atol=1e-5)
    assert probe.bias == pytest.approx(float(theirs.intercept_[0]), abs=1e-4)


def test_pca_of_pairs_ignores_what_pairs_have_in_common() -> None:
    # Pairs lie far apart from each other along y, and differ along x alone: +-1 and +-2.
    first = np.array([[1.0, 100.0, 0.0], [2.0, -100.0, 0.0]])
    second = np.array([[-1.0, 100.0, 0.0], [-2.0, -100.0, 0.0]])
    directions, variances = subspaces.pca(subspaces.pairs(first, second), 1)
    assert np.allclose(directions, [[1, 0, 0]])
    assert np.allclose(variances, [(1 + 4 + 1 + 4) / 3])
    plain, _ = subspaces.pca(np.concatenate([first, second]), 1)
    assert np.allclose(plain, [[0, 1, 0]])  # what PCA without pairs finds


def test_mean_differences_of_three_groups() -> None:
    states = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])
    directions, middle = subspaces.mean_difference(states, np.array([0, 1, 2]), 3)
    assert np.allclose(directions, [[2, 0], [0, 4]])
    assert np.allclose(middle, [2 / 3, 4 / 3])
    with pytest.raises(BadData, match="group 3"):
        subspaces.mean_difference(states, np.array([0, 1, 2]), 4)
