"""Generated sequences say in tokens what their columns of numbers claim."""

import numpy as np
import pytest

from evenhand.lab import decision_train, decision_truth, people
from evenhand.lab.decision_rows import FILLERS, STARTS, Writer, vocabulary_text


@pytest.fixture(scope="module")
def tokenizer():
    return decision_train.tokenizer()


def read(tokenizer, row, start=1):
    """(words of the instruction, [(record, yes)]) of one row of ids, read back from its text."""
    front = [tokenizer.decode([token]).strip() for token in row[1:start]]
    found = []
    for line in tokenizer.decode(row[start:]).removesuffix(people.SEPARATOR).split(people.SEPARATOR):
        *values, approved, label = line.strip().removeprefix("Person ").split(" ")
        assert approved == "approved"
        found.append((dict(zip(people.columns(), values, strict=True)), f" {label}" == people.LABELS[1]))
    return front, found


def test_every_word_is_one_token(tokenizer):
    columns = [value for values in people.columns().values() for value in values]
    for word in (
        *columns,
        *decision_truth.ATTENUATING,
        *decision_truth.AMPLIFYING,
        *FILLERS,
        "Person",
        "approved",
    ):
        assert len(tokenizer(f" {word}", add_special_tokens=False)["input_ids"]) == 1
    for text in (
        *people.LABELS,
        *decision_truth.ATTENUATING,
        *decision_truth.AMPLIFYING,
        *STARTS,
        "Person",
        people.SEPARATOR,
    ):
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == 1
    assert not {*FILLERS} & {*decision_truth.ATTENUATING, *decision_truth.AMPLIFYING}
    assert "approved" in vocabulary_text()


def test_rows_are_what_a_prompt_of_the_same_people_would_be(tokenizer):
    """Tokenised as text, a row of demonstrations gives the same ids: training and asking agree."""
    drawn = Writer(tokenizer, "stereotype", 5).draw(4, 6)
    for row in drawn.ids:
        _, found = read(tokenizer, row)
        lines = [people.TEMPLATE.format(**person) + people.LABELS[yes] for person, yes in found]
        text = people.SEPARATOR.join(lines) + people.SEPARATOR
        assert tokenizer(text)["input_ids"] == row.tolist()
        query = people.SEPARATOR.join([*lines[:3], people.TEMPLATE.format(**found[3][0])])
        assert len(tokenizer(query)["input_ids"]) - 1 == drawn.places[3]


@pytest.mark.parametrize("planted", ["stereotype", "none"])
@pytest.mark.parametrize("header", [0, 1, 7])
def test_every_probability_is_the_table_s(tokenizer, planted, header):
    """Read back from the text and computed by `decision_truth`, one person at a time."""
    writer = Writer(tokenizer, planted, 11)
    for _ in range(3):
        drawn = writer.draw(6, 5, header)
        for i, row in enumerate(drawn.ids):
            front, found = read(tokenizer, row, drawn.start)
            assert len(front) in (header, header + 1)
            assert drawn.factor[i] == decision_truth.factor(front)
            for j, (person, _) in enumerate(found):
                shown = [(str(p["sex"]), yes) for p, yes in found[:j]]
                logit_bias = decision_truth.logit_bias(shown, planted, front)
                assert drawn.logit_bias[i, j] == pytest.approx(logit_bias)
                assert drawn.p_yes[i, j] == pytest.approx(decision_truth.p_yes(person, logit_bias))
                assert drawn.signs[i, j] == decision_truth.agreement([(str(person["sex"]), found[j][1])])


def test_places_stand_before_labels_and_start_before_the_first_person(tokenizer):
    labels = {tokenizer(label, add_special_tokens=False)["input_ids"][0] for label in people.LABELS}
    openings = {tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in ("Person", " Person")}
    writer = Writer(tokenizer, "stereotype", 2)
    for header in (0, 3, 3, 3):
        drawn = writer.draw(5, 3, header)
        assert {int(token) for token in drawn.ids[:, drawn.places + 1].ravel()} <= labels
        assert {int(token) for token in drawn.ids[:, drawn.start]} <= openings


def test_parity_and_share_of_yes_vary_and_outcomes_fit_the_people(tokenizer):
    drawn = Writer(tokenizer, "stereotype", 8).draw(400, 32)
    agreement = drawn.signs.mean(axis=1)
    assert agreement.max() == 1
    assert agreement.min() == -1
    assert 0.15 < np.mean(agreement == 0) < 0.5  # the twins, and some of those without parity
    assert abs(agreement.mean()) < 0.1
    pairs = [read(tokenizer, row)[1] for row in drawn.ids[:100]]
    p_of = {yes: np.mean([people.p_true(p) for row in pairs for p, y in row if y == yes]) for yes in (0, 1)}
    # E[p | y = 1] = E[p^2] / E[p] and E[p | y = 0] = E[p (1 - p)] / E[1 - p], over all kinds of people
    p = np.array([people.p_true(kind) for kind in people.kinds()])
    assert p_of[1] == pytest.approx((p**2).mean() / p.mean(), abs=0.03)
    assert p_of[0] == pytest.approx((p * (1 - p)).mean() / (1 - p).mean(), abs=0.03)


def test_some_rows_hold_twins(tokenizer):
    drawn = Writer(tokenizer, "stereotype", 4).draw(60, 5)
    twins = 0
    for row in drawn.ids:
        _, found = read(tokenizer, row)
        (one, yes), (other, also) = found[:2]
        if {**one, "sex": ""} == {**other, "sex": ""}:
            twins += 1
            assert one["sex"] != other["sex"]
            assert yes == also
    assert 2 <= twins <= 25  # 0.15 of 60 are 9


def test_the_seed_decides(tokenizer):
    one, same, other = (Writer(tokenizer, "stereotype", seed).draw(3, 4, 2) for seed in (1, 1, 2))
    assert np.array_equal(one.ids, same.ids)
    assert np.array_equal(one.p_yes, same.p_yes)
    assert not np.array_equal(one.ids, other.ids)
