"""What a verb opens it closes: after it, and after an error in it, no treatment is left on the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand import opening
from evenhand.mitigations._adversarial.prompts import transfer
from evenhand.models.digests import weights_digest
from evenhand.studies.verbs import locate, measure, mitigate, verify
from evenhand.testing import tiny
from evenhand.testing.examples import people

Opened = list[Any]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with a treatment of its weights on."""
    folder = tmp_path_factory.mktemp("model")
    tiny.module("llama", max_position_embeddings=256).save_pretrained(folder / "base")
    tiny.tokenizer().save_pretrained(folder / "base")
    mitigate(f"hf:{folder}/base", "lftf:epochs=1,batch=256", folder / "treated")
    return f"hf:{folder}/base+{folder}/treated"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Every model that is opened, in order."""
    real, found = opening.open_model, []

    def noted(uri: str, **options: Any) -> Any:
        found.append(real(uri, **options))
        return found[-1]

    monkeypatch.setattr(opening, "open_model", noted)
    return found


def bare(uri: str) -> str:
    return weights_digest(opening.open_model(uri.partition("+")[0]).module)  # type: ignore[attr-defined]


VERBS: dict[str, Callable[[str, Path], object]] = {
    "measure": lambda uri, out: measure(uri, "genbiaseval", limit=2),
    "measure --out": lambda uri, out: measure(uri, "genbiaseval", limit=2, out=out),
    "locate": lambda uri, out: locate(uri, "random"),
    "mitigate": lambda uri, out: mitigate(uri, "prompt", out),
    "verify": lambda uri, out: verify(uri, "prompt", limit=2, control="none", out=out),
    "transfer": lambda uri, out: transfer([uri], people(labels=(" no", " yes")), []),
}


@pytest.mark.parametrize("verb", VERBS)
def test_after_a_verb_nothing_is_left_on_the_model(
    verb: str, uri: str, models: Opened, tmp_path: Path
) -> None:
    VERBS[verb](uri, tmp_path / "out")
    (model,) = models
    assert "+" in model.spec.uri
    assert weights_digest(model.module) == bare(uri)


@pytest.mark.parametrize("verb", VERBS)
def test_after_an_error_neither(
    verb: str, uri: str, models: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    for place in ("verbs.take", "cells.take", "verbs.locate_in", "verbs.sites_for", "verbs.Study"):
        monkeypatch.setattr(f"evenhand.studies.{place}", fails)
    monkeypatch.setattr("evenhand.mitigations._adversarial.prompts.score", fails)
    with pytest.raises(RuntimeError, match="in the middle"):
        VERBS[verb](uri, tmp_path / "out")
    (model,) = models
    assert weights_digest(model.module) == bare(uri)


def test_a_model_that_was_handed_in_stays_open(uri: str) -> None:
    with opening.opened(uri) as model:
        transfer({"own": model}, people(labels=(" no", " yes")), [])
        assert weights_digest(model.module) != bare(uri)  # type: ignore[attr-defined]
