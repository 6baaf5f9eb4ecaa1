"""Texts and answers to learn, as rows with the tokens that are predicted in them, for every family.

How a text is put to a model is its family's (`evenhand.scoring.asking`); `predictions` runs rows, with
gradients.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.models import OpenModel
from evenhand.records import Continuation
from evenhand.scoring.asking import asking, learns
from evenhand.scoring.conditional import decoder_start
from evenhand.scoring.forward import SelectedHead
from evenhand.scoring.plan import Row
from evenhand.scoring.tokens import Encoder, check_ids, check_texts, embedding_rows, shown


def of_texts(
    model: OpenModel, texts: Sequence[str], *, hidden: Iterable[str] = (), seed: int = 0
) -> list[Row]:
    """A row for each text; no token of the words `hidden` is predicted, and a row may predict nothing.

    Of a causal model every token is predicted, of others those of a part drawn with `seed`.

    Raises:
        BadData: a text is empty, or does not fit into the model's window.
        BadModel: a model with a decoder that fills no gaps, or ids without weights.
    """
    if not learns(model):
        raise BadModel(
            f"{model.spec.uri} has a decoder and fills no gaps, so a text cannot be modelled with it.",
            mend="Use a T5 or BART model with its sentinels or mask, a causal or a masked one.",
        )
    check_texts(texts)
    rows = asking(model).plain(texts, seed)
    unlearnt = {number for word in hidden for number in _ids(model, word)}
    if not unlearnt:
        return rows
    return [
        dataclasses.replace(row, wanted=tuple(pair for pair in row.wanted if pair[1] not in unlearnt))
        for row in rows
    ]


def of_answers(model: OpenModel, pairs: Sequence[tuple[str, str]]) -> list[Row]:
    """A row for each (prompt, answer): the prompt is read, and the answer with an end mark is predicted.

    A causal model reads prompt and answer as one text, and nothing of the prompt is predicted. For an encoder
    with a decoder the prompt is the source and the answer the target.

    Raises:
        BadData: an empty answer, a prompt that ends with a space, or too long a pair.
        BadModel: a model that writes no answers, or ids without weights.
    """
    check_texts(text for pair in pairs for text in pair)
    if model.spec.family == "seq2seq":
        return [_written(model, *pair) for pair in pairs]
    if model.spec.family != "causal":
        raise BadModel(
            f"{model.spec.uri} is a {model.spec.family} model, which writes no answers to learn.",
            mend="Use a causal or a sequence-to-sequence model.",
        )
    encoder = Encoder.of(model.module, model.tokenizer)
    encoded = encoder.encode([Continuation(prompt, f" {answer}") for prompt, answer in pairs])
    end = model.tokenizer.eos_token_id
    found = []
    for one in encoded:
        whole = (*one.ids, int(end)) if end is not None else one.ids
        found.append(Row(whole[:-1], tuple((i - 1, whole[i]) for i in range(one.start, len(whole))), 0))
    return found


def _written(model: OpenModel, prompt: str, answer: str) -> Row:
    target, end = _whole(model, answer), model.tokenizer.eos_token_id
    if end is not None and target[-1:] != (int(end),):
        target = (*target, int(end))
    ids = (decoder_start(model.module), *target[:-1])
    return Row(ids, tuple(enumerate(target)), 0, _whole(model, prompt))


def _whole(model: OpenModel, text: str) -> tuple[int, ...]:
    ids = tuple(model.tokenizer(text)["input_ids"])
    check_ids(model.tokenizer, ids, embedding_rows(model.module), text)
    if not ids:
        raise BadData(f"The text {shown(text)} has no token.", mend="Give a text with a word in it.")
    return ids


def _ids(model: OpenModel, word: str) -> set[int]:
    """The ids of a word at the start of a text and after a space."""
    plain = (model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (word, f" {word}"))
    return {int(number) for ids in plain for number in ids}


def predictions(model: OpenModel, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Logits [R, V] where the R wanted tokens of `rows` are predicted, in order, and these tokens [R].

    Each position of a row is wanted once. Gradients follow the caller's setting.
    """
    with SelectedHead(model.module) as head:
        logits = asking(model).run(head, rows)
    targets = torch.tensor([token for row in rows for _, token in row.wanted], device=logits.device)
    return logits, targets


def token_logs(model: OpenModel, rows: Sequence[Row]) -> Tensor:
    """The log-probability of every wanted token in nats, [R], in the order of the rows."""
    logits, targets = predictions(model, rows)
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)


def row_means(values: Tensor, rows: Sequence[Row]) -> Tensor:
    """The mean of the `values` [R] of each row's wanted tokens: [len(rows)]."""
    return torch.stack([part.mean() for part in torch.split(values, [len(row.wanted) for row in rows])])


def term_logits(model: OpenModel, items: Sequence[Continuation]) -> Tensor:
    """The logit of each request's text after its context, summed over its tokens, [N], with gradients.

    Raises:
        BadData, BadModel: as the model's scorer has them.
    """
    asked = asking(model)
    plan = asked.plan(asked.encode(items))
    with SelectedHead(model.module) as head:
        logits = asked.run(head, plan.rows)  # [R, V], a row of it for each position that is read
    places = {
        place: i for i, place in enumerate((r, p) for r, row in enumerate(plan.rows) for p in row.positions)
    }
    wanted = [(places[r, p], token) for r, row in enumerate(plan.rows) for p, token in row.wanted]
    at, tokens = torch.tensor(wanted, device=logits.device).T
    values = logits[at, tokens]  # [plan.size]
    return torch.stack([values[list(slots)].sum() for slots in plan.slots])
