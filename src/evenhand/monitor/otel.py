"""Events from spans, as OpenTelemetry makes them, without requiring its package.

``provider.add_span_processor(SpanProcessor(client))`` sends an event for every span that says which decision
or generation it was, by attributes such as ``evenhand.decision``, ``evenhand.model`` and
``evenhand.attributes.sex``; the model may stand under the conventions' ``gen_ai.request.model``. Other spans
are passed over, and nothing here breaks the application.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

log = logging.getLogger("evenhand.monitor.client")
PREFIX, ATTRIBUTES = "evenhand.", "attributes."
_DECISIONS = ("kind", "prediction_id", "use_case", "model", "version", "score", "decision", "label")
FIELDS = frozenset({*_DECISIONS, "refused", "toxicity", "length", "prompt", "answer"})
_MODELS = ("gen_ai.response.model", "gen_ai.request.model")


class Sender(Protocol):
    """A `Client` or an `AsyncClient`."""

    def send(self, **given: Any) -> bool:
        """Put an event into the buffer."""


def event_of(span: Any) -> dict[str, Any] | None:
    """The event of a span that has ended; None where it holds no attribute ``evenhand.…`` about one.

    Without ``evenhand.prediction_id`` its id is trace and span, so that it is counted once.
    """
    given: Mapping[str, Any] = span.attributes or {}
    own = {name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)}
    found = {name: value for name, value in own.items() if name in FIELDS}
    if not found:
        return None
    people = {name.removeprefix(ATTRIBUTES): v for name, v in own.items() if name.startswith(ATTRIBUTES)}
    for name in _MODELS:
        if name in given:
            found.setdefault("model", given[name])
    context = span.get_span_context()
    found.setdefault("prediction_id", f"{context.trace_id:032x}-{context.span_id:016x}")
    if span.end_time:  # nanoseconds
        found["time"] = datetime.fromtimestamp(span.end_time / 1e9, UTC)
    return {**found, "attributes": people} if people else found


class SpanProcessor:
    """What a tracer provider calls; it sends by `client`."""

    def __init__(self, client: Sender) -> None:
        self._client = client

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Nothing: a span says what it was when it ends."""

    def on_end(self, span: Any) -> None:
        """Send the event of `span`, if it is one."""
        try:
            found = event_of(span)
            if found is not None:
                self._client.send(**found)
        except Exception as error:  # the application goes on, whatever a span holds
            log.warning("a span was passed over: %s", type(error).__name__)

    def shutdown(self) -> None:
        """Close the client, if it can be closed without waiting for a loop."""
        close = getattr(self._client, "close", None)
        if close is not None:
            close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits; whether nothing waits any more."""
        flush = getattr(self._client, "flush", None)
        return flush is None or bool(flush(timeout_millis / 1000))
