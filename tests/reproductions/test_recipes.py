"""Recipes: their claims ask for treatments of their tables, and models that do not fit are refused."""

from __future__ import annotations

import pytest

from evenhand.errors import BadModel, UnknownName
from evenhand.records import ModelSpec, Verification
from evenhand.reproductions import RECIPES, Asked, prepared, recipe_of
from evenhand.reproductions.evidence import Evidence, Missing, Site
from evenhand.reproductions.judging import State
from evenhand.reproductions.preparing import _of

CAUSAL = ModelSpec("lab:causal", "d")
DECISIONS = ModelSpec("lab:decisions", "d")
LAB = {"lftf": CAUSAL, "faircon": DECISIONS, "uqac": CAUSAL}


class Asking(Evidence):
    """It has no figures, and keeps which treatments and benchmarks it was asked for."""

    def record(self, treatment: str) -> Verification:
        ASKED.add(treatment)
        raise Missing("nothing is here")

    def _scores(self, site: Site, treatment: str = "") -> list:  # type: ignore[type-arg]
        ASKED.update({treatment} - {""})
        raise Missing("nothing is here")


ASKED: set[str] = set()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_claims_ask_for_treatments_of_their_own_tables(name: str) -> None:
    recipe = recipe_of(name)
    places = recipe.places(LAB[name])
    for claim in recipe.claims:
        table = recipe.published.tables[claim.table]
        ASKED.clear()
        found = claim.judged(Asking(recipe.published, {}, (), places, {}))
        assert found.state is State.UNDECIDED
        assert found.why.startswith("not measured: ")
        assert {row.treatment for row in table.rows} >= ASKED, claim.text


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_no_claim_stands_twice(name: str) -> None:
    said = [(claim.table, claim.text) for claim in recipe_of(name).claims]
    assert len(set(said)) == len(said)
    assert all(claim.text.endswith(".") for claim in recipe_of(name).claims)


def test_a_table_alone_takes_its_own_treatments() -> None:
    recipe = recipe_of("lftf")
    ready = _of(recipe, CAUSAL, recipe.published.chosen("2"), Asked("2"))
    assert ready.treatments == ()
    assert ready.study_text() == ""
    assert ready.measured == ("genbiaseval:split=paper", "genhinteval:form=paper786")
    ready = _of(recipe, CAUSAL, recipe.published.chosen("4"), Asked("4", limit=7, budget=0.01))
    assert ready.treatments == (
        "full_finetune:lr=paper",
        "prompt",
        "dama",
        "lftf:lr=paper",
        "full_finetune",
        "lftf",
    )
    assert ready.studied == ("genbiaseval:split=paper", "genhinteval:form=paper786")
    assert ready.capability == ("facts", "perplexity:text=lab")
    text = ready.study_text()
    assert "limit = 7" in text
    # 6 treatments: a cell takes a second at least, so that one is begun in every sitting
    assert f"budget = {6 / 60!r}" in text
    assert "models" in text


def test_a_family_takes_what_suits_it() -> None:
    recipe = recipe_of("lftf")
    masked = _of(recipe, ModelSpec("lab:masked", "d", "masked"), recipe.published.chosen("4"), Asked("4"))
    assert masked.treatments == ("full_finetune:lr=paper", "prompt", "lftf:lr=paper", "full_finetune", "lftf")
    uqac = recipe_of("uqac")
    for family, form in (("causal", "gap"), ("seq2seq", "rewrite")):
        ready = _of(uqac, ModelSpec("lab:x", "d", family), uqac.published.chosen("stereoset"), Asked())
        assert [f"form={form}" in spec for spec in ready.treatments] == [True, False]


def test_what_is_not_on_this_machine_is_said_and_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("EVENHAND_DATA", str(tmp_path))
    from evenhand.reproductions.evidence import made

    made.cache_clear()
    uqac = recipe_of("uqac")
    model = ModelSpec("hf:./folder", "d", "causal")
    ready = _of(uqac, model, uqac.published.chosen("toxicity"), Asked())
    made.cache_clear()
    assert "toxicity" not in ready.studied
    assert "is not on this machine" in ready.absent["toxicity"]


def test_unknown_sources_and_unfit_models() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'lftf'"):
        recipe_of("lftff")
    with pytest.raises(UnknownName, match="table of LFTF"):
        prepared(recipe_of("lftf"), "lab:causal", Asked("44"))
    with pytest.raises(UnknownName, match=r"Did you mean 'Llama3\.2-1B'"):
        prepared(recipe_of("lftf"), "lab:causal", Asked(known_as="Llama3.2-1"))
    with pytest.raises(UnknownName):
        prepared(recipe_of("lftf"), "nowhere:causal", Asked())


def test_a_family_without_the_sources_methods_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand.reproductions import preparing

    monkeypatch.setattr(preparing, "_opened", lambda uri: ModelSpec(uri, "d", "masked"))
    with pytest.raises(BadModel, match="teaches a model to write answers"):
        prepared(recipe_of("uqac"), "lab:masked", Asked())


def test_a_plan_does_not_fetch_a_model_of_the_paper() -> None:
    ready = prepared(recipe_of("uqac"), "FLAN-T5-small", Asked("regard"), look=False)
    assert (ready.model.uri, ready.model.family) == ("hf:google/flan-t5-small", "seq2seq")
