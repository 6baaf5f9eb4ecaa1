"""Text classifiers: tiny Hugging Face ones from a folder, and the word lists."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from evenhand.benchmarks._written import Reader
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.models import classifier as module
from evenhand.models.classifier import HfClassifier, RegardWords, ToxicWords, open_classifier
from evenhand.testing import tiny

TEXTS = [
    "The nurse smiled.",
    "The carpenter sat down slowly because he was tired.",
    "he",
    "The nurse smiled.",
]
LABELS = {0: "nothate", 1: "HATE", 2: "other"}


def saved(folder: Path, *, kind: str = "bert", many: bool = False, labels: dict[int, str] = LABELS) -> Path:
    """A random classifier in a folder."""
    config = AutoConfig.for_model(
        kind,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        vocab_size=len(tiny.tokenizer()),
        pad_token_id=0,
        id2label=labels,
        problem_type="multi_label_classification" if many else None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = AutoModelForSequenceClassification.from_config(config).eval()
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.mul_(6.0)
    made.save_pretrained(folder)
    tokenizer = copy.deepcopy(tiny.tokenizer())  # the cached one serves every test
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(folder)
    return folder


def test_another_classifier_is_another_and_a_word_list_has_no_weights(tmp_path: Path) -> None:
    first = HfClassifier(str(saved(tmp_path / "a"))).identity
    assert HfClassifier(str(saved(tmp_path / "b"))).identity == first
    others = [saved(tmp_path / "c", many=True), saved(tmp_path / "d", labels={0: "a", 1: "b", 2: "c"})]
    trained = AutoModelForSequenceClassification.from_pretrained(saved(tmp_path / "e"))
    with torch.no_grad():
        next(trained.parameters())[3, 0] += 0.01
    trained.save_pretrained(tmp_path / "e")
    path = saved(tmp_path / "f") / "tokenizer_config.json"  # texts beyond the window lose their beginning
    path.write_text(json.dumps(json.loads(path.read_text()) | {"truncation_side": "left"}))
    found = {HfClassifier(str(folder)).identity for folder in (*others, tmp_path / "e", tmp_path / "f")}
    assert len(found | {first}) == 5
    assert ToxicWords().identity == RegardWords().identity == ""


def alone(folder: Path, text: str) -> torch.Tensor:
    """The logits of one text, unpadded, without any of our code."""
    made = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return made(torch.tensor([tiny.tokenizer()(text)["input_ids"]])).logits[0]


def test_probabilities_are_the_models_own_whatever_the_batch(tmp_path, monkeypatch):
    folder = saved(tmp_path)
    reader = open_classifier(f"hf:{folder}", "toxicity")
    assert reader.labels == ("nothate", "hate", "other")
    expected = [alone(folder, text).softmax(-1).tolist() for text in TEXTS]
    for budget in (4096, 1):
        monkeypatch.setattr(module, "_BATCH_TOKENS", budget)
        for labels, values in zip(reader.classify(TEXTS), expected, strict=True):
            assert list(labels.values()) == pytest.approx(values, abs=1e-5)
            assert sum(labels.values()) == pytest.approx(1)
    assert expected[0] != pytest.approx(expected[1], abs=1e-2)  # the model tells texts apart


def test_labels_that_do_not_exclude_each_other_get_one_sigmoid_each(tmp_path):
    folder = saved(tmp_path, many=True)
    (found,) = HfClassifier(str(folder)).classify(TEXTS[:1])
    assert list(found.values()) == pytest.approx(alone(folder, TEXTS[0]).sigmoid().tolist(), abs=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_long_text_is_cut_and_not_a_crash(tmp_path, kind):
    (found,) = HfClassifier(str(saved(tmp_path, kind=kind))).classify(["The nurse smiled. " * 60])
    assert sum(found.values()) == pytest.approx(1)


def test_a_language_model_is_no_classifier(tmp_path):
    tiny.module("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BadModel, match="no classification head"):
        HfClassifier(str(tmp_path))


def test_how_a_classifier_was_opened_is_said_beside_the_figures(tmp_path, monkeypatch):
    spec = f"hf:{saved(tmp_path)}"
    monkeypatch.setattr(open_classifier(spec, "toxicity"), "opening", ("It came from the cache.",))
    reader = Reader(spec, "toxicity")
    assert reader.remark() == []
    reader.read(["The nurse smiled."])
    assert reader.remark() == ["It came from the cache."]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BadData, match="There is no folder"):
        open_classifier(f"hf:{tmp_path}/nowhere", "toxicity")


@pytest.mark.parametrize("spec", ["", "roberta", "hub:x"])
def test_what_names_no_classifier(spec):
    with pytest.raises(BadOption, match="names no classifier"):
        open_classifier(spec, "toxicity")


def test_the_toxic_words():
    found = ToxicWords().classify(["You IDIOT!", "Idiotsyncrasy is no word.", ""])
    assert [labels["toxic"] for labels in found] == [1, 0, 0]


def test_the_words_of_regard():
    texts = ["a wise and brave liar", "a lazy liar", "a wise liar", "a chair"]
    found = [max(labels, key=labels.get) for labels in RegardWords().classify(texts)]
    # Two good against one bad; two bad; one each; none.
    assert found == ["positive", "negative", "other", "neutral"]


def test_the_word_list_opens_for_its_purpose():
    assert open_classifier("lexicon", "toxicity").labels == ("toxic",)
    assert open_classifier("lexicon", "regard").labels == ("positive", "negative", "neutral", "other")


def test_a_token_without_weights_and_a_tokenizer_without_padding_get_a_sentence(tmp_path):
    folder = saved(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([" nurse"])
    tokenizer.save_pretrained(folder)
    reader = HfClassifier(str(folder))
    assert reader.classify(["he"])
    with pytest.raises(BadModel, match=r"the token ' nurse' with the id \d+ in 'The nurse smiled\.' has no"):
        reader.classify(["he", "The nurse smiled."])
    tiny.tokenizer().save_pretrained(folder)
    with pytest.raises(BadModel, match="has no padding token"):
        HfClassifier(str(folder))


def test_a_configuration_that_does_not_fit_is_refused_with_both_sizes(tmp_path):
    folder = saved(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadModel, match=r"classifier\.bias has the shape \(3,\), .* describes \(2,\)"):
        HfClassifier(str(folder))
