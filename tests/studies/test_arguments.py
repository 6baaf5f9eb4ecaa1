"""What is no name, no folder, no run and no condition is refused in a sentence, before any work."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import pytest

import evenhand
from evenhand.errors import UnknownName, UsageError
from evenhand.opening import open_model

verbs = cast(Any, evenhand)

WRONG: list[tuple[str, Callable[[], object]]] = [
    ("None is not the name of a model", lambda: verbs.measure(None)),
    ("is not the name of a model", lambda: verbs.measure(b"lab:causal")),
    ("5 is not the name of a component", lambda: verbs.measure("lab:causal", 5)),
    ("None is not the name of a component", lambda: verbs.measure("lab:causal", [None])),
    ("b'facts' is not the name of a component", lambda: verbs.measure("lab:causal", b"facts")),
    ("out=5 is not a folder", lambda: verbs.measure("lab:causal", "facts", out=5)),
    ("out='' is not a folder", lambda: verbs.measure("lab:causal", "facts", out="")),
    ("by=5 names no slices", lambda: verbs.measure("lab:causal", "facts", by=5)),
    ("dtype=5 is not valid", lambda: verbs.measure("lab:causal", "facts", dtype=5)),
    ("5 are not the options", lambda: verbs.measure("lab:causal", "facts", 5)),
    ("None is not the name of a component", lambda: verbs.verify("lab:causal", None)),
    ("None is not the name of a model", lambda: verbs.verify(None, "lftf")),
    ("None is not the name of a model", lambda: verbs.locate(None)),
    ("5 is not the name of a component", lambda: verbs.locate("lab:causal", 5)),
    ("None is not the name of a model", lambda: verbs.mitigate(None, "lftf", "x")),
    ("out=5 is not a folder", lambda: verbs.mitigate("lab:causal", "lftf", 5)),
    ("None is not the name of a model", lambda: verbs.plan(None)),
    ("None is not the name of a model", lambda: verbs.open_model(None)),
    ("None holds no condition", lambda: verbs.gate("kept", None)),
    (re.escape("[] holds no condition"), lambda: verbs.gate("kept", [])),
    ("holds no condition", lambda: verbs.gate("kept", [None])),
    ("5 is not a run", lambda: verbs.gate(5, "a<1")),
    ("1 is not a run", lambda: verbs.compare(1, 2)),
    ("is not a run", lambda: verbs.compare(b"kept", "kept")),
]


@pytest.mark.parametrize(("said", "call"), WRONG)
def test_wrong_types_get_a_sentence(said: str, call: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match=said):
        call()


def test_a_misspelt_keyword_is_told_of_all_of_them() -> None:
    with pytest.raises(UnknownName, match="These exist: batch_tokens, by, ") as caught:
        verbs.measure("lab:causal", "facts", sed=1)
    assert "seed" in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("lab", "scheme without a model. Write lab:causal"),
        ("openai", "Write openai:http"),
        ("lab:", "names no model. Write lab:causal"),
        ("lab:causal+", "there is nothing after the last plus sign"),
    ],
)
def test_half_a_name_of_a_model_is_told_the_other_half(uri: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        open_model(uri)
