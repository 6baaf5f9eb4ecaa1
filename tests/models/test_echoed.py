"""Scores from echoed prompts: aligned by bytes, left out where that is open, refused where they cannot be."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from evenhand.errors import BadModel
from evenhand.models import echoed
from evenhand.records import Continuation, LogProb, Undefined

U = "\ufffd"
ITEM = Continuation("In the café the", " waiter “smiled”")
SERVER = "http://here"


def answer(tokens: Sequence[str], values: Sequence[float | None] | None = None) -> dict[str, Any]:
    given = [None, *(-1.0 - 0.25 * i for i in range(1, len(tokens)))] if values is None else list(values)
    return {"choices": [{"logprobs": {"tokens": list(tokens), "token_logprobs": given}}]}


def scored(tokens: Sequence[str], item: Continuation = ITEM) -> LogProb | Undefined:
    other = Continuation("It is", " so")
    found = echoed.scores([item, other], [answer(tokens), answer(["It", " is", " so", "."])], SERVER)
    assert found[1] == LogProb(-1.5, 1)  # what becomes of one item changes no other
    return found[0]


BYTES = ["In the", " caf", "bytes:\\xc3", "bytes:\\xa9", " the", " waiter"]


@pytest.mark.parametrize(
    ("tokens", "pieces"),
    [
        ([*BYTES, " “", "smiled", "”", "."], 4),
        ([*BYTES, "bytes: \\xe2", "bytes:\\x80\\x9c", "smiled", "”", "."], 5),
        (["In the", " caf", U, U, " the", " waiter", f" {U}", U, "smiled", U, U, "."], 6),
        (["In the", " caf", "", "é", " the", " waiter", " ", "", "“", "smiled", "”", "."], 6),
    ],
)
def test_parts_of_characters_are_aligned(tokens, pieces):
    first = tokens.index(" waiter")
    expected = math.fsum(-1.0 - 0.25 * i for i in range(first, first + pieces))
    assert scored(tokens) == LogProb(pytest.approx(expected), pieces)


@pytest.mark.parametrize(
    "tokens",
    [
        ["In the", " cafe", " the", " waiter", " “", "smiled", "”", "."],  # another text
        ["In the", " caf", U, " the", " waiter", " “", "smiled", "”", "."],  # half a character is missing
    ],
)
def test_what_cannot_be_aligned_is_left_out_with_its_reason(tokens):
    assert scored(tokens) == Undefined(echoed.UNALIGNED)


def test_a_boundary_that_is_open_leaves_the_item_out():
    item = Continuation("a“", "”b")
    # Six bytes in five parts: which of them are the context's cannot be told.
    assert scored(["a", U, U, U, U, U, "b", "."], item) == Undefined(echoed.UNALIGNED)
    assert isinstance(scored(["a", U, U, U, U, U, U, "b", "."], item), LogProb)


def test_a_plain_text_that_is_not_echoed_ends_the_run_still():
    with pytest.raises(BadModel, match="do not spell the prompt"):
        scored(["It", " was", " so", "."], Continuation("It is", " so"))


def test_a_prompt_without_an_answer_stays_without_one():
    refused = Undefined("content_filter")
    assert echoed.scores([ITEM], [refused], SERVER) == [refused]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([None, 0.0, 0.0, 0.0], "all 3 values are 0"),
        ([None, -1.0, -2.0, -9999.0], "-9999, a placeholder"),
        ([None, -1.0, -2.0, -1e9], "a placeholder"),
    ],
)
def test_values_that_cannot_be_end_the_run(values, why):
    items = [Continuation("It", " is so it")]
    with pytest.raises(BadModel, match=f"cannot be used: .*{why}"):
        echoed.scores(items, [answer(["It", " is", " so", " it"], values)], SERVER)


def test_zeros_everywhere_are_not_the_ideal():
    from evenhand.benchmarks.genbiaseval import GenBiasEval
    from evenhand.studies.measure import take
    from evenhand.testing.scripted import ScriptedModel

    class Zeros(ScriptedModel):
        def answer(self, items: Sequence[Any]) -> list[Any]:
            rows = [answer([item.context, item.text, "."], [None, 0.0, -1.0]) for item in items]
            return list(echoed.scores(items, rows, SERVER))

    with pytest.raises(BadModel, match="all 12 values are 0"):
        take(Zeros(lambda item: 1.0), GenBiasEval(), limit=4)


def tops(base: float, seed: int = 0, places: int = 20, alternatives: int = 5) -> list[dict[str, float]]:
    """The likeliest tokens at some places, as language models have them: few of them hold nearly all."""
    rng = random.Random(seed)
    found = []
    for _ in range(places):
        weights = [rng.random() ** rng.choice([1, 6]) / (i + 1) ** 2 for i in range(50)]
        shares = sorted((w / sum(weights) for w in weights), reverse=True)[:alternatives]
        found.append({str(i): math.log(p, base) for i, p in enumerate(shares)})
    return found


@pytest.mark.parametrize("seed", range(20))
def test_logarithms_to_base_two_give_themselves_away(seed):
    echoed._check_base(tops(math.e, seed))
    with pytest.raises(echoed.Untrusted, match="base 2"):
        echoed._check_base(tops(2, seed))


def test_without_alternatives_no_base_is_claimed():
    echoed._check_base(tops(2, alternatives=1))
    echoed._check_base([{str(i): math.log(p) for i, p in enumerate([0.9999, 5e-5, 3e-5, 2e-5])}] * 20)


def test_two_values_of_one_token_name_the_base():
    assert "base 2" in echoed._base_of(-1.0 * math.log2(math.e), -1.0)
    assert "base 10" in echoed._base_of(-1.0, -1.0 * math.log10(math.e))
    assert echoed._base_of(-1.0, -2.0) == echoed._base_of(None, -2.0) == echoed._base_of(0.0, -1.0) == ""


def begun(*firsts: tuple[str, float | None]) -> list[LogProb | Undefined]:
    """Texts without a context whose first tokens have these values."""
    items = [Continuation("", f"{word} left {'.' * i}") for i, (word, _) in enumerate(firsts)]
    tables = [
        answer([word, " left", " " + "." * i], [value, -1.0 - i, -2.5 - i])
        for i, (word, value) in enumerate(firsts)
    ]
    return echoed.scores(items, tables, SERVER)


def test_the_first_tokens_value_counts_where_it_can_be_one():
    assert begun(("She", -2.0), ("He", -3.0), ("She", -2.05))[0] == LogProb(-5.5, 3)


@pytest.mark.parametrize("value", [None, 0.0, -0.0, 0])
def test_a_first_token_without_a_value_or_with_a_stand_in_scores_no_text(value):
    with pytest.raises(BadModel, match="gives no probability of a text's first token"):
        begun(("She", value), ("He", -3.0))


@pytest.mark.parametrize(
    ("firsts", "why"),
    [
        (
            (("She", -1.5), ("He", -1.5), ("They", -1.5)),
            "3 different first tokens of texts have the same",
        ),
        (
            (("She", -1.5), ("He", -2.5), ("She", -2.5)),
            "the first token 'She' has −2.500 in one text and −1.500",
        ),
        ((("She", -0.2), ("He", -0.3)), "the probabilities of the first tokens of texts sum to more"),
    ],
)
def test_first_tokens_that_are_no_distribution_are_refused(firsts, why):
    with pytest.raises(BadModel, match=why):
        begun(*firsts)
