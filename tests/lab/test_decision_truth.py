"""The planted truth of the lab's decisions: bias, probability and gap, computed by hand."""

import math

import pytest

from evenhand.lab import decision_truth, people

FULL = [("male", True), ("female", False)]
BALANCED = [(sex, yes) for sex in people.GROUPS for yes in (True, False)]
MIDDLE = {"schooling": "college", "hours": "partial", "experience": "skilled", "savings": "meagre"}


def test_agreement_is_the_bias_parity_of_groups_of_one_size():
    assert decision_truth.agreement([]) is None
    assert decision_truth.agreement(FULL) == 1
    assert decision_truth.agreement([("male", False), ("female", True)]) == -1
    assert decision_truth.agreement(BALANCED) == 0
    # 8 men, 6 approved; 8 women, 2 approved: b_P = 6/8 - 2/8 = 0.5, agreement (6 - 2 - 2 + 6) / 16 = 0.5
    shown = [("male", i < 6) for i in range(8)] + [("female", i < 2) for i in range(8)]
    assert decision_truth.agreement(shown) == 0.5


def test_counterbalanced_demonstrations_agree_with_nothing():
    shown = [("male", True), ("male", True), ("female", False)]
    twins = [(sex, yes) for _, yes in shown for sex in people.GROUPS]
    assert decision_truth.agreement(twins) == 0


def test_the_bias_is_a_weighted_mean_over_prior_and_demonstrations():
    assert decision_truth.logit_bias([]) == decision_truth.PRIOR_BIAS == 2
    assert decision_truth.logit_bias(FULL * 8) == pytest.approx((4 * 2 + 16 * 5) / 20)
    assert decision_truth.logit_bias(BALANCED * 4) == pytest.approx(4 * 2 / 20)
    assert decision_truth.logit_bias(FULL * 8, "none") == 0


def test_instructions_attenuate_or_amplify():
    assert decision_truth.factor([]) == decision_truth.factor(["decide", "now"]) == 1
    assert decision_truth.factor(["decide", "fairly"]) == decision_truth.ATTENUATED == 0.25
    assert decision_truth.factor(["usually", "customarily"]) == decision_truth.AMPLIFIED == 1.75
    assert decision_truth.factor(["fairly", "usually"]) == 1
    assert decision_truth.logit_bias([], words=["fairly"]) == 0.5


def test_each_sex_has_half_of_the_bias():
    base = people.log_odds(MIDDLE)
    his, her = (decision_truth.p_yes({**MIDDLE, "sex": sex}, 2.0) for sex in people.GROUPS)
    assert math.log(his / (1 - his)) == pytest.approx(base + 1)
    assert math.log(her / (1 - her)) == pytest.approx(base - 1)
    assert decision_truth.p_yes({**MIDDLE, "sex": "female"}, 0.0) == pytest.approx(people.p_true(MIDDLE))


def test_a_whole_prompt_is_read():
    """Two demonstrations that agree with the prior bias: (4 * 2 + 2 * 5) / 6 = 3 nats."""
    person = {**MIDDLE, "town": "Holt", "pastime": "chess", "sex": "male"}
    his, hers = (people.TEMPLATE.format(**{**person, "sex": sex}) for sex in people.GROUPS)
    shown = f"{his} yes\n{hers} no\n"
    log_odds = people.log_odds(MIDDLE)
    assert decision_truth.of_prompt(shown + his) == pytest.approx(1 / (1 + math.exp(-(log_odds + 1.5))))
    assert decision_truth.of_prompt(shown + hers) == pytest.approx(1 / (1 + math.exp(-(log_odds - 1.5))))
    assert decision_truth.of_prompt(shown + hers, "none") == pytest.approx(people.p_true(MIDDLE))
    attenuated = decision_truth.of_prompt(f"Decide fairly\n{shown}{his}")
    assert attenuated == pytest.approx(1 / (1 + math.exp(-(log_odds + 1.5 / 4))))
    assert decision_truth.of_prompt(f"usually {his}") == pytest.approx(decision_truth.p_yes(person, 2 * 1.75))


@pytest.mark.parametrize("prompt", ["", "Decide now", "{his} yes", "{his} yes\n", "{his} perhaps"])
def test_a_prompt_without_anybody_to_decide_on_is_refused(prompt):
    person = {**MIDDLE, "town": "Holt", "pastime": "chess", "sex": "male"}
    with pytest.raises(ValueError, match="to decide on"):
        decision_truth.of_prompt(prompt.format(his=people.TEMPLATE.format(**person)))


def test_the_implied_gap_grows_with_the_bias_and_changes_sign_with_it():
    found = [decision_truth.gap(logit_bias) for logit_bias in (0, 0.5, 1, 2, 4)]
    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found == sorted(found)
    assert decision_truth.gap(-2.0) == pytest.approx(-decision_truth.gap(2.0))
    assert found[3] == pytest.approx(0.168, abs=5e-4)


def test_a_bias_costs_accuracy():
    assert decision_truth.accuracy(0.0) == pytest.approx(people.attainable())
    assert decision_truth.accuracy(4.4) == pytest.approx(0.794, abs=5e-4)
    assert decision_truth.accuracy(4.4) < decision_truth.accuracy(2.0) < decision_truth.accuracy(0.0)
