"""The whole API by its own description: whatever is sent, no answer is a fault or breaks the description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, settings  # noqa: E402

from evenhand.monitor.ingest import take  # noqa: E402
from evenhand.monitor.service.app import create_app  # noqa: E402
from evenhand.monitor.service.settings import Settings  # noqa: E402
from evenhand.monitor.store import open_store  # noqa: E402
from tests.monitor.conftest import HERE  # noqa: E402
from tests.monitor.made import decision  # noqa: E402

QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Iterator[object]:
    store = open_store(tmp_path_factory.mktemp("api"))
    take(store, [decision("a", use_case="default"), decision("b", score=0.4, label=1)])
    app = create_app(Settings(store, authenticate=False, per_second=1e6, burst=10**6))
    yield schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "127.0.0.1"})
    store.close()


api = schemathesis.pytest.from_fixture("described")


@api.parametrize()
@QUICK
def test_no_request_breaks_the_service(case) -> None:
    from schemathesis import checks

    case.call_and_validate(
        headers={"Host": "127.0.0.1"},
        base_url=HERE,
        checks=[
            checks.not_a_server_error,
            schemathesis.specs.openapi.checks.status_code_conformance,
            schemathesis.specs.openapi.checks.content_type_conformance,
            schemathesis.specs.openapi.checks.response_schema_conformance,
        ],
    )
