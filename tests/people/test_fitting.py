"""A model that cannot be asked is refused before it is asked, with what would fit."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.errors import BadModel
from evenhand.people.fitting import check
from evenhand.scoring.tokens import Encoder
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model
from tests.support.crowd import TASK

# The tiny tokenizer knows these words; its window is 64.
SHORT = dataclasses.replace(TASK, template="The {sex} {job} was{town}", labels=(" left", " smiled"))
QUERY = "The she nurse was late because"
BLOCK = "The he nurse was tired because left"


def tokens(text: str) -> int:
    from evenhand.records import Continuation

    (encoded,) = Encoder(model("gpt2").tokenizer).encode([Continuation(text, " left")])
    return len(encoded.ids)


def test_the_message_says_how_many_demonstrations_fit() -> None:
    fit = max(s for s in range(40) if tokens(SHORT.prompt([BLOCK] * s, QUERY)) <= 64)
    assert 2 <= fit < 20
    check(model("gpt2"), SHORT, [BLOCK] * fit, [QUERY])
    with pytest.raises(BadModel) as found:
        check(model("gpt2"), SHORT, [BLOCK] * (fit + 1), [QUERY])
    assert f"{fit + 1} demonstrations" in found.value.what
    assert f"window of 64 of {model('gpt2').spec.uri}: {fit} demonstrations fit" in found.value.what
    assert found.value.mend == f"Write shots={fit}."


def test_a_person_longer_than_the_window_is_told() -> None:
    with pytest.raises(BadModel, match="not even one person without demonstrations fits"):
        check(model("gpt2"), SHORT, [BLOCK], [" ".join([QUERY] * 30)])


@pytest.mark.parametrize("labels", [(" xqa", " xqb"), (" ba", " bb")])
def test_label_words_that_share_their_first_token_are_refused(labels: tuple[str, str]) -> None:
    task = dataclasses.replace(SHORT, labels=labels)
    with pytest.raises(BadModel, match="begin with the same token") as found:
        check(model("gpt2"), task, [], [QUERY])
    assert "labels=no|yes" in (found.value.mend or "")
    with pytest.raises(BadModel, match=r"labels=0\|1"):
        check(model("gpt2"), dataclasses.replace(SHORT, labels=(" no", " yes")), [], [QUERY])


def test_a_model_without_a_tokenizer_is_not_looked_at() -> None:
    check(ScriptedModel(lambda item: 0.5), dataclasses.replace(SHORT, labels=(" xa", " xb")), [], [QUERY])
