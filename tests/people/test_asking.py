"""Prompts of twins, and what log-probabilities of two label words say."""

from __future__ import annotations

import math

import pytest

from evenhand.people.asking import Asker, read
from tests.support.crowd import TASK, person

LOG = math.log


def test_the_share_of_the_favourable_label_word() -> None:
    found = read([LOG(0.2), LOG(0.6)])
    assert found.probability == pytest.approx(0.6 / 0.8)
    assert found.decision == 1
    assert found.mass == pytest.approx(0.8)
    assert read([LOG(0.6), LOG(0.2)]).decision == 0


def test_a_tie_is_no_decision_and_silence_no_probability() -> None:
    tie, silent = read([LOG(0.3), LOG(0.3)]), read([-math.inf, -math.inf])
    assert (tie.probability, tie.decision) == (0.5, None)
    assert (silent.probability, silent.decision, silent.mass) == (None, None, 0)


@pytest.mark.parametrize(
    ("logs", "p"), [([-math.inf, -1.0], 1.0), ([-1.0, -math.inf], 0.0), ([0, -2000.0], 0)]
)
def test_extremes_do_not_overflow(logs: list[float], p: float) -> None:
    assert read(logs).probability == p


def test_rounding_never_lifts_the_mass_above_one() -> None:
    third = LOG(1 / 3)
    assert read([third, LOG(2 / 3)]).mass == 1
    assert read([1e-16, -745.0]).mass <= 1


def test_twins_differ_in_the_attribute_alone_and_share_the_beginning() -> None:
    asker = Asker(TASK, ("somebody, 1, m, from T. Granted: yes",))
    someone = person(1, 1, 33)
    first, second = asker.contexts(someone)
    assert first.replace(", m, from T. Granted:", ", f, from T. Granted:", 2).endswith(
        second.rpartition("\n\n")[2]
    )
    assert first.partition("baker")[0] == second.partition("baker")[0]
    made = asker.decision(someone, "dev")
    assert made.contexts == (first, second)
    assert (made.group, made.label, made.part, made.groups) == (1, 1, "dev", ("m", "f"))
    assert made.cluster == someone.content
