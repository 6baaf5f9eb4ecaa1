"""CDA: texts with the groups exchanged, tuned on; a real effect on the lab; a sham of unrelated words."""

from __future__ import annotations

import math
import random
from typing import cast

import pytest

from evenhand import registry
from evenhand.errors import BadData, BadOption
from evenhand.lexicons import gendered_spans, people, swap_gender
from evenhand.mitigations._texts import Found, differing, found_texts, group_words, unrelated
from evenhand.mitigations.cda import Cda
from evenhand.records import Continuation, Example, TextExample
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples, pairs, texts
from evenhand.testing.laboratory import change, genbiaseval, opened
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model as tiny
from evenhand.training.lora import LoraTreatment
from tests.support.families import MASKED, SEQ2SEQ
from tests.support.families import masked as tiny_masked
from tests.support.families import seq2seq as tiny_seq2seq

CASE = MitigationCase("cda", no_lab="tests/mitigations/test_cda.py tries it once, on a third of the prompts")


def test_a_double_swap_is_the_identity_on_unambiguous_words() -> None:
    unambiguous = [
        t for t in people() if not {"her", "his", "him", "hers"} & set(t.lower().strip(".").split())
    ]
    assert len(unambiguous) > 20
    for text in unambiguous:
        assert swap_gender(text) != text
        assert swap_gender(swap_gender(text)) == text


def test_the_role_of_her_decides_and_case_is_kept() -> None:
    # bias-bench: (him, her) and (his, her) in one table, the last wins, and "He" is not found.
    assert swap_gender("He saw HER mother, and her too.") == "She saw HIS father, and him too."


def test_group_words_are_found_with_their_places() -> None:
    text = "Her uncle, SHE said, can't."
    assert [text[a:b] for a, b in gendered_spans(text)] == ["Her", "uncle", "SHE"]
    assert differing("The poor man left.", "The rich woman left.") == (((4, 12),), ((4, 14),))


def test_a_found_text_has_the_term_that_the_model_would_write() -> None:
    # P(he) = .3, P(she) = .1: three of four texts are found with " he"; 400 draws, 3 sd = 26.
    model = ScriptedModel(lambda item: 0.3 if item.text == " he" else 0.1)
    one = examples()[0]
    prompts = [Example(str(i), "c", one.context, one.groups, one.terms) for i in range(400)]
    found = found_texts(model, prompts, seed=1)
    assert sum(text.text.endswith(" he") for text in found) == pytest.approx(300, abs=26)
    assert all({text.text[-3:], text.swapped[-3:]} == {" he", "she"} for text in found)


def test_texts_without_a_group_word_are_left_out() -> None:
    given = [TextExample("a", "a", "The rain fell."), TextExample("b", "b", "He left.")]
    assert [t.text for t in found_texts(tiny(), given, seed=0)] == ["He left."]
    with pytest.raises(BadData, match="None of the 1 examples"):
        found_texts(tiny(), given[:1], seed=0)


def test_unrelated_words_are_exchanged_and_groups_words_stay() -> None:
    given = [Found(f"The {a} said that he left.", f"The {a} said that she left.", ((0, 0),), ((0, 0),), a)
             for a in ("nurse", "clerk")]  # fmt: skip
    made = unrelated(given, seed=0)
    assert [t.swapped for t in made] == ["The clerk said that he left.", "The nurse said that he left."]
    assert [t.text for t in made] == [t.text for t in given]
    marked = [Found("The he.", "The she.", ((4, 6),), ((4, 7),), "c")]
    assert group_words(marked) == {"he", "she"}


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "gemma"])
def test_it_trains_what_it_says(kind: str) -> None:
    model = tiny(kind)
    every = {name for name, _ in model.module.named_parameters()}
    assert Cda().fit(model, texts(), sites=None, seed=0).touches == every
    top = Cda(train="top:1").fit(model, pairs(), sites=None, seed=0)
    assert top.touches == set(model.layout.parameters("block.2"))
    norms = Cda(train="norms").fit(model, texts(), sites=None, seed=0).touches
    assert norms
    assert norms < every
    assert all(model.module.get_parameter(n).ndim == 1 for n in norms)
    assert isinstance(Cda(train="lora").fit(model, texts(), sites=None, seed=0), LoraTreatment)


def test_other_families_learn_texts_in_their_own_way() -> None:
    for model in (tiny_masked(next(iter(MASKED))), tiny_seq2seq(next(iter(SEQ2SEQ)))):
        made = Cda().fit(model, examples(), sites=None, seed=0)
        assert made.about.details["texts"] == 32
        assert made.about.proof["max_logprob_change"] > 0


def test_one_side_is_half_of_the_texts() -> None:
    for method, size in ((Cda(sides="one"), 16), (Cda(sides="two"), 32)):
        assert method.fit(tiny(), texts(), sites=None, seed=0).about.details["texts"] == size


def test_what_cannot_be_meant_is_refused() -> None:
    for train in ("half", "top:0", "top:x"):
        with pytest.raises(BadOption, match=f"train={train} is not valid"):
            Cda(train=train).check(None, ())
    with pytest.raises(BadOption, match="has 3 blocks"):
        Cda(train="top:4").check(tiny(), ())


def test_on_the_lab_the_gap_falls_and_the_sham_does_not_move_it() -> None:
    model, (benchmark, training) = opened("lab:causal"), genbiaseval()
    some = random.Random(0).sample(training, 300)
    moved = []
    for method in (Cda(), Cda().sham(seed=0)):
        treatment = method.fit(model, some, sites=None, seed=0)
        moved.append(change(treatment, model, benchmark, "afgb_normalised")[0])
    assert moved[0].high is not None
    assert moved[0].high < -0.05
    assert abs(cast(float, moved[1].value)) < 0.2 * abs(cast(float, moved[0].value))


def test_after_long_training_both_terms_are_as_likely() -> None:
    model = tiny("llama")
    one = examples()[:4]
    treatment = Cda(epochs=60, lr=5e-3).fit(model, one, sites=None, seed=0)
    with treatment.applied(model) as treated:
        he, she = (treated.answer([Continuation(e.context, term) for e in one]) for term in (" he", " she"))
    for a, b in zip(he, she, strict=True):
        assert math.exp(a.value) == pytest.approx(0.5, abs=0.1)  # type: ignore[union-attr]
        assert math.exp(b.value) == pytest.approx(0.5, abs=0.1)  # type: ignore[union-attr]


def test_the_registry_makes_it() -> None:
    assert registry.create("mitigation", "cda:sides=one,train=top:2") == Cda(sides="one", train="top:2")
