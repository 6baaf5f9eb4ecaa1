"""Many rows in one statement: what comes back is what was given, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select

from evenhand.monitor.store.record_tables import erased
from evenhand.monitor.store.rows import if_new, insert_rows
from evenhand.monitor.store.tables import meta, texts

TEXTS = [
    "",
    "it's",
    '"quoted", {a: 1}',
    "back\\slash \\u0041",
    "two\nlines",
    "\u00fc\u4e2d\U0001f600",
    "%s :name",
    None,
]


def test_texts_bytes_and_what_is_missing(store) -> None:
    rows = [
        {"pseudonym": bytes([number, 0, 255, 92]), "prompt": text, "answer": None}
        for number, text in enumerate(TEXTS)
    ]
    store.write(lambda connection: insert_rows(connection, texts, rows))
    with store.reading() as connection:
        found = connection.execute(select(texts).order_by(texts.c.pseudonym)).mappings().all()
    assert [dict(row) for row in found] == rows


@pytest.mark.parametrize("number", [1, 3])
def test_times_and_rows_that_are_all_alike_but_in_one_column(store, number: int) -> None:
    time = datetime(2026, 3, 1, 23, 59, 59, 123456, tzinfo=UTC)
    rows = [{"pseudonym": bytes([at]), "time": time + timedelta(days=at // 2)} for at in range(number)]
    store.write(lambda connection: insert_rows(connection, erased, rows))
    with store.reading() as connection:
        found = connection.execute(select(erased).order_by(erased.c.pseudonym)).mappings().all()
    assert [dict(row) for row in found] == rows


def test_what_is_there_already_stays(store) -> None:
    for value in ("first", "second"):
        rows = [{"name": f"{name}", "value": value} for name in "ab"]
        store.write(lambda connection, rows=rows: insert_rows(connection, meta, rows, if_new))
    with store.reading() as connection:
        rows = connection.execute(select(meta).where(meta.c.name.in_(["a", "b"]))).all()
    assert {row.name: row.value for row in rows} == {"a": "first", "b": "first"}


def test_the_statement_of_postgresql_does_not_grow_with_the_rows(store) -> None:
    if store.sqlite:
        pytest.skip("SQLite gets each row alone, in one call")
    seen: list[str] = []
    event.listen(store.writer, "before_cursor_execute", lambda *given: seen.append(given[2]))
    for many in (2, 500):
        rows = [
            {"pseudonym": bytes([many % 250, at % 256, at // 256]), "prompt": f"{at}"} for at in range(many)
        ]
        store.write(lambda connection, rows=rows: insert_rows(connection, texts, rows))
    inserted = [one for one in seen if one.startswith("INSERT")]
    assert len(inserted) == 2
    assert len(set(inserted)) == 1
