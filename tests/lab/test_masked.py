"""`lab:masked`: opened by its name, it tells the planted truth in the way that its family is asked."""

import pytest

from tests.lab import truthful


def test_it_is_a_small_masked_model():
    truthful.check_small("masked")


def test_it_tells_the_planted_truth():
    truthful.check_planted("masked")


def test_it_follows_hints_and_knows_its_facts():
    truthful.check_capable("masked", 0.9)


@pytest.mark.slow
def test_the_control_is_even_and_as_capable():
    truthful.check_control("masked")
