"""Texts judged on any model: the arithmetic on a scripted one, and transfer from model to model."""

from __future__ import annotations

import math

import pytest

from evenhand.errors import BadData, BadModel
from evenhand.mitigations._adversarial.panel import JOINT
from evenhand.mitigations._adversarial.prompts import read, score, transfer
from evenhand.records import Ability, Continuation
from evenhand.testing.examples import people
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model as tiny

PEOPLE = people(labels=(" no", " yes"))


def biased(item: Continuation) -> float:
    """Yes with 0.6 for "he", 0.2 for "she", no with 0.2; behind "fair" twins are alike."""
    if item.text == " no":
        return 0.2
    if item.context.startswith("fair"):
        return 0.3
    return 0.6 if " he" in item.context else 0.2


def test_a_scripted_model_by_hand() -> None:
    model = ScriptedModel(biased)
    plain, fair = (score(model, PEOPLE, text) for text in ("", "fair" + JOINT))
    assert plain.distance == pytest.approx(math.log(3))  # odds 3 and 1
    assert plain.gap == pytest.approx(0.25)  # 3/4 - 1/2
    assert (fair.distance, fair.gap, fair.n) == (0.0, 0.0, 16)
    # Right answers: the women are ties, which are wrong; the men are told yes.
    right = [p for p in PEOPLE if p.group == 0 and p.label == 1]
    assert plain.accuracy == len(right) / 16
    # Cross-entropy of the true word, person by person.
    p = {(0, 1): 0.6, (1, 1): 0.2, (0, 0): 0.2, (1, 0): 0.2}
    assert plain.task == pytest.approx(-sum(math.log(p[d.group, d.label]) for d in PEOPLE) / 16)
    assert fair.accuracy == sum(d.label for d in PEOPLE) / 16


def test_read_has_people_twins_and_words() -> None:
    log_p = read(ScriptedModel(biased), PEOPLE)
    assert log_p.shape == (16, 2, 2)
    assert log_p[0].exp().tolist() == [pytest.approx([0.2, 0.6]), pytest.approx([0.2, 0.2])]


def test_transfer_scores_every_text_on_every_model() -> None:
    models = {"biased": ScriptedModel(biased), "even": ScriptedModel(lambda item: 0.5)}
    found = transfer(models, PEOPLE, ["fair" + JOINT, "other" + JOINT])
    assert [one.text for one in found["biased"]] == ["", "fair\n", "other\n"]
    assert [round(one.gap, 6) for one in found["biased"]] == [0.25, 0.0, 0.25]
    assert [one.gap for one in found["even"]] == [0.0, 0.0, 0.0]
    with pytest.raises(BadData, match="no model"):
        transfer([], PEOPLE, [])


def test_a_text_is_scored_as_it_would_be_used() -> None:
    model = tiny("llama")
    with_text = score(model, people(), "The doctor" + JOINT)
    asked = [Continuation("The doctor\n" + r.context, r.text) for p in people() for r in p.requests()]
    values = [a.value for a in model.answer(asked)]
    rows = [values[4 * i : 4 * i + 4] for i in range(16)]
    by_hand = sum(abs((r[1] - r[0]) - (r[3] - r[2])) for r in rows) / 16
    assert with_text.distance == pytest.approx(by_hand, abs=1e-9)


def test_a_model_without_log_probabilities_is_refused() -> None:
    model = ScriptedModel(biased)
    model.can = frozenset({Ability.GENERATE})
    with pytest.raises(BadModel, match="no log-probabilities"):
        score(model, PEOPLE)
    with pytest.raises(BadModel, match="32 of 64 label words no probability"):
        read(ScriptedModel(lambda item: 0.0 if " she" in item.context else 0.5), PEOPLE)
