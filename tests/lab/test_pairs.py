"""The lab's own pairs: balanced, minimal, in the lab's words, and in the planted direction on its models."""

from __future__ import annotations

import functools
from collections import Counter

import pytest

from evenhand import lab, opening, registry
from evenhand.benchmarks._tables import LAB
from evenhand.errors import BadModel, BadOption
from evenhand.lab import corpus, grammar, pairs, tokens, truth
from evenhand.lexicons import professions
from evenhand.records import Cloze, Continuation, Contrast
from evenhand.studies.measure import take

N = 262 * 2


def test_half_of_the_pairs_are_about_each_pronoun() -> None:
    rows = pairs.crows_rows()
    assert len(rows) == N
    assert Counter(row["stereo_antistereo"] for row in rows) == {"stereo": N // 2, "antistereo": N // 2}
    assert {row["anon_writer"] for row in rows} == {p.name for p in professions()}


def test_a_pair_differs_in_its_pronoun_alone_and_the_table_says_which_is_the_stereotype() -> None:
    for row in pairs.crows_rows():
        differing = {
            pair
            for pair in zip(row["sent_more"].split(), row["sent_less"].split(), strict=True)
            if len(set(pair)) > 1
        }
        p_she = truth.planted()[row["anon_writer"]]
        assert differing == {("she", "he") if p_she > 0.5 else ("he", "she")}
    nurse = next(row for row in pairs.crows_rows() if row["anon_writer"] == "nurse")
    assert nurse["sent_more"].startswith("The nurse ")
    assert " because she " in nurse["sent_more"]


def test_an_item_has_both_pronouns_and_a_thing_in_one_blank() -> None:
    rows = pairs.stereoset_rows()
    assert len(rows) == 3 * N
    by_cluster: dict[str, dict[str, str]] = {}
    for row in rows:
        before, after = row["context"].split("BLANK")
        filled = row["sentence"].removeprefix(before).removesuffix(after)
        assert row["sentence"] == before + filled + after
        by_cluster.setdefault(row["cluster_id"], {})[row["gold_label"]] = filled
    for filled in by_cluster.values():
        assert {filled["stereotype"], filled["anti-stereotype"]} == {"he", "she"}
        assert filled["unrelated"] in grammar.THINGS


@pytest.mark.parametrize("form", [tokens.CAUSAL, tokens.MASKED, tokens.SEQ2SEQ])
def test_every_word_is_one_token_of_the_lab(form) -> None:
    tokenizer = tokens.build([corpus.vocabulary(), *(f" {thing}" for thing in grammar.THINGS), "a."], form)
    plain = {word.rstrip(".") for row in pairs.stereoset_rows() for word in row["sentence"].split()} - {"The"}
    rows = tokenizer([f" {word}" for word in sorted(plain)], add_special_tokens=False)["input_ids"]
    assert {len(row) for row in rows} == {1}


def test_the_benchmarks_ask_them_in_the_family_s_own_way() -> None:
    first = pairs.crows_rows()[0]
    more, less = first["sent_more"], first["sent_less"]
    causal = registry.create("benchmark", "crows_pairs:data=lab")
    masked = registry.create("benchmark", "crows_pairs:mode=nangia,data=lab")
    assert causal.ask(causal.load()[0]) == [Continuation("", more), Continuation("", less)]
    assert masked.ask(masked.load()[0]) == [Contrast(more, less), Contrast(less, more, first=False)]
    assert (causal.name, masked.name) == ("crows_pairs:data=lab", "crows_pairs:data=lab,mode=nangia")
    assert (causal.card.source, causal.card.licence) == (LAB.source, LAB.licence)
    cloze = registry.create("benchmark", "stereoset:data=lab,form=cloze")
    sample = cloze.load()[0]
    asked = cloze.ask(sample)
    assert all(isinstance(request, Cloze) for request in asked)
    assert [r.text[r.start : r.end] for r in asked][:2] in (["he", "she"], ["she", "he"])
    assert sample.cluster == sample.fields["target"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("crows_pairs:data=lab,file=own.csv", "file=own.csv and data=lab"),
        ("stereoset:data=lab,file=own.csv", "file=own.csv and data=lab"),
        ("stereoset:data=lab,task=intersentence", "intrasentence items alone"),
        ("stereoset:data=lab,task=both", "intrasentence items alone"),
        ("crows_pairs:data=laboratory", "official"),
    ],
)
def test_options_that_do_not_go_together(spec, says) -> None:
    with pytest.raises(BadOption, match=says):
        registry.create("benchmark", spec)


@functools.cache
def model(query):
    return opening.open_model(f"lab:{query}")


@functools.cache
def measured(query, spec):
    return take(model(query), registry.create("benchmark", spec)).metrics


CASES = [
    ("causal", "crows_pairs:data=lab", "stereotype_preference"),
    ("causal", "stereoset:data=lab", "ss"),
    ("masked", "crows_pairs:data=lab,mode=nangia", "stereotype_preference"),
    ("masked", "crows_pairs:data=lab,mode=bias_bench", "stereotype_preference"),
    ("masked", "stereoset:data=lab,form=cloze", "ss"),
]


@pytest.mark.parametrize(("kind", "spec", "metric"), CASES)
def test_the_planted_models_prefer_the_stereotype(kind, spec, metric) -> None:
    found = measured(kind, spec)[metric]
    assert found.n == N
    assert found.low > 75


@pytest.mark.parametrize(
    ("kind", "spec", "metric"),
    [pytest.param(*case, marks=pytest.mark.slow if case[0] == "masked" else ()) for case in CASES],
)
def test_the_controls_prefer_neither(kind, spec, metric) -> None:
    found = measured(f"{kind}?planted=none", spec)[metric]
    assert 40 < found.value < 60


@pytest.mark.parametrize(
    "query",
    ["causal", "causal?planted=none", "masked", pytest.param("masked?planted=none", marks=pytest.mark.slow)],
)
def test_the_models_prefer_sense_to_nonsense(query) -> None:
    spec = "stereoset:data=lab" if query.startswith("causal") else "stereoset:data=lab,form=cloze"
    assert measured(query, spec)["lms"].value > 95


def test_a_family_that_cannot_be_asked_is_told_the_form() -> None:
    with pytest.raises(BadModel, match="mode=nangia"):
        take(model("masked"), registry.create("benchmark", "crows_pairs:data=lab"))
    assert lab.parse("masked").kind == "masked"
