"""The lab's model behind a real server on this machine: the planted bias is measured through the wire."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.models.causal import CausalModel
from evenhand.models.endpoint import EndpointModel, parse
from evenhand.models.transport import Transport
from evenhand.opening import open_model
from evenhand.studies.measure import take
from tests.support.server import serving, status, truncated


def test_an_endpoint_of_the_lab_gives_its_figures() -> None:
    model = open_model("lab:causal")
    assert isinstance(model, CausalModel)
    naps: list[float] = []
    with serving(model) as served:
        address = parse(f"{served.url}?api=completions&cache=no#tiny")
        endpoint = EndpointModel(address, Transport(address.url, address.limits, sleep=naps.append))
        for spec in ("genbiaseval", "genhinteval", "facts"):
            served.faults = [status(429), truncated, status(500)]
            benchmark = registry.create("benchmark", spec)
            own, found = (take(m, benchmark, limit=24) for m in (model, endpoint))
            for name, estimate in own.metrics.items():
                assert found.metrics[name].value == pytest.approx(estimate.value, abs=1e-4), (spec, name)
            assert not served.faults  # all three faults were met and outlived
    assert len(naps) >= 9
