"""Contrastive BMI: turns of the difference by hand, where the ordinary BMI sees nothing or all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.hooks import patch
from evenhand.locators.bmi import Bmi
from evenhand.locators.contrastive_bmi import ContrastiveBmi, _distances, hinted, one_a_subject
from evenhand.records import Attribution, Example
from evenhand.testing.cases import LocatorCase
from evenhand.testing.examples import PROFESSIONS, examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny

CASE = LocatorCase(
    "contrastive_bmi",
    no_lab="it shows where a stated group is worked on, and the lab's bias guesses an unstated one",
)


def _with(block: Callable[[Tensor, Tensor], Tensor], **options: object) -> Attribution:
    model = tiny("llama")
    with patch(model, "block.1", block):
        return ContrastiveBmi(**options).locate(model, examples(), None, seed=0)  # type: ignore[arg-type]


def test_the_hints_are_possessives_or_the_groups_words() -> None:
    nurse = examples()[0]
    assert hinted(nurse) == ("The nurse took his coat and", "The nurse took her coat and")
    named = Example(
        "n", "n", "The nurse who smiled is", ("a", "b"), ((" Old",), (" Young", " young")), span=(4, 9)
    )
    assert hinted(named) == ("The Old nurse who smiled is", "The Young nurse who smiled is")
    assert [e.cluster for e in one_a_subject(examples())] == sorted(PROFESSIONS, key=len)


def test_what_both_prompts_get_alike_is_no_contrast() -> None:
    """A block that adds the same to every state turns the states, but not their difference.

    1 - cos(D, D) = 0, where BMI, which knows no difference, is large: the neighbour fails here.
    """

    def same(_: Tensor, given: Tensor) -> Tensor:
        changed = given.clone()
        changed[..., 0] += 1000.0
        return changed

    found = _with(same)
    assert found.scores[1].value == pytest.approx(0.0, abs=1e-6)
    model = tiny("llama")
    with patch(model, "block.1", same):
        plain = Bmi(agg="row_mean").locate(model, examples(), seed=0)
    assert plain.scores[1].value > 0.5
    assert plain.top == "block.1"


def test_turns_of_the_difference_by_hand() -> None:
    # -D has cos -1: 2 for every row; 3 D has cos 1: 0. Swapping the halves of the first two coordinates of
    # D = (a, b, rest 0) to (-b, a): cos 0, so 1.
    assert _with(lambda _, given: -given).scores[1].value == pytest.approx(2.0)
    assert _with(lambda _, given: 3 * given).scores[1].value == pytest.approx(0.0, abs=1e-9)
    model = tiny("llama")

    def flat(_: Tensor, given: Tensor) -> Tensor:
        changed = 0 * given
        changed[..., :2] = given[..., :2]
        return changed

    def quarter(_: Tensor, given: Tensor) -> Tensor:
        changed = 0 * given
        changed[..., 0], changed[..., 1] = -given[..., 1], given[..., 0]
        return changed

    with patch(model, "block.0", flat), patch(model, "block.1", quarter):
        found = ContrastiveBmi().locate(model, examples(), None, seed=0)
    assert found.scores[1].value == pytest.approx(1 - math.cos(math.pi / 2))


def test_rows_before_the_hint_do_not_count() -> None:
    """The rows from "his" and "her" on, as many as the shorter has; without the hint one less."""
    model = tiny("llama")
    start = len(model.tokenizer("The nurse took").input_ids)
    ends = [len(model.tokenizer(text).input_ids) - start for text in hinted(examples()[0])]
    rows = _distances(model, examples()[:1], drop_hint=False)["block.1"]
    assert [len(row) for row in rows] == [min(ends)]
    dropped = _distances(model, examples()[:1], drop_hint=True)["block.1"]
    assert dropped[0] == pytest.approx(rows[0][1:])


def test_it_looks_at_the_attribute_and_claims_no_block() -> None:
    found = _with(lambda _, given: -given)
    assert found.specific
    assert not found.claims
    assert "not where an unstated one is guessed" in found.reading
    assert found.details["example"] == ["The nurse took his coat and", "The nurse took her coat and"]
    assert found.details["last_row"][0] is None  # before block 0 the last words are the same


@pytest.mark.parametrize("kind", PROMISED)
def test_it_reads_every_architecture(kind: str) -> None:
    found = ContrastiveBmi().locate(tiny(kind), examples(), None, seed=0)
    assert all(0 < s.value <= 2 for s in found.scores)


def test_groups_that_cannot_be_told_apart_are_refused() -> None:
    same = tuple(dataclasses.replace(e, groups=("a", "b"), terms=((" he",), (" he",))) for e in examples())
    with pytest.raises(BadModel, match=r"undefined at block\.0: stating a group changes no state"):
        ContrastiveBmi().locate(tiny("llama"), same, None, seed=0)
    lost = (dataclasses.replace(examples()[0], span=None),)
    with pytest.raises(BadData, match="does not say where its subject stands"):
        ContrastiveBmi().locate(tiny("llama"), lost, None, seed=0)
