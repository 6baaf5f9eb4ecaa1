"""What the verbs may be told: checked when it is said, before a model is opened, as record and as keyword."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evenhand
from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.studies.options import (
    LocateKeywords,
    MeasureKeywords,
    MitigateKeywords,
    PlanKeywords,
    RunOptions,
    VerifyKeywords,
    VerifyOptions,
    combined,
)

NOWHERE = "hf:./there-is-no-such-model"  # opening it would be another error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1), ("seed", 2**32), ("seed", 1.5), ("seed", True), ("seed", "1"), ("seed", None),
        ("limit", 0), ("limit", -3), ("limit", 2.0), ("batch_tokens", 0), ("batch_tokens", "many"),
        ("margin", float("nan")), ("margin", float("inf")), ("margin", -0.01), ("margin", 5),
        ("margin", "0.01"), ("control", "half"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_once(name: str, value: Any) -> None:
    with pytest.raises(BadOption, match=f"{name}=") as caught:
        evenhand.verify(NOWHERE, "lftf", **{name: value})
    assert "Write" in caught.value.mend


@pytest.mark.parametrize("value", [-1, 2**32])
def test_every_verb_refuses_such_a_seed(value: int) -> None:
    for ask in (
        lambda: evenhand.measure(NOWHERE, "facts", seed=value),
        lambda: evenhand.locate(NOWHERE, "bmi", seed=value),
        lambda: evenhand.mitigate(NOWHERE, "lftf", "treated", seed=value),
        lambda: evenhand.compare("nowhere", "nowhere", seed=value),
    ):
        with pytest.raises(BadOption, match="from 0 to 4294967295"):
            ask()


def test_the_ends_are_taken() -> None:
    assert RunOptions(seed=0, limit=1, batch_tokens=1).seed == 0
    assert RunOptions(seed=np.int64(2**32 - 1)).seed == 2**32 - 1
    assert [VerifyOptions(margin=share).margin for share in (0, 1, np.float32(0.5))] == [0, 1, 0.5]


def test_texts_become_what_the_command_line_makes_of_them() -> None:
    made = VerifyOptions(
        benchmarks="genbiaseval:part=dev,split=profession,facts", capability="facts", out="x"
    )
    assert made.benchmarks == ("genbiaseval:part=dev,split=profession", "facts")
    assert made.capability == ("facts",)
    assert made.out == Path("x")
    assert VerifyOptions(benchmarks=("a,b", "b")).benchmarks == ("a", "b")


def test_keywords_stand_beside_a_record() -> None:
    record = RunOptions(limit=5, out=Path("x"))
    assert combined(RunOptions, record, {"seed": 1}, MeasureKeywords) == RunOptions(1, 5, Path("x"))
    assert combined(RunOptions, record, {"limit": 5, "out": "x"}, MeasureKeywords) == record
    assert combined(RunOptions, None, {"limit": 5}, MeasureKeywords) == RunOptions(limit=5)
    with pytest.raises(UsageError, match="limit=5, and the keyword says limit=6"):
        combined(RunOptions, record, {"limit": 6}, MeasureKeywords)


def test_an_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'limit'"):
        evenhand.measure(NOWHERE, "facts", limt=5)  # type: ignore[call-arg]
    with pytest.raises(UnknownName, match="keyword named 'margin'"):
        evenhand.locate(NOWHERE, "bmi", margin=0.1)  # type: ignore[call-arg]  # it would change nothing


def test_the_keywords_are_the_fields() -> None:
    def names(kind: type) -> set[str]:
        return set(kind.__annotations__)

    fields = set(VerifyOptions.__dataclass_fields__)
    assert names(VerifyKeywords) == fields
    assert names(MeasureKeywords) == set(RunOptions.__dataclass_fields__)
    for kind in (LocateKeywords, MitigateKeywords, PlanKeywords):
        assert names(kind) < fields


def test_a_wrong_locator_does_not_wait_for_the_model() -> None:
    for ask in (
        lambda: evenhand.verify(NOWHERE, "lftf", locator="bmy"),
        lambda: evenhand.mitigate(NOWHERE, "lftf", "treated", locator="bmy"),
    ):
        with pytest.raises(UnknownName, match="'bmi'"):
            ask()
