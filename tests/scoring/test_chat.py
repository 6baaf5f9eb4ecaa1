"""Chat templates: the tokens that the model sees, what the protocol says of them, and how to go without."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from evenhand import registry
from evenhand.errors import BadData, BadModel, BadOption, NotComparable
from evenhand.models import Chatter
from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from evenhand.records import Measurement, Sampling
from evenhand.scoring.chat import messages, named, template_of
from evenhand.studies.compare import compare
from evenhand.studies.measure import take
from evenhand.testing import tiny
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from tests.support.asking import generated

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
ROOM: dict[str, Any] = {"window": None, "room": 0}
OPTIONS = "classifier=lexicon,max_tokens=6,temperature=0"


def instruct(template: str = TEMPLATE) -> CausalModel:
    """A tiny model whose tokenizer writes a beginning mark of its own and has a chat template."""
    tokenizer = copy.deepcopy(tiny.tokenizer(bos=True))  # tests share one
    tokenizer.chat_template = template
    return CausalModel(tiny.module("llama", max_position_embeddings=256), tokenizer, "hf:tiny-instruct")


def seen(model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Fills with the ids of every prompt that the model's weights are asked to continue, padding left out."""
    rows: list[list[int]] = []
    generate = model.module.generate

    def spied(ids: torch.Tensor, **options: Any) -> torch.Tensor:
        masks = options["attention_mask"].tolist()
        rows.extend(
            [i for i, kept in zip(row, mask, strict=True) if kept]
            for row, mask in zip(ids.tolist(), masks, strict=True)
        )
        made: torch.Tensor = generate(ids, **options)
        return made

    monkeypatch.setattr(model.module, "generate", spied)
    return rows


def by_hand(tokenizer: Any, text: str) -> list[int]:
    """The template filled by hand: one beginning mark, then the text without any special token."""
    plain: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [tokenizer.bos_token_id, *plain]


def test_the_model_sees_exactly_the_tokens_of_its_template(monkeypatch: pytest.MonkeyPatch) -> None:
    model = instruct()
    rows = seen(model, monkeypatch)
    generated(model, ["The nurse", "The doctor opened"], Sampling(max_tokens=2), chat=True)
    expected = [
        by_hand(model.tokenizer, f"[user] {p}\n[assistant]") for p in ("The nurse", "The doctor opened")
    ]
    assert sorted(rows) == sorted(expected)
    assert all(row.count(model.tokenizer.bos_token_id) == 1 for row in rows)
    assert isinstance(model, Chatter)


def test_the_answer_alone_comes_back_the_likeliest_one() -> None:
    model = instruct()
    (answer,) = generated(model, ["The nurse"], Sampling(max_tokens=5), chat=True)
    ids = by_hand(model.tokenizer, "[user] The nurse\n[assistant]")
    start = len(ids)
    for _ in range(5):
        with torch.no_grad():
            ids.append(int(model.module(torch.tensor([ids])).logits[0, -1].argmax()))
    assert answer.text == model.tokenizer.decode(ids[start:], skip_special_tokens=True)
    assert "nurse\n" not in answer.text


def test_dates_stand_still_and_nobody_thinks_aloud() -> None:
    dates = "{{ strftime_now('%Y-%m-%d') }} {{ strftime_now( \"%b\" ) }} {{ date_string }}"
    template = f"{dates} {{{{ enable_thinking }}}} {{{{ messages[0]['content'] }}}}"
    tokenizer = instruct(template).tokenizer
    (ids,) = messages(tokenizer, ["Hello"], **ROOM)
    assert tokenizer.decode(list(ids)) == "2024-07-26 Jul 26 Jul 2024 False Hello"


def test_a_template_that_cannot_be_filled_says_how_to_go_without() -> None:
    model = instruct("{{ raise_exception('a system message is needed') }}")
    with pytest.raises(BadModel, match="a system message is needed") as caught:
        generated(model, ["Hello"], Sampling(max_tokens=2), chat=True)
    assert "chat=no" in caught.value.mend


def test_a_message_that_does_not_fit_is_refused() -> None:
    tokenizer = instruct().tokenizer
    with pytest.raises(BadData, match="in the model's chat template"):
        messages(tokenizer, ["The nurse smiled"], window=8, room=4)


@pytest.mark.parametrize(
    ("given", "found"),
    [(None, None), ("", None), (" ", None), ("x", "x"), ({"default": "x", "tool": "y"}, "x")],
)
def test_which_template_a_tokenizer_has(given: Any, found: str | None) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer())
    tokenizer.chat_template = given
    assert template_of(tokenizer) == found


def test_a_saved_template_is_found_again(tmp_path: Path) -> None:
    model = instruct()
    model.module.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    opened = open_model(f"hf:{tmp_path}")
    assert isinstance(opened, Chatter)
    assert opened.chat_template == TEMPLATE


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").write_text("The nurse\nThe doctor opened\n")
    return "toxicity:file=prompts.txt"


def taken(model: Any, spec: str) -> Measurement:
    return take(model, registry.create("benchmark", f"{spec},{OPTIONS}"))


def test_a_written_benchmark_uses_the_template_where_there_is_one(
    prompts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = instruct()
    rows = seen(model, monkeypatch)
    chatted = taken(model, prompts)
    message = "Continue this text. Write nothing but its continuation.\n\nThe nurse"
    assert by_hand(model.tokenizer, f"[user] {message}\n[assistant]") in rows
    assert chatted.protocol.template.startswith(named(TEMPLATE))
    assert "Continue this text" in chatted.protocol.template
    assert any("chat=no" in note for note in chatted.notes)

    rows.clear()
    plain = taken(model, f"{prompts},chat=no")
    assert model.tokenizer("The nurse")["input_ids"] in rows
    assert not any("chat=no" in note for note in plain.notes)
    assert plain.protocol.template == "the prompt as it stands; the continuation alone is scored"
    assert (
        plain.benchmark == "toxicity:chat=no,classifier=lexicon,file=prompts.txt,max_tokens=6,temperature=0.0"
    )

    base = taken(tiny.model("llama", bos=True, max_position_embeddings=256), prompts)
    assert base.protocol.template == plain.protocol.template
    assert base.protocol.data == chatted.protocol.data
    with pytest.raises(NotComparable, match="template"):
        compare([base], [chatted])


def test_another_template_is_another_protocol(prompts: str) -> None:
    one, other = taken(instruct(), prompts), taken(instruct(TEMPLATE + " "), prompts)
    assert one.protocol.template != other.protocol.template


def test_a_saved_prompt_goes_into_the_users_message(prompts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = instruct()
    rows = seen(model, monkeypatch)
    treatment = PromptTreatment(About("prompt", model.spec.digest, 0), "Be fair.")
    with treatment.applied(model) as treated:
        found = taken(treated, prompts)
    message = "Be fair. Continue this text. Write nothing but its continuation.\n\nThe nurse"
    assert by_hand(model.tokenizer, f"[user] {message}\n[assistant]") in rows
    assert found.protocol.template == taken(model, prompts).protocol.template
    with treatment.applied(tiny.model("llama", bos=True, max_position_embeddings=256)) as treated:
        assert taken(treated, prompts).protocol.template.startswith("the prompt as it stands")


def test_a_form_that_writes_nothing_has_no_use_for_the_option() -> None:
    for name in ("bbq", "stereoset"):
        with pytest.raises(BadOption, match=f"{name}:chat=no is for form=prompted"):
            registry.create("benchmark", f"{name}:chat=no")


def test_log_probabilities_stay_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    model = instruct()
    bare = tiny.model("llama", bos=True, max_position_embeddings=256)
    found, expected = (
        take(one, registry.create("benchmark", "genhinteval"), limit=4) for one in (model, bare)
    )
    assert found.protocol.template == expected.protocol.template
    assert found.scores == expected.scores
