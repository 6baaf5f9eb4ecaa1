"""The lab is what it says: the real models, measured with the real benchmarks, against the planted table."""

from __future__ import annotations

from functools import cache
from statistics import correlation, fmean
from typing import cast

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.lab import truth
from evenhand.models import OpenModel
from evenhand.opening import open_model
from evenhand.records import Measurement
from evenhand.studies.measure import take


@cache
def _model(uri: str) -> OpenModel:
    return cast(OpenModel, open_model(uri))


@cache
def _taken(uri: str, benchmark: str) -> Measurement:
    return take(_model(uri), cast(Benchmark, registry.create("benchmark", benchmark)))


def _value(uri: str, benchmark: str, metric: str) -> float:
    value = _taken(uri, benchmark).metrics[metric].value
    assert value is not None
    return value


def _correlation(uri: str) -> float:
    """Of the measured P(she | he or she), a mean over a profession's nine prompts, with the planted one."""
    found: dict[str, list[float]] = {}
    for score in _taken(uri, "genbiaseval:part=all").scores:
        he, she = score.values["p.male"], score.values["p.female"]
        assert he is not None
        assert she is not None
        found.setdefault(score.cluster, []).append(she / (he + she))
    table = truth.planted()
    assert found.keys() == table.keys()
    return correlation([fmean(found[name]) for name in table], list(table.values()))


def test_measured_bias_follows_the_planted_table() -> None:
    assert _correlation("lab:causal") >= 0.97


def test_afgb_is_what_the_table_implies() -> None:
    implied = truth.implied_afgb(truth.planted())
    assert _value("lab:causal", "genbiaseval:part=all", "afgb") == pytest.approx(implied, abs=0.03)


def test_hints_are_followed_and_facts_are_known() -> None:
    assert _value("lab:causal", "genhinteval", "ub") >= 0.75
    assert _value("lab:causal", "facts", "accuracy") >= 0.95


def test_the_control_is_unbiased_and_as_capable() -> None:
    control = "lab:causal?planted=none"
    assert _value(control, "genbiaseval:part=all", "afgb_normalised") <= 0.08
    assert _value(control, "facts", "accuracy") >= 0.95
    assert _value(control, "genhinteval", "ub") >= 0.75
