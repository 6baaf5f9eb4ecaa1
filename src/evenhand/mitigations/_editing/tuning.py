"""The gradients of edits, and the training of MEND's editor on them; the model's own weights stay.

    L = c_edit L_e(W + change) + c_loc KL(base || W + change)

L_e is the aim's loss on the edited prompts, bare and behind another text, and the divergence is read at every
token of ordinary sentences. Subjects that are held out say when to stop.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.hooks import Tap, tap
from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.editor import Editor, Gradient
from evenhand.mitigations._editing.subjects import Request
from evenhand.models import OpenModel
from evenhand.models.projections import Projection
from evenhand.progress import task
from evenhand.scoring.asking import padding_of
from evenhand.scoring.forward import SelectedHead, device_of, run_rows
from evenhand.scoring.terms import Prompts
from evenhand.scoring.tokens import Encoder

_CHECK, _PATIENCE = 50, 5  # steps between two looks at the held-out subjects, and looks without a better one
_HELD = 5  # one subject in so many is held out
_SENTENCES = 4  # ordinary sentences of one step
_CLIP = 100.0


@dataclass(frozen=True)
class Recipe:
    """How an editor is trained: `batch` requests make one change (1: each its own)."""

    rank: int
    iterations: int
    batch: int
    lr: float
    lr_lr: float
    edit_lr: float
    c_edit: float
    c_loc: float


@dataclass(frozen=True)
class Course:
    """How a training went: its steps, the step that was kept, and the held-out loss before and there."""

    steps: int
    kept: int
    first: float
    best: float


class Edits:
    """The requests with their prompts, and what they and ordinary texts are read with."""

    def __init__(
        self,
        model: OpenModel,
        maps: Sequence[Projection],
        requests: Sequence[Request],
        aim: Aim,
        texts: Sequence[str],
    ) -> None:
        self.model, self.maps, self.requests, self.aim = model, tuple(maps), requests, aim
        self._bare = Prompts(model, [request.example for request in requests])
        self._each = len(requests[0].contexts)
        self._contexts = Prompts(model, [c for request in requests for c in request.contexts])
        self.texts = tuple(Encoder.of(model.module, model.tokenizer).prompts(texts))

    def gradients(self, chosen: Sequence[int]) -> list[Gradient]:
        """The tokens at each map of the loss of the requests `chosen`, summed, on the weights now."""
        seen: dict[int, tuple[Tensor, Tensor]] = {}
        with torch.enable_grad(), ExitStack() as stack:
            for i, of in enumerate(self.maps):
                stack.enter_context(tap(of.module, of.module, _watch(seen, i)))
            now = self._bare.outcomes(chosen)
            loss = self.aim.some(torch.tensor(chosen)).rows(now).sum()
            slopes = torch.autograd.grad(loss, [seen[i][1] for i in range(len(self.maps))])
        return [
            Gradient(_flat(seen[i][0].detach()).float(), _flat(slope).float())
            for i, slope in enumerate(slopes)
        ]

    def edit_loss(self, chosen: Sequence[int], context: int) -> Tensor:
        """The aim's loss, a mean over the bare prompts `chosen` and each behind the text `context`."""
        rows = [i * self._each + c for i in chosen for c in sorted({0, context})]
        of_row = torch.tensor([row // self._each for row in rows])
        return self.aim.some(of_row).rows(self._contexts.outcomes(rows)).mean()

    def texts_log_p(self, chosen: Sequence[int]) -> Tensor:
        """The log-probabilities [tokens, V] of what follows each token of the ordinary texts `chosen`."""
        rows = [self.texts[i] for i in chosen]
        with SelectedHead(self.model.module) as head:
            every = [range(len(row)) for row in rows]
            logits = run_rows(self.model.module, head, rows, every, padding=padding_of(self.model.module))
        return logits.log_softmax(1)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many contexts a request has, and how many ordinary texts there are."""
        return self._each, len(self.texts)

    @contextmanager
    def changed(self, changes: Sequence[Gradient], share: float) -> Iterator[None]:
        """Inside, each map has W + share * slopeᵀ given, without its weight being touched."""

        def more(change: Gradient) -> Tap:
            def add(output: Tensor, given: Tensor) -> Tensor:
                wide = (given.float() @ change.given.T) @ change.slope
                return output + share * wide.to(output.dtype)

            return add

        with ExitStack() as stack:
            for of, change in zip(self.maps, changes, strict=True):
                stack.enter_context(tap(of.module, of.module, more(change)))
            yield


def _watch(seen: dict[int, tuple[Tensor, Tensor]], number: int) -> Tap:
    def watch(output: Tensor, given: Tensor) -> Tensor:
        probe = torch.zeros_like(output, requires_grad=True)
        seen[number] = (given, probe)
        return output + probe

    return watch


def _flat(states: Tensor) -> Tensor:
    return states.reshape(-1, states.shape[-1])


def trained(edits: Edits, recipe: Recipe, *, seed: int) -> tuple[Editor, Course]:
    """An editor of the maps; where it stops is decided on subjects that it was not trained on.

    Raises:
        BadModel: the loss is not finite.
    """
    chance = random.Random(f"{seed} editor")
    fit, held = _parted(edits.requests, chance)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        editor = Editor([of.shape for of in edits.maps], recipe.rank, recipe.edit_lr)
    editor.to(device_of(edits.model.module))
    normal = [fit[i : i + 16] for i in range(0, len(fit), 16)]
    editor.normalise([edits.gradients(part) for part in normal])
    plain = [p for name, p in editor.named_parameters() if name != "alpha"]
    optimiser = torch.optim.Adam(
        [{"params": plain, "lr": recipe.lr}, {"params": [editor.alpha], "lr": recipe.lr_lr}]
    )
    watched = [Step.drawn(edits, part, random.Random(seed)) for part in _portions(held, recipe.batch)[:8]]
    best, kept, first = _mean_loss(edits, editor, watched, recipe), 0, 0.0
    first, state, step = best, copy.deepcopy(editor.state_dict()), 0
    with task("training the editor", recipe.iterations, unit="step") as advance:
        for step in range(1, recipe.iterations + 1):
            drawn = Step.drawn(edits, chance.sample(fit, min(recipe.batch, len(fit))), chance)
            _descend(edits, editor, optimiser, drawn, recipe)
            advance(1)
            if step % _CHECK and step != recipe.iterations:
                continue
            now = _mean_loss(edits, editor, watched, recipe)
            if now < best:
                best, kept, state = now, step, copy.deepcopy(editor.state_dict())
            elif step - kept >= _CHECK * _PATIENCE:
                break
    editor.load_state_dict(state)
    return editor, Course(step, kept, first, best)


@dataclass(frozen=True)
class Step:
    """What one step is made of: requests, the number of a text before them, numbers of ordinary texts."""

    chosen: list[int]
    context: int
    texts: list[int]

    @classmethod
    def drawn(cls, edits: Edits, chosen: Sequence[int], chance: random.Random) -> Step:
        """A step for the requests `chosen`, the rest at random."""
        contexts, texts = edits.sizes
        some = chance.sample(range(texts), min(_SENTENCES, texts))
        return cls(list(chosen), chance.randrange(contexts), some)


def loss_of(edits: Edits, editor: Editor, step: Step, recipe: Recipe) -> Tensor:
    """The loss of the editor in one step; the change is the mean over the step's requests."""
    changes = editor(edits.gradients(step.chosen))
    with torch.no_grad():
        base = edits.texts_log_p(step.texts)
    with edits.changed(changes, 1 / len(step.chosen)):
        edit = edits.edit_loss(step.chosen, step.context)
        now = edits.texts_log_p(step.texts)
    kept = (base.exp() * (base - now)).sum(1).mean()
    return recipe.c_edit * edit + recipe.c_loc * kept


def _descend(
    edits: Edits, editor: Editor, optimiser: torch.optim.Optimizer, step: Step, recipe: Recipe
) -> None:
    with torch.enable_grad():
        loss = loss_of(edits, editor, step, recipe)
        if not loss.isfinite():
            raise BadModel("The editor's loss is not finite.", mend="Lower lr, lr_lr or edit_lr.")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(editor.parameters(), _CLIP)
    optimiser.step()


def _mean_loss(edits: Edits, editor: Editor, steps: Sequence[Step], recipe: Recipe) -> float:
    with torch.no_grad():
        found = [float(loss_of(edits, editor, step, recipe)) for step in steps]
    return sum(found) / len(found)


def _parted(requests: Sequence[Request], chance: random.Random) -> tuple[list[int], list[int]]:
    """The numbers of the requests to train on, and of those whose subjects are held out."""
    subjects = sorted({request.example.cluster for request in requests})
    if len(subjects) < 2:
        raise BadModel(
            "An editor needs prompts about two subjects at least: some to train on, and others to stop by.",
            mend="Give more prompts, or use r_rome.",
        )
    chance.shuffle(subjects)
    out = set(subjects[: max(1, len(subjects) // _HELD)])
    numbers = range(len(requests))
    held = [i for i in numbers if requests[i].example.cluster in out]
    return [i for i in numbers if requests[i].example.cluster not in out], held


def _portions(numbers: Sequence[int], size: int) -> list[list[int]]:
    return [list(numbers[i : i + size]) for i in range(0, len(numbers), size)]


@torch.no_grad()
def applied(edits: Edits, editor: Editor, *, sequential: bool, signs: Sequence[float] | None = None) -> None:
    """Write the editor's changes of all requests into the model, each times its sign of a sham, +1 or -1.

    Sequential: one request after another, each gradient on the weights as edited until then. Else all at once
    from the gradients of the base, their mean, as the editor was trained to change it.
    """
    n = len(edits.requests)
    weights = [of.exact() for of in edits.maps]
    size = 1 if sequential else 16
    total = [torch.zeros_like(weight) for weight in weights]
    with task("edits", n, unit="edit") as advance:
        for part in _portions(range(n), size):
            for sign in (1.0, -1.0):
                some = [i for i in part if (1.0 if signs is None else signs[i]) == sign]
                for i, change in enumerate(editor(edits.gradients(some)) if some else ()):
                    total[i] += sign * (change.slope.T.double() @ change.given.double()).to(total[i])
            if sequential:
                _put(edits, weights, total, 1.0)
            advance(len(part))
    _put(edits, weights, total, 1.0 if sequential else 1 / n)


def _put(edits: Edits, weights: Sequence[Tensor], total: Sequence[Tensor], share: float) -> None:
    for of, weight, change in zip(edits.maps, weights, total, strict=True):
        if not change.isfinite().all():
            raise BadModel("An edit is not finite.", mend="Write state=batch, or fewer edits.")
        of.put(weight + share * change)
