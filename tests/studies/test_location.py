"""Where a method works is asked of models whose blocks can be read, and of prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadModel
from evenhand.studies.verbs import VerifyOptions, locate
from tests.support import families


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_what_locate_says_of_the_other_families_is_true(kind: str, tmp_path: Path) -> None:
    families.module(kind).save_pretrained(tmp_path)
    families.tokenizer_of(kind).save_pretrained(tmp_path)
    for locator in ("bmi", "random"):
        with pytest.raises(BadModel, match="locators read the blocks of causal models only") as caught:
            locate(f"hf:{tmp_path}", locator, VerifyOptions())
        assert f"is a {'masked' if kind == 'bert' else 'seq2seq'} model" in caught.value.what
        assert f"evenhand verify hf:{tmp_path} --with prompt" in caught.value.mend
