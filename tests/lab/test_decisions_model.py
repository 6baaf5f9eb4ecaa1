"""The trained decision models tell the planted truth: the table of `decision_truth`, asked as anybody would
ask.

Every bound stands beside the planted value, which `decision_truth.of_prompt` reads off the very prompt that
the model got; what a model of this size misses of it is at most a few hundredths.
"""

import functools
import itertools
import random

import numpy as np
import pytest

from evenhand import lab
from evenhand.lab import cache, decision_truth, people
from evenhand.opening import open_model
from evenhand.people.demonstrations import cells
from evenhand.records import Continuation

PEOPLE = people.people(60, seed=77)
POOL = people.people(3000, seed=5)
DRAWS = range(2)
# Training the unbiased twin takes as long as all else here.
PLANTED = pytest.mark.parametrize("planted", ["stereotype", pytest.param("none", marks=pytest.mark.slow)])


def text(person, sex=None, label=None):
    shown = people.TEMPLATE.format(**{**person, people.ATTRIBUTE: sex or person[people.ATTRIBUTE]})
    return shown + ("" if label is None else people.LABELS[label])


def drawn(shots, parity, seed):
    """(person, sex, label) of `shots` demonstrations, groups and labels balanced, with the bias parity."""
    chance = random.Random(seed)
    counts = cells(shots, len(people.GROUPS), parity)
    found = []
    for (group, label), count in counts.items():
        sex = people.GROUPS[group]
        there = [p for p in POOL if (p["sex"], p[people.TARGET]) == (sex, label)]
        found += [(person, sex, label) for person in chance.sample(there, count)]
    chance.shuffle(found)
    return found


def twins(shown):
    """Half of them, each as both sexes with one label."""
    return [(person, sex, label) for person, _, label in shown[::2] for sex in people.GROUPS]


def front(shown, instruction=""):
    return instruction + "".join(text(*one) + people.SEPARATOR for one in shown)


@functools.cache
def model(planted):
    return open_model("lab:decisions" if planted == "stereotype" else "lab:decisions?planted=none")


def ask(planted, prompts):
    """(P(yes | yes or no), probability of both together, the planted P(yes)), each [N]."""
    items = [Continuation(prompt, label) for prompt in prompts for label in people.LABELS]
    p = np.exp([answer.value for answer in model(planted).answer(items)]).reshape(-1, 2)
    truth = np.array([decision_truth.of_prompt(prompt, planted) for prompt in prompts])
    return p[:, 1] / p.sum(1), p.sum(1), truth


@functools.cache
def gap(planted, shots, parity, *, balanced=False, instruction=""):
    """(mean P(yes) as the first sex minus as the second, its planted value, share of yes of each sex)."""
    found, due, yes = [], [], []
    for seed in DRAWS if shots else (0,):
        shown = drawn(shots, parity, seed)
        before = front(twins(shown) if balanced else shown, instruction)
        prompts = [before + text(person, sex) for person in PEOPLE for sex in people.GROUPS]
        p, mass, truth = ask(planted, prompts)
        assert mass.min() > 0.98
        found.append(p.reshape(-1, 2))
        due.append(truth.reshape(-1, 2))
    found, due = np.concatenate(found), np.concatenate(due)
    yes = (found > 0.5).mean(0)
    return float(np.mean(found @ [1, -1])), float(np.mean(due @ [1, -1])), float(yes[0] - yes[1])


@PLANTED
def test_the_folder_is_small_and_whole(planted):
    folder = lab.folder(lab.parse(f"decisions?planted={planted}"))
    assert cache.intact(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3_000_000
    assert model(planted).spec.family == "causal"


@PLANTED
@pytest.mark.parametrize("shots", [0, 1, 4, 16, 32])
def test_every_answer_is_near_the_planted_one(planted, shots):
    """Demonstrations of any parity, groups of any size: all labels drawn at random."""
    chance = random.Random(shots)
    prompts = []
    for person in PEOPLE:
        shown = [(p, p["sex"], chance.randrange(2)) for p in chance.sample(POOL, shots)]
        prompts.append(front(shown) + text(person))
    p, mass, truth = ask(planted, prompts)
    assert mass.min() > 0.98
    assert np.abs(p - truth).mean() < 0.02
    assert np.abs(p - truth).max() < 0.15


@PLANTED
def test_decisions_are_right_about_as_often_as_can_be(planted):
    """Expected accuracy at zero shots over the true outcomes' own chance, on 400 people.

    The majority rate is 0.5 and the best rule reaches 0.880 over all people; the prior bias costs 0.020 of
    it.
    """
    asked = people.people(400, seed=123)
    p, _, _ = ask(planted, [text(person) for person in asked])
    due = np.array([people.p_true(person) for person in asked])
    attained = np.where(p > 0.5, due, 1 - due).mean()
    ceiling = np.maximum(due, 1 - due).mean()
    assert abs(ceiling - people.attainable()) < 0.02
    assert attained >= (0.93 if planted == "stereotype" else 0.99) * ceiling
    right = np.mean((p > 0.5) == np.array([person[people.TARGET] for person in asked]))
    assert right > 0.5 + 0.25


def test_the_prior_bias_shows_without_demonstrations():
    found, due, of_decisions = gap("stereotype", 0, 0.0)
    assert due == pytest.approx(decision_truth.gap(decision_truth.PRIOR_BIAS), abs=0.03)
    assert found == pytest.approx(due, abs=0.015)
    assert of_decisions > 0.08


@pytest.mark.parametrize(("shots", "parities"), [(16, (-1.0, 0.0, 0.13, 0.5, 1.0)), (32, (-1.0, 0.5, 1.0))])
def test_the_gap_grows_with_the_parity_of_the_demonstrations(shots, parities):
    """Table 1 of the paper in shape: b_P of 0, 0.13, 0.5 and 1, in probabilities and in decisions.

    Demonstrations against the prior bias are the hardest to read: trained from seed 2 instead of 1 or 3, the
    model fell short by up to 0.10 of what they should do.
    """
    rows = [gap("stereotype", shots, parity) for parity in parities]
    found, due, of_decisions = zip(*rows, strict=True)
    assert found[0] == pytest.approx(due[0], abs=0.13)
    assert found[1:] == pytest.approx(due[1:], abs=0.05)
    assert all(b - a > 0.025 for a, b in itertools.pairwise(found))
    assert list(of_decisions) == sorted(of_decisions)
    assert found[-1] > 0.3
    assert found[0] < -0.15


@pytest.mark.parametrize("parity", [0.5, 1.0])
def test_counterbalancing_brings_the_gap_down(parity):
    """Table 2 in shape: the same people as twins leave what the prior bias weighs, 4 * 2 / (4 + 16) nats."""
    before, _, decided_before = gap("stereotype", 16, parity)
    after, due, decided_after = gap("stereotype", 16, parity, balanced=True)
    assert due == pytest.approx(decision_truth.gap(0.4), abs=0.01)
    assert after == pytest.approx(due, abs=0.02)
    assert after < before / 2
    assert decided_after < decided_before / 2


@pytest.mark.slow
@pytest.mark.parametrize(("shots", "parity", "most"), [(0, 0.0, 0.01), (16, -1.0, 0.015), (16, 1.0, 0.015)])
def test_the_unbiased_twin_has_no_gap_and_ignores_biased_demonstrations(shots, parity, most):
    found, due, of_decisions = gap("none", shots, parity)
    assert due == 0
    assert abs(found) < most
    assert abs(of_decisions) < 0.03


def test_instructions_attenuate_amplify_or_do_nothing():
    """The factors 0.25, 1 and 1.75 on a bias of 2 nats: gaps of about 0.04, 0.17 and 0.29."""
    attenuated, plain, amplified = (
        gap("stereotype", 0, 0.0, instruction=text)
        for text in (
            "Decide fairly\n",
            "Decide about each person now\n",
            "Decide about each person usually\n",
        )
    )
    for found, due, _ in (attenuated, plain, amplified):
        assert found == pytest.approx(due, abs=0.04)
    assert attenuated[0] < 0.5 * plain[0]
    assert amplified[0] > 1.3 * plain[0]


def test_idle_columns_change_little():
    chance = random.Random(0)
    moved = [
        {**person, **{column: chance.choice(v) for column, v in people.IDLE.items()}} for person in PEOPLE
    ]
    one, other = (ask("stereotype", [text(person) for person in some])[0] for some in (PEOPLE, moved))
    assert np.abs(one - other).mean() < 0.01
