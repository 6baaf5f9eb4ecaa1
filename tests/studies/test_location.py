"""Where a method works is asked of models whose blocks can be read, and of prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand import registry
from evenhand.errors import BadModel
from evenhand.studies.verbs import VerifyOptions, locate
from evenhand.testing.laboratory import genbiaseval, opened
from tests.support import families

LOCATORS = ("bmi", "gradient", "ablation", "random")


@pytest.mark.parametrize("locator", LOCATORS)
@pytest.mark.parametrize(("uri", "blocks"), [("lab:masked", 2), ("lab:seq2seq", 3)])
def test_every_locator_scores_the_blocks_of_every_family(uri: str, blocks: int, locator: str) -> None:
    """An encoder of two blocks and a decoder of one have three; the specific ones claim the planted gap."""
    made = registry.create("locator", locator)
    found = made.locate(opened(uri), genbiaseval()[1][::6], None, seed=0)
    assert [score.site for score in found.scores] == [f"block.{i}" for i in range(blocks)]
    assert found.claims is made.specific
    again = made.locate(opened(uri), genbiaseval()[1][::6][::-1], None, seed=0)
    assert [s.value for s in again.scores] == pytest.approx([s.value for s in found.scores], rel=1e-4)


@pytest.mark.slow  # trains two models of the lab that nothing else needs
@pytest.mark.parametrize("locator", ["gradient", "ablation"])
@pytest.mark.parametrize("uri", ["lab:masked?planted=none", "lab:seq2seq?planted=none"])
def test_nothing_is_claimed_of_the_unbiased_control_of_another_family(uri: str, locator: str) -> None:
    made = registry.create("locator", locator)
    assert not made.locate(opened(uri), genbiaseval()[1][::6], None, seed=0).claims


def test_blocks_that_are_not_known_are_said_so(tmp_path: Path) -> None:
    """ALBERT's layers share their weights, so that there are no blocks to rank."""
    families.module("albert").save_pretrained(tmp_path)
    families.tokenizer_of("albert").save_pretrained(tmp_path)
    with pytest.raises(BadModel, match="'albert' has no layout"):
        locate(f"hf:{tmp_path}", "random", VerifyOptions())
