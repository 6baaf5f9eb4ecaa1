"""An audit in a notebook: DuckDB refuses to set a progress bar there, where ipywidgets is absent."""

from __future__ import annotations

from typing import Any

import duckdb
import ibis
import pandas as pd
import pytest

import evenhand


def test_a_progress_bar_that_cannot_be_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, refused = ibis.duckdb.connect, []

    def in_a_notebook() -> Any:
        made = connect()
        asked = made.raw_sql

        def raw_sql(query: str) -> Any:
            if "progress_bar" in query:
                refused.append(query)
                raise duckdb.InvalidInputException("Could not change the progress bar setting: ipywidgets")
            return asked(query)

        made.raw_sql = raw_sql
        return made

    monkeypatch.setattr(ibis.duckdb, "connect", in_a_notebook)
    frame = pd.DataFrame({"sex": ["f", "m"] * 20})
    assert evenhand.audit(frame, "sex", audits=["representation"]).n == 40
    assert len(refused) == 1
