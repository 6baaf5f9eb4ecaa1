"""Log-probabilities that cannot be are refused with an example; those of a model are not."""

from __future__ import annotations

import math
import random

import pytest

from evenhand.errors import BadModel
from evenhand.models import plausible
from evenhand.records import Continuation, LogProb
from evenhand.testing import tiny


def answers(*values: float) -> list[tuple[Continuation, LogProb]]:
    """One text after each of as many contexts as there are values."""
    return [(Continuation(f"context {i}", " it"), LogProb(v, 1)) for i, v in enumerate(values)]


def rivals(rows: list[dict[str, float]], kind: str = "true") -> list[tuple[Continuation, LogProb]]:
    return [
        (Continuation(f"context {i}", text), LogProb(value, 1, kind))  # type: ignore[arg-type]
        for i, row in enumerate(rows)
        for text, value in row.items()
    ]


def drawn(n: int, seed: int = 0) -> list[float]:
    rng = random.Random(seed)
    return [-rng.uniform(0.5, 9) for _ in range(n)]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answers(-1.0, 0.5), "above 0"),
        (answers(-1.0, math.nan), "is nan"),
        (answers(-1.0, math.inf), "is inf"),
        (answers(0.0, 0.0, 0.0), "all 3 values are 0"),
        (answers(-0.0, 0.0, -0.0), "all 3 values are"),
        (answers(*[-2.5] * 8), r"all 8 values are -2\.5"),
        (answers(-9999.0, -1.25, -3.5), "far less than any model gives"),
        (answers(-10001.3, -1.25), "far less than any model gives"),
        (answers(-1e9, -1.25), "far less than any model gives"),
        (answers(*drawn(20), -100.0, -100.0), "2 of 22 values are exactly -100"),
        (rivals([{" he": -0.1, " she": -0.1}]), r"sum to 1\.81, above 1"),
        (rivals([{" he": 0.0, " she": 0.0}]), "sum to 2, above 1"),
        (rivals([{" he": -0.63, " she": -0.65}, {" he": -0.63, " she": -0.64}]), "above 1"),
    ],
)
def test_what_cannot_be_is_refused(given, why):
    with pytest.raises(BadModel, match=f"of the file cannot be used: .*{why}"):
        plausible.check(given, "the file")


def test_a_stand_in_in_a_long_text_is_seen_as_well():
    long = Continuation("context", " word" * 200)
    with pytest.raises(BadModel, match="exactly -9999, a placeholder"):
        plausible.check([(long, LogProb(-9999.0, 200)), *answers(-1.25)], "the file")


@pytest.mark.parametrize(
    "given",
    [
        [],
        answers(0.0),
        answers(0.0, 0.0, -1e-9),
        answers(*[-2.5] * 7),
        answers(*[-2.5] * 8, -2.6),
        answers(*drawn(50)),
        answers(-1.0, -math.inf),
        answers(-1.0, -2.0, -100.0, -100.0),  # whole numbers throughout
        answers(*drawn(20), -100.0),  # once, by chance
        answers(1e-6, -1.0),  # rounding
        rivals([{" he": -0.7, " she": -0.7}] * 3),  # rounded to a decimal
        rivals([{" he": -0.1, " hers": -0.2, " her": -0.15}]),  # each begins the next
        rivals([{" He": -0.2, " he": -0.2}]),  # one text for a tokenizer of small letters
        rivals([{" he": -0.1, " she": -0.1}], kind="pseudo"),  # these need not sum to 1
    ],
)
def test_what_can_be_passes(given):
    plausible.check(given, "the file")


def test_a_text_counts_once_where_others_begin_with_it():
    # "he" holds "her" and "here": at most 0.6 together with them, and "she" beside it.
    row = {" he": math.log(0.6), " her": math.log(0.3), " here": math.log(0.2), " she": math.log(0.39)}
    plausible.check(rivals([row]), "the file")
    # "her" and "hen" are rivals inside "he", and more than it.
    inside = {" he": math.log(0.3), " her": math.log(0.5), " hen": math.log(0.4), " she": math.log(0.3)}
    with pytest.raises(BadModel, match=r"sum to 1\.2, above 1, after"):
        plausible.check(rivals([inside]), "the file")


@pytest.mark.parametrize(("base", "refused"), [(math.e, False), (2, True), (10, True)])
def test_options_that_share_all_probability_tell_the_base(base, refused):
    rng = random.Random(1)
    shares = [rng.uniform(0.1, 0.9) for _ in range(12)]
    # Base 10 makes sums above 1; of base 2 only the sum of powers tells.
    rows = [{" yes": math.log(p, base), " no": math.log(1 - p, base)} for p in shares]
    if refused:
        with pytest.raises(BadModel, match=r"base 2|above 1"):
            plausible.check(rivals(rows), "the file")
    else:
        plausible.check(rivals(rows), "the file")


def test_tokens_are_looked_at_one_by_one():
    rows = [(f"text {i}", drawn(3, seed=i)) for i in range(5)]
    plausible.check_tokens(rows, "the server")
    with pytest.raises(BadModel, match=r"2 of 17 values are exactly -100, .* token 1 of 'more'"):
        plausible.check_tokens([*rows, ("more", [-100.0, -100.0])], "the server")
    with pytest.raises(BadModel, match="all 6 values are 0"):
        plausible.check_tokens([("a", [0.0] * 3), ("b", [0.0] * 3)], "the server")
    assert plausible.impossible_token(-9999.0) is not None
    assert plausible.impossible_token(-99.5) is None


def test_requests_that_look_alike_are_not_one():
    long = "x" * 100  # what is shown of a context is its end
    given = [(Continuation(f"{i} {long}", " it"), LogProb(-1.0 - i % 2, 1)) for i in range(20)]
    plausible.check(given, "the file")


def test_a_models_own_pass():
    model = tiny.model("llama")
    items = [
        Continuation(context, text)
        for context in ("The nurse smiled because", "The doctor", "The keys on the table")
        for text in (" he", " she", " the doctor was late", " because", " her")
    ]
    plausible.check(zip(items, model.answer(items), strict=True), "the model")
