"""Spans that are decisions become events; the others, and broken ones, pass."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from evenhand.monitor.events import Event
from evenhand.monitor.otel import SpanProcessor


class Sender:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, **given: Any) -> bool:
        self.sent.append(given)
        return True


def _span(attributes: Any) -> Any:
    context = SimpleNamespace(trace_id=0xA, span_id=0xB)
    return SimpleNamespace(attributes=attributes, end_time=10**18, get_span_context=lambda: context)


def test_a_span_with_a_decision() -> None:
    client = Sender()
    processor = SpanProcessor(client)
    processor.on_start(None)
    processor.on_end(
        _span(
            {
                "evenhand.decision": 1,
                "evenhand.attributes.sex": "f",
                "evenhand.unknown": 1,
                "gen_ai.request.model": "scorer",
                "http.method": "GET",
            }
        )
    )
    (sent,) = client.sent
    assert Event(**sent).model_dump(exclude_unset=True) == {
        "prediction_id": "0" * 31 + "a-" + "0" * 15 + "b",
        "time": datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),  # 10^9 seconds after 1970
        "model": "scorer",
        "decision": 1,
        "attributes": {"sex": "f"},
    }


def test_others_pass_and_nothing_breaks() -> None:
    client = Sender()
    processor = SpanProcessor(client)
    processor.on_end(_span({"http.method": "GET"}))
    processor.on_end(_span(None))
    processor.on_end(object())
    processor.shutdown()
    assert processor.force_flush()
    assert client.sent == []
