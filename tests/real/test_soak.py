"""The service for a minute under events and pages at once: nothing is refused, and its memory stays flat."""

from __future__ import annotations

from pathlib import Path

import pytest
from perf.monitor_load import sending, service, soaked

from tests.monitor.conftest import database, postgres  # noqa: F401 - fixtures

pytestmark = pytest.mark.real
SECONDS, EVENTS, PEOPLE = 60.0, 20_000, 10
GROWTH = 0.15  # of what is held after a third of the time


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_memory_stays_flat(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = "" if kind == "sqlite" else request.getfixturevalue("database")
    with service(address, PEOPLE, str(tmp_path)) as running:
        sending(running, EVENTS, senders=2)
        found = soaked(running, SECONDS, rate=1000.0, first=EVENTS)
    assert found["soak_events"] >= 10_000, found  # 17 % of the rate: a busy machine is no fault
    assert found["soak_pages"] >= 100, found
    assert found["soak_rss_mb_at_the_end"] < (1 + GROWTH) * found["soak_rss_mb_after_a_third"], found
