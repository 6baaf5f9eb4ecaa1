"""The adversary: a distribution over prefixes, trained to maximise the distance between twins' answers.

It holds one row of logits over the vocabulary for each position of the prefix (FairCon, section 3.2: 10
positions, standard normal start, Adam with rate 0.1, temperature 1). Each step draws one prefix with Gumbel
noise (one-hot forward, softmax backward), puts it in front of every prompt, and updates the logits. The
result is evaluated without noise: the likeliest token of each position, and then its text, which a tokenizer
may split differently.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.mitigations._adversarial.panel import JOINT
from evenhand.training.gumbel import straight_through
from evenhand.training.loop import shuffled_once

Objective = Callable[[Tensor, Sequence[int]], Tensor]
"""What an adversary maximises: a scalar function of a prefix [length, V] and the indices of some people."""


@dataclass(frozen=True)
class PrefixSettings:
    """Settings of an adversary: prefix length in tokens, Adam's learning rate, temperature of the draws."""

    length: int = 10
    lr: float = 0.1
    tau: float = 1.0


def stream(seed: int, *names: object) -> torch.Generator:
    """A separate random generator for each purpose: the draws of one part never affect those of another."""
    text = f"{seed} " + " ".join(map(str, names))
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]))


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[list[int]]:
    """The numbers 0..n-1 in a random order, in lists of `size` (the last may be shorter)."""
    for part in shuffled_once(n, size, generator):
        yield part.tolist()


def writable(tokenizer: Any, vocabulary: int) -> Tensor:
    """Which of the `vocabulary` ids can stand in a text, bool [V].

    Excluded are special tokens, rows beyond the tokenizer's vocabulary, ids of white space only or of
    invisible characters, and fragments of a character: they change when decoded and tokenised again.

    Raises:
        BadModel: no id is left.
    """
    special = set(tokenizer.all_special_ids)
    texts = tokenizer.batch_decode([[i] for i in range(min(vocabulary, len(tokenizer)))])
    good = [bool(t.strip()) and t.isprintable() and "\N{REPLACEMENT CHARACTER}" not in t for t in texts]
    allowed = torch.zeros(vocabulary, dtype=torch.bool)
    allowed[: len(good)] = torch.tensor(good)
    allowed[[i for i in special if i < vocabulary]] = False
    if not bool(allowed.any()):
        raise BadModel(
            "No token of this tokenizer decodes to visible text.", mend="Use search=score, or another model."
        )
    return allowed


def embedding_rows(module: Any) -> int:
    """The number of rows of the model's embedding layer."""
    return int(module.get_input_embeddings().weight.shape[0])


class Adversary:
    """One prefix under training. `allowed` [V] says which ids it may use; `seed` decides its start."""

    def __init__(self, allowed: Tensor, settings: PrefixSettings, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self._banned = ~allowed
        start = torch.randn(settings.length, len(allowed), generator=stream(seed, "adversary"))
        self.logits = start.to(allowed.device).requires_grad_()
        self._optimiser = torch.optim.Adam([self.logits], lr=settings.lr, maximize=True)

    def draw(self, generator: torch.Generator | None) -> Tensor:
        """A prefix as one-hot rows [length, V] with gradients; without a generator the likeliest one."""
        logits = self.logits.masked_fill(self._banned, -math.inf)
        return straight_through(logits, tau=self.settings.tau, generator=generator)

    def step(
        self, objective: Objective, rounds: Iterator[list[int]], generator: torch.Generator
    ) -> list[float]:
        """One ascent step on `objective` for each list of people in `rounds`; gives the value before each."""
        values = []
        for chosen in rounds:
            with torch.enable_grad():
                value = objective(self.draw(generator), chosen)
                self._optimiser.zero_grad()
                (self.logits.grad,) = torch.autograd.grad(value, [self.logits])
            self._optimiser.step()
            values.append(float(value.detach()))
        return values

    def ids(self) -> list[int]:
        """The likeliest id of each position."""
        return self.logits.detach().masked_fill(self._banned, -math.inf).argmax(dim=-1).tolist()

    def state(self) -> dict[str, Tensor]:
        """Everything that a later `restore` needs, as named tensors."""
        inner = self._optimiser.state_dict()["state"].get(0, {})
        return {"logits": self.logits.detach().clone(), **{f"adam.{k}": v.clone() for k, v in inner.items()}}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a `state`."""
        with torch.no_grad():
            self.logits.copy_(state["logits"])
        adam = {key.removeprefix("adam."): value for key, value in state.items() if key.startswith("adam.")}
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": {0: adam} if adam else {}, "param_groups": groups})


def one_hot(ids: Sequence[int], vocabulary: int, device: torch.device | None = None) -> Tensor:
    """Ids as the rows that a panel takes for a prefix, float32 [len(ids), vocabulary]."""
    rows = torch.zeros(len(ids), vocabulary, device=device)
    rows[torch.arange(len(ids)), torch.tensor(list(ids))] = 1.0
    return rows


def written(tokenizer: Any, ids: Sequence[int]) -> str:
    """The prefix as the text in front of a prompt, ending in `JOINT`."""
    text: str = tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
    return text + JOINT


def survives(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether the tokenizer splits the decoded prefix into exactly these ids again."""
    text = written(tokenizer, ids).removesuffix(JOINT)
    return bool(tokenizer(text, add_special_tokens=False)["input_ids"] == list(ids))
