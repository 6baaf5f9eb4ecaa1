"""Contracts of locators: a repeatable score a block, true claims, and the right block on the lab's model."""

from __future__ import annotations

import math
from typing import cast

from evenhand.locators import Locator
from evenhand.records import Ability, Attribution, Example
from evenhand.testing.contracts import Contract, NotTried, Subject, expect, expect_near
from evenhand.testing.examples import one_of_each
from evenhand.testing.laboratory import genbiaseval, opened, small
from evenhand.testing.tiny import model as tiny


def _made(subject: Subject) -> Locator:
    return cast(Locator, small(subject).make())


def _on_tiny(subject: Subject, kind: str = "llama", *, seed: int = 0, turned: bool = False) -> Attribution:
    locator = _made(subject)
    probes = one_of_each()[locator.fits_on[0]]
    return locator.locate(tiny(kind), probes[::-1] if turned else probes, None, seed=seed)


def _on_lab(subject: Subject, uri: str) -> Attribution:
    locator = cast(Locator, subject.make())
    if Example not in locator.fits_on:
        raise NotTried("it probes with no prompts of the kind that the lab's gap is planted in")
    return locator.locate(opened(uri), genbiaseval()[1][::3], None, seed=0)


def _specific(subject: Subject) -> None:
    if not _made(subject).specific:
        raise NotTried("it does not look at the attribute")
    if subject.case is not None and subject.case.no_lab:
        raise NotTried(subject.case.no_lab)


def it_says_what_it_needs(subject: Subject) -> None:
    """It names abilities that exist, and the kinds of examples that it can probe with."""
    locator = _made(subject)
    expect(isinstance(locator, Locator), "it lacks one of specific, needs, fits_on, locate")
    expect(locator.needs <= frozenset(Ability), f"it needs {sorted(locator.needs)}")
    expect(locator.fits_on and set(locator.fits_on) <= set(one_of_each()), "its fits_on names no known kinds")


def one_finite_score_for_every_block_in_the_order_of_depth(subject: Subject) -> None:
    """Every block has one score, a number; the ranking names each block once."""
    blocks = list(tiny("gpt2").layout.blocks())
    found = _on_tiny(subject, "gpt2")
    expect([s.site for s in found.scores] == blocks, f"the blocks scored are not {blocks} in this order")
    expect(all(not math.isnan(s.value) for s in found.scores), "a score is NaN")
    expect(sorted(found.ranking()) == sorted(blocks), "the ranking does not name each block once")


def the_same_seed_gives_the_same_answer_and_leaves_the_model_alone(subject: Subject) -> None:
    """Twice the same seed gives the same attribution, and the weights keep their digest."""
    model = tiny("llama")
    before = model.spec.digest
    expect(_on_tiny(subject, seed=3) == _on_tiny(subject, seed=3), "the same seed gave another answer")
    model.refresh()
    expect(model.spec.digest == before, "the model's weights changed")


def the_order_of_the_prompts_does_not_matter(subject: Subject) -> None:
    """The same probes in the opposite order give the same scores."""
    first, second = _on_tiny(subject), _on_tiny(subject, turned=True)
    for one, other in zip(first.scores, second.scores, strict=True):
        expect_near(other.value, one.value, f"in another order the score of {one.site}", rel=1e-5)


def a_locator_that_does_not_look_at_the_attribute_claims_nothing(subject: Subject) -> None:
    """The attribution says whether it is specific and how to read it; where it is not, it claims nothing."""
    found = _on_tiny(subject)
    expect(found.specific is _made(subject).specific, "the attribution says otherwise about specific")
    expect(found.reading, "the attribution has no reading")
    expect(found.specific or not found.claims, "it is not specific, and claims a block")


def a_specific_one_ranks_the_planted_block_first(subject: Subject) -> None:
    """On the lab's model with the bias planted in block 2 it ranks block 2 first, and claims it."""
    _specific(subject)
    found = _on_lab(subject, "lab:causal?block=2")
    expect(found.top == "block.2", f"it ranks {found.top} first; the bias is in block.2")
    expect(found.claims, "it does not claim the planted block")


def nothing_is_claimed_on_the_unbiased_control(subject: Subject) -> None:
    """On the lab's model without a planted bias it claims nothing."""
    expect(not _on_lab(subject, "lab:causal?planted=none").claims, "it claims a block of the unbiased model")


def a_specific_one_ranks_every_planted_block_first(subject: Subject) -> None:
    """The same with the bias planted in each of the other blocks (slow: trains three models)."""
    _specific(subject)
    for block in (0, 1, 3):
        top = _on_lab(subject, f"lab:causal?block={block}").top
        expect(top == f"block.{block}", f"it ranks {top} first; the bias is in block.{block}")


CONTRACTS: tuple[Contract, ...] = (
    it_says_what_it_needs,
    one_finite_score_for_every_block_in_the_order_of_depth,
    the_same_seed_gives_the_same_answer_and_leaves_the_model_alone,
    the_order_of_the_prompts_does_not_matter,
    a_locator_that_does_not_look_at_the_attribute_claims_nothing,
    a_specific_one_ranks_the_planted_block_first,
    nothing_is_claimed_on_the_unbiased_control,
)
SLOW: tuple[Contract, ...] = (a_specific_one_ranks_every_planted_block_first,)
