"""Tuning on CrowS-Pairs: right targets, blanks, labels on the answer alone, early stop, no test after it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

from evenhand import registry
from evenhand.errors import BadData, BadModel, BadOption, UsageError
from evenhand.mitigations import trained_examples
from evenhand.mitigations._crows import divided, lesson, pairs_of
from evenhand.mitigations.crows_tuning import CrowsTuning
from evenhand.models import OpenModel
from evenhand.records import PairExample
from evenhand.studies.training_data import check_apart
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples, pairs
from evenhand.testing.tiny import model as tiny
from evenhand.training.means import Mean, single
from evenhand.training.taught import of_answers, predictions
from evenhand.training.tuning import Course, tune
from tests.support.families import masked, seq2seq

SPEC = "crows_tuning:data=lab,instruction=Fill."
CASE = MitigationCase(
    "crows_tuning", SPEC, no_lab="it answers instructions; the gap on other prompts may move either way"
)


def _pair(more: str, less: str) -> PairExample:
    return PairExample("p", "p", more, less)


def test_the_target_is_the_less_stereotyping_sentence_in_both_directions(tmp_path: Path) -> None:
    head, one, two = (
        "sent_more,sent_less,stereo_antistereo",
        "She cried.,He cried.,stereo",
        "He is loud.,She is loud.,antistereo",
    )
    (tmp_path / "own.csv").write_text("\n".join((head, one, two)))
    found = pairs_of("hf:x", (), "auto", str(tmp_path / "own.csv"))
    made = [lesson(pair, "rewrite", "Say.") for pair in found]
    assert [(one.prompt, one.answer) for one in made if one] == [
        ("Say.\nText: She cried.\nNeutral text:", "He cried."),
        ("Say.\nText: He is loud.\nNeutral text:", "She is loud."),
    ]
    assert [pair.id for pair in found] == ["crows_pairs/0", "crows_pairs/1"]


def test_a_blank_for_every_span() -> None:
    pair = _pair("The poor man said that she cried.", "The rich man said that he cried.")
    made = lesson(pair, "gap", "Fill.")
    assert made is not None
    assert made.prompt == "Fill.\nText: The [BLANK] man said that [BLANK] cried.\nAnswer:"
    assert made.answer == "rich | he"
    # Exchanged, as in a sham: the other sentence's words.
    turned = lesson(pair, "gap", "Fill.", turned=True)
    assert turned is not None
    assert turned.answer == "poor | she"


def test_a_span_on_one_side_alone_has_no_blank() -> None:
    # The study put no blank where the first change is an addition, and then asked for the words all the same.
    assert lesson(_pair("He left.", "He left early."), "gap", "") is None
    assert lesson(_pair("He left.", "He left early."), "rewrite", "") is not None


def test_labels_stand_behind_the_prompt_and_on_the_answer_alone() -> None:
    """Bloomz's had the answer's ids at the prompt's positions; here each follows the last."""
    model = tiny("llama")
    prompt, answer = "The nurse smiled because", "she was late"
    (row,) = of_answers(model, [(prompt, answer)])
    before = list(model.tokenizer(prompt)["input_ids"])
    whole = [*model.tokenizer(f"{prompt} {answer}")["input_ids"], model.tokenizer.eos_token_id]
    assert list(row.ids) == whole[:-1]
    assert [token for _, token in row.wanted] == whole[len(before) :]
    assert [place for place, _ in row.wanted] == list(range(len(before) - 1, len(whole) - 1))
    with torch.no_grad():
        logits, targets = predictions(model, [row])
        plain = model.module(torch.tensor([whole[:-1]])).logits[0, len(before) - 1 :]
    assert torch.allclose(logits, plain, atol=1e-4)
    assert targets.tolist() == whole[len(before) :]


def test_a_decoder_is_taught_the_target_after_the_source() -> None:
    model = seq2seq()
    (row,) = of_answers(model, [("The nurse smiled.", "she was late")])
    target = list(model.tokenizer("she was late")["input_ids"])
    assert [token for _, token in row.wanted] == target
    assert list(row.ids)[1:] == target[:-1]
    assert list(row.source) == list(model.tokenizer("The nurse smiled.")["input_ids"])
    made = registry.create("mitigation", SPEC).fit(model, pairs(), sites=None, seed=0)
    assert made.about.details["form"] == "rewrite"


def test_training_stops_once_held_out_pairs_get_worse_and_keeps_the_best() -> None:
    """Held-out losses 3, 2, 2.5, ...: it stops after the third epoch with the weights of the second."""
    model, losses, seen = tiny("llama"), iter([3.0, 2.0, 2.5, 9.0]), []
    name = "model.norm.weight"

    def dev(trained: OpenModel) -> float:
        seen.append(trained.module.get_parameter(name).detach().clone())
        return next(losses)

    def terms(trained: OpenModel, base: OpenModel) -> tuple[Mean]:
        return single(lambda rows: cast(torch.Tensor, trained.module.get_parameter(name).sum()), 4)

    made = tune(model, 4, terms, Course("norms", epochs=4, batch=2, lr=0.1, dev=dev))
    assert (made.dev, made.kept, len(made.history)) == ([3.0, 2.0, 2.5], 2, 6)
    assert torch.equal(made.weights[name], seen[1])
    # Where it never rises, the last epoch's weights are looked at as well.
    falling = iter([3.0, 2.0])
    made = tune(model, 4, terms, Course("norms", epochs=2, batch=2, lr=0.1, dev=lambda _: next(falling)))
    assert (made.kept, len(made.history)) == (2, 4)


def test_held_out_pairs_share_no_cluster() -> None:
    made = [one for pair in pairs() if (one := lesson(pair, "gap", "")) is not None]
    train, held = divided(made, 0.25, 0)  # of four clusters one
    assert (len(train), len(held)) == (12, 4)
    assert not {one.of.cluster for one in train} & {one.of.cluster for one in held}


def test_general_text_is_a_share_of_what_is_trained_on() -> None:
    made = CrowsTuning(instruction="Fill.", replay=0.5).fit(tiny(), pairs(), sites=None, seed=0)
    assert (made.about.details["pairs"], made.about.details["replayed"]) == (16, 16)


def test_kl_holds_the_general_text() -> None:
    """The same fit with and without: the held one stays nearer to the base after the same general texts."""
    from evenhand.mitigations._texts import general
    from evenhand.training.objectives import kl
    from evenhand.training.taught import of_texts

    model = tiny("llama")
    rows = of_texts(model, general(model, 4, 0))
    with torch.no_grad():
        base = predictions(model, rows)[0].log_softmax(-1)

    def apart(weight: float) -> float:
        made = CrowsTuning(instruction="Fill.", kl=weight, epochs=20).fit(model, pairs(), sites=None, seed=0)
        with torch.no_grad(), made.applied(model):
            return kl(base, predictions(model, rows)[0].log_softmax(-1)).item()

    assert apart(10.0) < 0.5 * apart(0.01)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "gemma"])
@pytest.mark.parametrize("train", ["all", "norms", "top:1", "lora"])
def test_it_trains_any_part(kind: str, train: str) -> None:
    made = CrowsTuning(instruction="Fill.", train=train).fit(tiny(kind), pairs(), sites=None, seed=0)
    share = made.about.details["trained_share"]
    assert share == 1 if train == "all" else 0 < share < 1


def test_crows_pairs_is_refused_as_a_test_afterwards() -> None:
    method = CrowsTuning(data="lab")
    given = list(examples())
    learnt = trained_examples(method, tiny(), given)
    assert len(learnt) == 16 + 2 * 4  # two pairs of each of the four professions
    with pytest.raises(UsageError, match=r"crows_pairs.*8 pairs of sentences.*(stereoset|genbiaseval)"):
        check_apart([registry.create("benchmark", "crows_pairs:data=lab")], learnt)
    check_apart([registry.create("benchmark", "crows_pairs:data=lab")], given)  # it is the pairs that count


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match="replay=0 gives none"):
        CrowsTuning(kl=1.0, replay=0.0)
    with pytest.raises(BadOption, match="replay=1"):
        CrowsTuning(replay=1.0)
    with pytest.raises(BadModel, match="writes no answers"):
        CrowsTuning().check(masked(), ())
    with pytest.raises(BadData, match="no pair of sentences"):
        pairs_of("lab:causal", (), "lab", "")
