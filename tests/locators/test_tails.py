"""Locators that run only the ends of prompts again: the scores of whole rows with a part of the tokens."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.architectures.table import ROWS as TABLE
from evenhand.hooks import patch
from evenhand.locators import _probing, ablation, gradient
from evenhand.locators._tails import Tails, tails_of
from evenhand.locators.ablation import Ablation
from evenhand.locators.gradient import Gradient
from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring import kept, tails
from evenhand.scoring.terms import Prompts
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from tests.support.counting import tokens_by_block

pytestmark = pytest.mark.filterwarnings("ignore")

KINDS = (*tiny.CONFIGS, *tiny.FURTHER)
# Several forms and terms of several tokens: a prompt is read at several places.
LONG = tuple(
    Example(e.id, e.cluster, e.context, e.groups, ((" he", " xylophones"), (" she", " xenon", " they were")))
    for e in examples()
)
LOCATORS = (Ablation(), Ablation(replace="zero"), Gradient())


@pytest.mark.parametrize("kind", KINDS)
def test_the_scores_are_those_of_whole_rows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model(kind)
    assert (tails_of(model, LONG) is not None) == TABLE[kind].shares
    monkeypatch.setattr(tails, "ROOM", 60)  # several trees
    short = [locator.locate(model, LONG, seed=0) for locator in LOCATORS]
    for module in (ablation, gradient):
        monkeypatch.setattr(module, "tails_of", lambda model, probes: None)
    for locator, found in zip(LOCATORS, short, strict=True):
        whole = locator.locate(model, LONG, seed=0)
        size = max(abs(s.value) for s in whole.scores)
        assert [s.value for s in found.scores] == pytest.approx(
            [s.value for s in whole.scores], abs=2e-4 * max(size, 0.05)
        )
        assert found.details["outcome"] == pytest.approx(whole.details["outcome"], abs=1e-5)


def _sizes(model: OpenModel) -> tuple[int, int]:
    """Distinct beginnings of all prompts, and the distinct prompts: the early tokens and the late ones."""
    prompts = Prompts(model, examples())
    whole = {prompts.opening(i).ids for i in range(len(prompts))}
    return len({ids[:n] for ids in whole for n in range(1, len(ids))}), len(whole)


def test_ablation_begins_at_its_block_and_runs_the_last_tokens_only() -> None:
    """Early tokens once. Late ones: once for the means, once for the states, then above each block."""
    model = tiny.model("llama")
    assert tails_of(model, examples()) is not None  # the test of the method is not counted
    early, late = _sizes(model)
    with tokens_by_block(model) as tokens:
        Ablation().locate(model, examples(), seed=0)
    assert tokens == [early + 2 * late, early + 3 * late, early + 4 * late]


def test_gradient_runs_every_token_once() -> None:
    model = tiny.model("llama")
    assert tails_of(model, examples()) is not None
    early, late = _sizes(model)
    with tokens_by_block(model) as tokens:
        Gradient().locate(model, examples(), seed=0)
    assert tokens == [early + late] * 3


def test_what_does_not_fit_into_memory_runs_again_and_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model("llama")
    kept_once = Ablation().locate(model, examples(), seed=0)
    monkeypatch.setattr(kept, "MEMORY", 0)
    early, late = _sizes(model)
    with tokens_by_block(model) as tokens:
        again = Ablation().locate(model, examples(), seed=0)
    assert tokens[0] == 2 * early + 2 * late
    assert again == kept_once


def test_portions_hold_every_prompt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = Prompts(tiny.model("llama"), LONG)
    cut = list(tails.portions(prompts, room=40))
    assert sorted(i for portion in cut for i in portion) == list(range(16))
    assert len(cut) > 1
    assert len(list(tails.portions(prompts, room=10_000))) == 1


@pytest.mark.parametrize("context", ["The", "The nurse smiled", "The nurse smiled because she"])
def test_a_prompt_within_another_runs_as_whole_rows(context: str) -> None:
    """Changing the end of the shorter one would change the middle of the longer one."""
    model = tiny.model("llama")
    first = examples()[0]
    longer = Example("long", "c", context, first.groups, first.terms)
    shorter = Example("short", "c", "The nurse", first.groups, first.terms)
    assert tails_of(model, (shorter, longer)) is None


def test_hooks_and_failed_tests_run_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model("llama")
    with patch(model, "block.0", lambda output, given: output):
        assert tails_of(model, examples()) is None
    assert isinstance(tails_of(model, examples()), Tails)
    monkeypatch.setattr("evenhand.scoring.restarting.limit", lambda module: -1.0)
    assert tails_of(tiny.model("llama"), examples()) is None


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_every_copy_of_a_prompt_counts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where each probe has a pass of its own, though copies in one pass share their places."""
    model = tiny.model(kind)
    copies = [dataclasses.replace(LONG[0], id=f"copy {i}") for i in range(12)]
    probes = [*LONG, *copies]
    assert (tails_of(model, probes) is not None) == (kind == "llama")
    found = [locator.locate(model, probes, seed=0) for locator in LOCATORS]
    for module in (ablation, gradient):
        monkeypatch.setattr(module, "tails_of", lambda model, probes: None)
    monkeypatch.setattr(_probing, "batches", lambda probes: ([probe] for probe in _probing.ordered(probes)))
    for locator, together in zip(LOCATORS, found, strict=True):
        singly = locator.locate(model, probes, seed=0)
        values = [[site.value for site in each.scores] for each in (together, singly)]
        assert values[0] == pytest.approx(values[1], abs=1e-5)
