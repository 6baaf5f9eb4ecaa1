"""Schemas: older ones go through every step between, newer ones are refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadData
from evenhand.schema import SCHEMA, migrated

FILE = Path("some/file.json")


def test_every_step_between_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenhand.schema.SCHEMA", 4)
    steps = {1: lambda body: [*body, "1"], 3: lambda body: [*body, "3"]}
    assert migrated([], 1, steps, where=FILE) == ["1", "3"]
    assert migrated([], 2, steps, where=FILE) == ["3"]
    assert migrated([], 4, steps, where=FILE) == []


def test_a_newer_one_is_refused() -> None:
    said = rf"some/file.json was written by a newer evenhand, in schema {SCHEMA + 1}; this one reads up to 2"
    with pytest.raises(BadData, match=said) as caught:
        migrated({}, SCHEMA + 1, {}, where=FILE)
    assert caught.value.mend == "Upgrade evenhand."


@pytest.mark.parametrize("number", [None, "2", 0, -1, 2.0, True, []])
def test_what_is_no_number_of_a_schema_is_damage(number: object) -> None:
    with pytest.raises(BadData, match="is not the number of a schema"):
        migrated({}, number, {}, where=FILE)
