"""What was trained on is not measured."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.errors import UsageError
from evenhand.records import Example
from evenhand.studies.trained_on import trained_on
from evenhand.studies.training_data import check_apart
from evenhand.studies.verbs import VerifyOptions, verify


def test_training_on_the_test_is_refused(uri: str) -> None:
    options = VerifyOptions(benchmarks=("genbiaseval", "genbiaseval:part=all"), limit=5)
    with pytest.raises(
        UsageError, match=r"would be measured on 943 prompts that the mitigation is trained on"
    ):
        verify(uri, "lftf", options)


def test_default_examples_are_not_measured_either() -> None:
    data = trained_on(
        "lab:causal", [registry.create("benchmark", "crows_pairs:data=lab")], (Example,), "lftf"
    )
    check_apart([registry.create("benchmark", "genbiaseval:split=heldout")], data.examples)
    with pytest.raises(UsageError, match="would be measured on 315 prompts"):
        check_apart([registry.create("benchmark", "genbiaseval:part=all")], data.examples)
