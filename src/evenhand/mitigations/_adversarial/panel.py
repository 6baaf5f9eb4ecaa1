"""A panel: tokenised prompts of people for an open model, with or without a prefix, with gradients to both.

The prefix is a table of one-hot rows over the vocabulary, such as `evenhand.training.gumbel.straight_through`
draws. It stands after the tokenizer's begin-of-text token and before `JOINT` and the prompt, exactly where
its text would stand. Its rows replace the output of the model's own embedding layer for the same ids, so all
that an architecture does to embeddings (scaling, positions, norms) is applied to the prefix as well, and
attention mask and positions include it like any other text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.architectures import is_recurrent, window
from evenhand.errors import BadData, BadModel
from evenhand.hooks import tap
from evenhand.mitigations._adversarial.distances import Distance, distances, task_loss
from evenhand.models import described
from evenhand.records import Continuation, PersonExample
from evenhand.scoring.asking import Weights, asking
from evenhand.scoring.forward import Padding, SelectedHead, run_rows
from evenhand.scoring.tokens import Encoded, Encoder, embedding_rows, shown

JOINT = "\n"
"""Text between a prefix and the prompt: most tokenizers split there, so text and ids of a prefix agree."""

LOOKED = 64  # people of a pass without gradients


@dataclass(frozen=True)
class Answers:
    """The model's answers: `log_p` [N, k, L] as in the module `distances` of this folder, with gradients.

    `logits` [N, k, V] are those after the prompt, None where they were not requested. `groups` and `labels`,
    int64 [N], are the people's own group and true outcome.
    """

    log_p: Tensor
    groups: Tensor
    labels: Tensor
    logits: Tensor | None = None

    def task(self) -> Tensor:
        """Cross-entropy of the true label word, a scalar in nats."""
        return task_loss(self.log_p, self.groups, self.labels)

    def apart(self, kind: Distance, weights: Tensor | None = None) -> Tensor:
        """Mean distance between twins, a scalar; each person's times one of the `weights` [N], if given."""
        found = distances(kind, self.log_p, self.logits)
        return (found if weights is None else found * weights.to(found)).mean()


@dataclass(frozen=True, slots=True)
class _Row:
    """One input row: its ids, the positions read from it, and for each the label and the target id."""

    ids: tuple[int, ...]
    reads: tuple[tuple[int, int, int], ...]

    @property
    def positions(self) -> list[int]:
        """The positions that are read, each once: labels of a single token share a position."""
        return sorted({position for position, _, _ in self.reads})


_Heads = Mapping[tuple[int, int], int]


class Panel:
    """People tokenised once for one model. `length` is the length of the prefixes that will be put in front.

    Raises:
        BadData: there are no people, people have different groups or label words, or a prompt with its prefix
            does not fit into the model's window.
        BadModel: two label words share their first token, or the tokenizer merges prompt and label.
    """

    def __init__(self, model: Weights, people: Sequence[PersonExample], *, length: int = 0) -> None:
        check_people(people)
        if not asking(model).restarts:
            spec: Any = getattr(model, "spec", None)
            raise BadModel(
                f"{spec.uri} is {described(spec)}, and a prefix is searched before prompts that are read "
                "from left to right.",
                mend="Use a causal model, or `--with fair_prompt:search=score`.",
            )
        self.people = tuple(people)
        self.length = length
        self._module: Any = model.module
        self._encoder = Encoder(model.tokenizer, rows=embedding_rows(model.module))
        limit = window(getattr(model.module, "config", None))
        self._plain = [self._rows(person, "", 0, limit) for person in people]
        self._prefixed = [self._rows(person, JOINT, length, limit) for person in people] if length else []
        device = next(model.module.parameters()).device
        self._groups = torch.tensor([person.group for person in people], device=device)
        self._labels = torch.tensor([person.label for person in people], device=device)

    def __len__(self) -> int:
        return len(self.people)

    def answers(
        self, chosen: Sequence[int], prefix: Tensor | None = None, *, vocabulary: bool = False
    ) -> Answers:
        """One forward pass over all twins of the `chosen` people, after `prefix` [length, V] if given."""
        rows = [rows for i in chosen for rows in (self._plain if prefix is None else self._prefixed)[i]]
        flat = [row for of_context in rows for row in of_context]
        heads = _heads(flat)
        logits = self._forward(flat, prefix)  # [R, V], one row for each position that is read
        log_p = self._label_log_p(rows, heads, logits.log_softmax(-1))
        shape = (len(chosen), len(self.people[0].groups))
        index = torch.tensor(list(chosen), device=self._groups.device)
        return Answers(
            log_p.view(*shape, -1),
            self._groups[index],
            self._labels[index],
            logits[_first(rows, heads)].view(*shape, -1) if vocabulary else None,
        )

    @torch.no_grad()
    def everyone(
        self, prefix: Tensor | None = None, *, batch: int = LOOKED, vocabulary: bool = False
    ) -> Answers:
        """The answers about all people, in batches, without gradients."""
        parts = [
            self.answers(range(i, min(i + batch, len(self))), prefix, vocabulary=vocabulary)
            for i in range(0, len(self), batch)
        ]
        logits = [part.logits for part in parts if part.logits is not None]
        return Answers(
            torch.cat([part.log_p for part in parts]),
            self._groups,
            self._labels,
            torch.cat(logits) if logits else None,
        )

    def _rows(self, person: PersonExample, joint: str, length: int, window: int | None) -> list[list[_Row]]:
        """The rows of each twin: one row if all labels are single tokens, else one for each label."""
        found = []
        for context in person.contexts:
            encoded = self._encoder.encode([Continuation(joint + context, word) for word in person.labels])
            _check_apart(person, encoded)
            longest = max(len(one.ids) - 1 for one in encoded) + length
            if window is not None and longest > window:
                raise BadData(
                    f"The prompt of {person.id!r} has {longest} tokens with its label and a prefix of "
                    f"{length}; the model's window holds {window}.",
                    mend="Use fewer demonstrations, a shorter template or a shorter prefix (length=...).",
                )
            found.append(_shared(encoded))
        return found

    def _forward(self, rows: Sequence[_Row], prefix: Tensor | None) -> Tensor:
        at = len(self._encoder.prefix)
        ids = [] if prefix is None else prefix.detach().argmax(dim=-1).tolist()
        full = [(*row.ids[:at], *ids, *row.ids[at:]) for row in rows]
        reads = [[position + len(ids) for position in row.positions] for row in rows]
        recurrent = is_recurrent(getattr(self._module, "config", None))
        padding: Padding = "right" if recurrent else "left"
        with SelectedHead(self._module) as head:
            if prefix is None:
                return run_rows(self._module, head, full, reads, padding=padding)
            width = max(map(len, full))
            starts = [at + (0 if recurrent else width - len(row)) for row in full]
            with _replaced(self._module, prefix, starts):
                return run_rows(self._module, head, full, reads, padding=padding)

    def _label_log_p(self, rows: Sequence[Sequence[_Row]], heads: _Heads, table: Tensor) -> Tensor:
        """The sum over each label word's tokens, [contexts * L], from the log-softmax `table` [R, V]."""
        labels = len(self.people[0].labels)
        numbered = enumerate((context, row) for context, of_context in enumerate(rows) for row in of_context)
        reads = [
            (context * labels + label, heads[number, position], target)
            for number, (context, row) in numbered
            for position, label, target in row.reads
        ]
        owner, place, target = torch.tensor(reads, device=table.device).T
        total = torch.zeros(len(rows) * labels, dtype=table.dtype, device=table.device)
        return total.index_add(0, owner, table[place, target])


def _heads(rows: Sequence[_Row]) -> _Heads:
    """The index of each (row, position) among the rows of the output head in a forward pass."""
    places = [(number, position) for number, row in enumerate(rows) for position in row.positions]
    return {place: i for i, place in enumerate(places)}


def _first(rows: Sequence[Sequence[_Row]], heads: _Heads) -> list[int]:
    """The index of the output head's row directly after each prompt."""
    found, number = [], 0
    for of_context in rows:
        found.append(heads[number, of_context[0].positions[0]])
        number += len(of_context)
    return found


def check_people(people: Sequence[PersonExample]) -> None:
    """Check that these people belong to one decision task.

    Raises:
        BadData: no people, one group only, one label word only, or different groups or label words.
    """
    if not people:
        raise BadData("There are no people to decide on.", mend="Give at least one of the train part.")
    first = people[0]
    if len(first.groups) < 2 or len(first.labels) < 2:
        raise BadData(
            f"Decisions need two groups and two label words or more, not {first.groups} and {first.labels}.",
            mend="Name an attribute with at least two values, and one label word for each outcome.",
        )
    if any((p.groups, p.labels) != (first.groups, first.labels) for p in people):
        raise BadData("The people have different groups or label words.", mend="Use one task for all.")


def _check_apart(person: PersonExample, encoded: Sequence[Encoded]) -> None:
    first = {one.ids[one.start]: word for one, word in zip(encoded, person.labels, strict=True)}
    if len(first) < len(person.labels):
        raise BadModel(
            f"With this tokenizer some of the label words {', '.join(map(shown, person.labels))} share their "
            "first token, so the decision is not made at the position where it is read.",
            mend="Choose label words whose first tokens differ for this tokenizer, such as labels=bad|good.",
        )


def _shared(encoded: Sequence[Encoded]) -> list[_Row]:
    rows: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for label, one in enumerate(encoded):
        reads = [(i - 1, label, one.ids[i]) for i in range(one.start, len(one.ids))]
        rows.setdefault(one.ids[:-1], []).extend(reads)
    return [_Row(ids, tuple(reads)) for ids, reads in rows.items()]


@contextmanager
def _replaced(module: Any, prefix: Tensor, starts: Sequence[int]) -> Iterator[None]:
    """Replace the embeddings from `starts` on by those of `prefix`, with gradients."""
    layer: nn.Module = module.get_input_embeddings()

    def replace(output: Tensor, _: Tensor) -> Tensor:
        # [length, V] @ [V, d] to [length, d], put into `output` [rows, width, d] at places [rows, length].
        rows = prefix.to(output.dtype) @ _table(layer, prefix.shape[1]).to(output.dtype)
        index = torch.arange(len(starts), device=output.device)[:, None]
        places = torch.tensor(starts, device=output.device)[:, None] + torch.arange(
            len(prefix), device=output.device
        )
        return output.index_put((index, places), rows.expand(len(starts), -1, -1))

    with tap(layer, layer, replace):
        yield


def _table(layer: nn.Module, vocabulary: int) -> Tensor:
    """The embedding of every token, [V, d]: the layer's weight, or its output if it scales the weight."""
    if type(layer) is nn.Embedding:
        return layer.weight.detach()
    ids = torch.arange(vocabulary, device=next(layer.parameters()).device)
    forward: Any = layer.forward  # not the call: the hook must not see it
    with torch.no_grad():
        table: Tensor = forward(ids)
    return table
