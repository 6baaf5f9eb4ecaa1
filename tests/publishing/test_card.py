"""The model card, read by huggingface_hub's own parsers, and what it must say."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from evenhand.publishing import card
from evenhand.records import Card, Protocol, Verification
from tests.support import records_factory as make

hub = pytest.importorskip("huggingface_hub")


def of(uri: str = "hf:org/base@main", **changes) -> Verification:
    record = make.verification()
    return dataclasses.replace(record, model=dataclasses.replace(record.model, uri=uri), **changes)


def test_the_parser_reads_the_head() -> None:
    read = hub.ModelCard(card.card(of(), library="peft"))
    assert read.data.library_name == "peft"
    assert read.data.base_model == "org/base"
    assert read.data.to_dict()["base_model_relation"] == "adapter"
    assert read.data.tags == ["evenhand", "bias-mitigation"]


def test_model_index_has_every_defined_figure() -> None:
    record = of()
    read = hub.ModelCard(card.card(record)).data.eval_results
    figures = [
        (m.benchmark.partition(":")[0], name, e.value)
        for m in record.after
        for name, e in m.metrics.items()
        if e.value is not None
    ]
    assert [(one.dataset_type, one.metric_type, one.metric_value) for one in read] == figures
    assert len(figures) > 1


@pytest.mark.parametrize("uri", ["lab:causal", "hf:./folder", "hf:/abs/folder", "hf:~/folder"])
def test_a_model_that_is_not_on_the_hub_is_no_base_there(uri) -> None:
    assert hub.ModelCard(card.card(of(uri))).data.base_model is None


def test_it_says_before_after_verdict_limits_and_data() -> None:
    record = of()
    text = card.card(record)
    assert f"**Verdict: {record.verdict}.**" in text
    effect = record.effects[0]
    assert f"| genbiaseval | {effect.metric} | {effect.before.value:.3f} | {effect.after.value:.3f} |" in text
    for head in ("Before and after", "Why this verdict", "Limits", "Data", "How it was made"):
        assert f"\n## {head}\n" in text
    assert record.model.digest[:16] in text


def test_a_limited_run_claims_no_result() -> None:
    record = of(limited=True)
    read = hub.ModelCard(card.card(record))
    assert read.data.eval_results is None
    assert "no figure here is reportable" in read.text
    assert card.eval_results(record) == {}


def test_texts_of_others_are_no_markup() -> None:
    record = of(treatment="lftf:note=<script>|x", notes=("one\n---\n# two",))
    read = hub.ModelCard(card.card(record))
    assert "\\<script\\>\\|x" in read.text
    assert "\n# two" not in read.text


def test_results_only_where_the_benchmark_is_a_data_set_of_the_hub() -> None:
    yaml = pytest.importorskip("yaml")
    assert card.eval_results(of()) == {}
    about = Card("stereoset", "1", "StereoSet", "Nadeem et al.", "CC BY-SA 4.0")
    stereoset = dataclasses.replace(
        make.genbiaseval(), benchmark="stereoset", card=about, primary="afgb", protocol=Protocol("data")
    )
    written = card.eval_results(of(after=(stereoset,)))
    assert list(written) == [".eval_results/stereoset.yaml"]
    (entry,) = hub.parse_eval_result_entries(yaml.safe_load(written[".eval_results/stereoset.yaml"]))
    assert (entry.dataset_id, entry.task_id) == ("McGill-NLP/stereoset", "stereoset")
    assert entry.value == stereoset.metrics["afgb"].value
    assert entry.notes.startswith("afgb, ")


def test_forms_of_a_benchmark_stay_apart() -> None:
    first = of().after[0]
    forms = ["crows_pairs:mode=nangia", "crows_pairs:mode=all"]
    record = of(after=tuple(dataclasses.replace(first, benchmark=form) for form in forms))
    read = hub.ModelCard(card.card(record)).data.eval_results
    assert {one.dataset_config for one in read} == {"mode=nangia", "mode=all"}
    [held] = card.eval_results(record).values()
    assert [form for form in forms if form in held] == forms
    assert len(yaml.safe_load(held)) == 2
