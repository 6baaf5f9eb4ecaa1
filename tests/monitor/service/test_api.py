"""The whole API by its own description: whatever is sent, no answer is a fault or breaks the description."""

from __future__ import annotations

import contextlib

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis.specs.openapi import checks as openapi  # noqa: E402

from evenhand.monitor.ingest import take  # noqa: E402
from evenhand.monitor.service.settings import Settings  # noqa: E402
from evenhand.monitor.store import Store  # noqa: E402
from tests.monitor.made import decision  # noqa: E402
from tests.monitor.replicas import create_app  # noqa: E402

QUICK = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_request_breaks_the_service(store: Store) -> None:
    take(store, [decision("a", use_case="default"), decision("b", score=0.4, label=1)])
    app = create_app(Settings(store, authenticate=False, per_second=1e6, burst=10**6))
    description = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "127.0.0.1"})
    checks = [
        schemathesis.checks.not_a_server_error,
        openapi.status_code_conformance,
        openapi.content_type_conformance,
        openapi.response_schema_conformance,
    ]
    tried: list[str] = []
    for found in description.get_all_operations():
        operation = found.ok()

        @QUICK
        @given(case=operation.as_strategy())
        def attempt(case) -> None:
            tried.append(case.operation.path)
            case.call_and_validate(headers={"Host": "127.0.0.1"}, checks=checks)

        @QUICK
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
        def attempt_wrong(case) -> None:
            tried.append(case.operation.path)
            case.call_and_validate(headers={"Host": "127.0.0.1"}, checks=checks)

        attempt()
        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked
            attempt_wrong()
    assert set(tried) == set(app.openapi()["paths"])
    assert len(tried) > 40
