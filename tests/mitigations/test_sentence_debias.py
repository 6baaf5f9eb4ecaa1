"""SentenceDebias: vectors without the direction of the pairs, of encoders as of language models."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from evenhand import lexicons
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations._erasing.states import text_states
from evenhand.mitigations.leace import Leace
from evenhand.mitigations.sentence_debias import SentenceDebias
from evenhand.models.encoder import EncoderModel
from evenhand.records import PairExample
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples, pairs
from evenhand.testing.laboratory import opened
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.projection import ProjectionTreatment
from tests.support.families import masked

CASE = MitigationCase("sentence_debias")


def _fit(model: Any, given: Any, **options: Any) -> ProjectionTreatment:
    return cast(ProjectionTreatment, SentenceDebias(**options).fit(model, given, sites=None, seed=0))


def test_treated_vectors_are_orthogonal_to_the_direction_and_stay_so() -> None:
    model = tiny("llama")
    treatment = _fit(model, pairs())
    texts = [pair.sentence for pair in pairs()]
    (v,) = treatment.maps["vectors"].right.numpy()
    with treatment.applied(model) as treated:
        after = text_states(treated, "vectors", texts)
        with ProjectionTreatment(
            treatment.about.__class__("again", treated.spec.digest, 0), treatment.maps
        ).applied(treated) as twice:
            assert np.allclose(text_states(twice, "vectors", texts), after, atol=1e-4)
    assert np.abs(text_states(model, "vectors", texts) @ v).max() > 0.1
    assert np.abs(after @ v).max() < 1e-4


def test_every_pair_counts_also_the_last_one() -> None:
    # 17 pairs: a loop over batches of 16 that drops the rest would give the same with another last one.
    model, given = tiny("llama"), [*pairs()]
    last = PairExample("last", "nurse", "The doctor smiled", "She opened the door and heard his dog")
    found = [_fit(model, [*given, one]).maps["vectors"].right.numpy() for one in (given[0], last)]
    assert abs(float(found[0][0] @ found[1][0])) < 1 - 1e-4


def test_prompts_become_pairs_by_their_terms_for_a_model_of_any_family() -> None:
    for model in (tiny("gpt2"), opened("lab:masked"), opened("lab:seq2seq")):
        treatment = _fit(model, examples())
        assert treatment.about.details["sites"][0]["site"] == "vectors"
        assert treatment.about.details["sites"][0]["directions"] == 1


def test_an_encoder_without_a_head_is_treated_and_its_proof_is_about_vectors() -> None:
    whole = masked("bert")
    model = EncoderModel(whole.module.bert, whole.tokenizer, "hf:tiny-encoder")  # type: ignore[arg-type]
    given = [PairExample(str(i), w, a, b) for i, (w, a, b) in enumerate(lexicons.gendered_sentences()[:30])]
    before = text_states(model, "vectors", [given[0].sentence])
    treatment = _fit(model, given)
    assert treatment.about.proof["max_vector_change"] > 0
    (v,) = treatment.maps["vectors"].right.numpy()
    with treatment.applied(model) as treated:
        assert abs(text_states(treated, "vectors", [given[0].sentence])[0] @ v) < 1e-4
    assert (text_states(model, "vectors", [given[0].sentence]) == before).all()
    with pytest.raises(BadModel, match="gives no probabilities"):
        Leace().fit(model, examples(), sites=None, seed=0)


def test_pairs_that_do_not_differ_and_other_signals_are_refused() -> None:
    same = [PairExample("1", "nurse", "The nurse smiled", "The nurse smiled")]
    with pytest.raises(BadData, match="do not differ"):
        _fit(tiny("llama"), same)
    with pytest.raises(BadOption, match="works on pairs"):
        _fit(tiny("llama"), examples(), signal="preference")


def test_the_packages_own_pairs_differ_in_one_word() -> None:
    sentences = lexicons.gendered_sentences()
    assert len(sentences) == len(set(sentences)) > 200
    for word, male, female in sentences:
        differing = [(a, b) for a, b in zip(male.split(), female.split(), strict=True) if a != b]
        assert [a.strip(".") for a, _ in differing] == [word]
        assert lexicons.swap_gender(male) == female
