"""DAMA's offsets: for each prompt and group what to add at one token so that the model says the group's term.

They are the values of model editing (see `evenhand.mitigations._editing.values`) towards one group after the
other, at the output matrix of one block's MLP, behind texts that the model writes itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from evenhand.errors import BadData
from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.passes import Place, at_tokens
from evenhand.mitigations._editing.stacks import averaged
from evenhand.mitigations._editing.subjects import Token, requests
from evenhand.mitigations._editing.values import Search, values
from evenhand.models import OpenModel
from evenhand.models.projections import output_projection
from evenhand.records import Example, Generation, Sampling
from evenhand.scoring.forward import evaluating
from evenhand.scoring.tokens import Encoder
from evenhand.training.parameters import training_flags_kept

LONGEST = 10
"""Tokens of a generated text."""


@dataclass(frozen=True)
class Offsets:
    """Of n prompts the keys [n, inner], the groups' offsets [n, k, width], the mean first and last loss."""

    keys: Tensor
    added: Tensor
    first_loss: float
    last_loss: float


def own_texts(model: OpenModel, examples: Sequence[Example], number: int) -> list[str]:
    """At most `number` texts that the model writes itself, to put before each prompt.

    Each ends before the first term of a group, and one that does not fit before every prompt is left out. The
    same model writes the same ones.
    """
    encoder = Encoder.of(model.module, model.tokenizer)
    asked = "" if encoder.marked else "The"
    wanted = [Generation(asked, Sampling(max_tokens=LONGEST, temperature=1.0))] * number
    said = {form.strip().lower() for e in examples for forms in e.terms for form in forms}
    longest = max((e.context for e in examples), key=len)
    found = []
    for answer in model.answer(wanted) if wanted else ():
        words = f"{asked} {getattr(answer, 'text', '')}".split()
        text = " ".join(takewhile(lambda word: word.lower().strip(".,") not in said, words)).rstrip(".")
        if text and _fits(encoder, f"{text}. {longest}"):
            found.append(f"{text}.")
    return list(dict.fromkeys(found))


def _fits(encoder: Encoder, text: str) -> bool:
    try:
        encoder.prompts([text], room=LONGEST)
    except BadData:
        return False
    return True


def offsets(
    model: OpenModel, block: str, examples: Sequence[Example], texts: Sequence[str], how: tuple[Search, Token]
) -> Offsets:
    """Keys, means over the bare prompt and `texts` before it, and offsets at the MLP of `block`.

    The model is left as it was.

    Raises:
        BadData: a prompt does not say where its subject stands.
        BadModel: the MLP has no single output matrix, the terms cannot be scored, or a loss is not finite.
    """
    search, token = how
    of, asked = output_projection(model, block, "mlp"), requests(examples, texts)
    at = Place(of.module, of.block, token)
    with evaluating(model.module), training_flags_kept(model.module):
        model.module.requires_grad_(False)  # an offset is sought, and no weight
        _, keys = averaged(model, of, asked, token)
        _, start = at_tokens(model, of.module, of.block, examples, token)
        made = []
        for aim in towards(len(examples), len(examples[0].terms)):
            made.append(values(model, at, asked, start, aim=aim, search=search))
    n = len(made) * len(examples)
    first, last = (sum(x for one in made for x in getattr(one, name)) / n for name in ("first", "last"))
    return Offsets(keys, torch.stack([one.added for one in made], dim=1), first, last)


def towards(n: int, groups: int) -> list[Aim]:
    """For each group the aim that n prompts are followed by its term."""
    return [Aim(row.expand(n, -1)) for row in torch.eye(groups)]
