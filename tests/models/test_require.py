"""What is advised to a user whose model cannot do something is possible with that model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from evenhand.errors import BadModel
from evenhand.models import require
from evenhand.records import Ability


@pytest.mark.parametrize(
    ("family", "can", "prompted"),
    [
        ("encoder", {Ability.HIDDEN}, False),
        ("masked", {Ability.LOGPROBS, Ability.CLOZE, Ability.HIDDEN}, True),
        ("causal", {Ability.LOGPROBS}, True),
    ],
)
def test_a_prompt_is_advised_only_where_it_works(family: str, can: set[Ability], prompted: bool) -> None:
    model = cast(Any, SimpleNamespace(spec=SimpleNamespace(uri="hf:x", family=family), can=frozenset(can)))
    with pytest.raises(BadModel) as caught:
        require(model, frozenset({Ability.WEIGHTS}), of="lftf", instead="--with prompt")
    assert ("--with prompt" in caught.value.mend) is prompted
