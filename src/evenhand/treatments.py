"""Treatments: what a mitigation leaves behind. Apply, leave bit for bit, save, load, and prove an effect.

A treatment folder holds ``mitigation.json`` (what it is, of which model, with which proof), for a change of
weights ``weights.safetensors`` with the treated values in float32, and for a rule on scores ``rule.json``.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from evenhand.errors import BadData, BadModel, Inconclusive, NoEffect, UnknownName
from evenhand.files import parse_json
from evenhand.folders import replace_folder, settle
from evenhand.models import Chatter, Model, OpenModel, logprobs
from evenhand.postprocessing.ruled import PromptRule, RuledModel, from_extra
from evenhand.postprocessing.rules import read_rule, save_rule
from evenhand.records import (
    Ability,
    Continuation,
    Generation,
    Material,
    ModelSpec,
    Request,
    Response,
    Undefined,
    digest,
    from_json,
    to_json,
)

CARD = "mitigation.json"
WEIGHTS = "weights.safetensors"
RULE = "rule.json"
PROMPT = "prompt.txt"
KIND = "treatment"


@dataclass(frozen=True)
class About:
    """What every treatment says of itself.

    Attributes:
        method: the mitigation's canonical spec, such as ``lftf:loss=nll``.
        base: digest of the model that it was fitted to; it applies to no other.
        seed: the seed of the fit.
        details: what the method wants to tell (blocks, losses, steps), JSON values.
        proof: how the treated model differs from the base; empty until `prove` ran.
    """

    method: str
    base: str
    seed: int
    details: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Treatment(Protocol):
    """A fitted mitigation."""

    @property
    def about(self) -> About:
        """What it is, of which model, with which proof."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides what the treatment does."""
        ...

    def applied(self, model: Model) -> AbstractContextManager[Model]:
        """The treated model; leaving the context restores the model bit for bit."""
        ...

    def save(self, folder: Path) -> None:
        """Write the treatment into `folder`, whole or not at all."""
        ...


@dataclass(frozen=True)
class WeightTreatment:
    """New values for some parameters, by their name in the model, float32."""

    about: About
    weights: Mapping[str, Tensor]

    @property
    def digest(self) -> str:
        """SHA-256 of the base, the names and the bytes of the treated values."""
        sums = {name: _sha256(value) for name, value in sorted(self.weights.items())}
        return digest("weights", self.about.base, sums)

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """Swap the treated values in; on exit the original bits are copied back.

        Raises:
            BadModel: the weights are out of reach, or the treatment was fitted to another model.
        """
        module = _open(model).module
        _check_base(self.about, model.spec)
        parameters = dict(module.named_parameters())
        _check_names(self.weights, parameters)
        originals = {name: parameters[name].detach().clone() for name in self.weights}
        try:
            _write(parameters, self.weights)
            yield _relabelled(model, self)
        finally:
            _write(parameters, originals)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json`` and ``weights.safetensors``."""
        from safetensors.torch import save_file

        with replace_folder(folder, kind=KIND) as temporary:
            save_file({name: value.contiguous() for name, value in self.weights.items()}, temporary / WEIGHTS)
            _write_card(temporary, "weights", self.about, {"digest": self.digest})


@dataclass(frozen=True)
class PromptTreatment:
    """A text in front of every context; no weight changes, so it works wherever prompts do.

    A space joins them, unless the text itself ends with white space (such as a line break).
    """

    about: About
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return digest("prompt", self.text)

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """A view of the model that sees the text first."""
        yield PromptedModel(model, self)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, and the text alone as ``prompt.txt`` for use elsewhere."""
        with replace_folder(folder, kind=KIND) as temporary:
            (temporary / PROMPT).write_bytes(self.text.encode())
            _write_card(temporary, "prompt", self.about, {"text": self.text})


class PromptedModel:
    """A model with a text in front of every context, tokenised with it as one string."""

    def __init__(self, model: Model, treatment: PromptTreatment) -> None:
        self.spec = _treated_spec(model.spec, treatment)
        self.can = model.can & {Ability.LOGPROBS, Ability.GENERATE}
        self._model = model
        self._text = treatment.text

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The answers with the text before every context and prompt; BadModel for one that has neither."""
        return self._model.answer([self._with_text(request) for request in requests])

    @property
    def chat_template(self) -> str | None:
        """That of the model behind the text."""
        return self._model.chat_template if isinstance(self._model, Chatter) else None

    def notes(self) -> tuple[str, ...]:
        """The notes of the model behind the text."""
        return self._model.notes()

    def _with_text(self, request: Request) -> Request:
        if isinstance(request, Continuation):
            return Continuation(self._joined(request.context), request.text)
        if isinstance(request, Generation):
            return dataclasses.replace(request, prompt=self._joined(request.prompt))
        raise BadModel(
            f"{self.spec.uri} has a text before every prompt and {request.needs.lacks} behind it.",
            mend="Ask for log-probabilities or for text.",
        )

    def _joined(self, context: str) -> str:
        if not context:
            return self._text
        return f"{self._text}{'' if self._text[-1:].isspace() else ' '}{context}"


@dataclass(frozen=True)
class RuleTreatment:
    """A rule on the label words' scores; no weight changes, so it works wherever log-probabilities do."""

    about: About
    ruled: PromptRule

    @property
    def digest(self) -> str:
        """SHA-256 of the rule, the label words and what tells a prompt's group."""
        return digest("rule", self.ruled.rule, self.ruled.extra())

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """A view of the model whose label words follow the rule.

        Raises:
            BadModel: the model's weights are known, and the rule was fitted to another model's scores.
        """
        if Ability.WEIGHTS in model.can:  # the digest of an endpoint or of a file says less than that
            _check_base(self.about, model.spec)
        yield RuledModel(model, self.ruled, _treated_spec(model.spec, self))

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, and ``rule.json``, which `evenhand.postprocessing` reads too."""
        with replace_folder(folder, kind=KIND) as temporary:
            save_rule(self.ruled.rule, temporary / RULE, self.ruled.extra())
            _write_card(temporary, "rule", self.about, {"digest": self.digest})


def load(folder: Path | str) -> Treatment:
    """The treatment that `save` wrote into `folder`.

    Raises:
        BadData: the folder holds no treatment, or a damaged one.
    """
    folder = Path(folder)
    settle(folder)
    try:
        card = parse_json((folder / CARD).read_bytes())
        about = from_json(About, card["about"])
        kind = card["kind"]
    except FileNotFoundError:
        raise BadData(
            f"{folder} holds no {CARD}.", mend="Name a folder that `evenhand mitigate` wrote."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error).splitlines()[0]) from None
    except OSError as error:
        raise _damaged(folder, f"{CARD} cannot be read: {error.strerror}") from None
    if not isinstance(kind, str) or kind not in _LOADERS:
        raise UnknownName("kind of treatment", str(kind), _LOADERS)
    return _LOADERS[kind](folder, about, card)


def _load_weights(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        (folder / WEIGHTS).open("rb").close()  # safetensors calls each file missing that it cannot read
        treatment = WeightTreatment(about, load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise _damaged(folder, getattr(error, "strerror", None) or str(error)) from None
    if treatment.digest != card.get("digest"):
        raise _damaged(folder, f"{WEIGHTS} does not have the digest that {CARD} states")
    return treatment


def _load_prompt(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    if not isinstance(card.get("text"), str):
        raise _damaged(folder, f"{CARD} has no text")
    return PromptTreatment(about, card["text"])


def _load_rule(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    rule, extra = read_rule(folder / RULE)
    try:
        treatment = RuleTreatment(about, from_extra(rule, extra))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{RULE}: {str(error).splitlines()[0]}") from None
    if treatment.digest != card.get("digest"):
        raise _damaged(folder, f"{RULE} does not have the digest that {CARD} states")
    return treatment


_LOADERS = {"weights": _load_weights, "prompt": _load_prompt, "rule": _load_rule}


def prove(
    model: Model, treatment: Treatment, examples: Sequence[Material], *, most: int = 32
) -> Mapping[str, Any]:
    """Evidence that the treated model is not the base: how far its answers on some examples moved.

    Returns `max_logprob_change` (nats) and `prompts`, and for weights `tensors`, `weights`, the share
    `moved` (after the cast to the model's own dtype) and `max_weight_change`.

    Raises:
        NoEffect: not one answer differs by a single bit.
        Inconclusive: the model has no answer to any of them.
    """
    items = [request for example in examples[:most] for request in example.requests()]
    before = logprobs(model, items)
    with treatment.applied(model) as treated:
        after = logprobs(treated, items)
    changes = [
        abs(a.value - b.value)
        for a, b in zip(after, before, strict=True)
        if not isinstance(a, Undefined) and not isinstance(b, Undefined)
    ]
    if items and not changes:
        raise Inconclusive(
            f"{model.spec.uri} has no answer to any of the {len(items)} requests that would show what "
            f"{treatment.about.method} did.",
            mend="Use a model that answers the prompts that it is treated with.",
        )
    largest = max(changes, default=0.0)
    if largest == 0.0:
        raise NoEffect(
            f"{treatment.about.method} left every answer exactly as it was.",
            mend="Raise its learning rate or its epochs, or check that the dtype can hold such small steps.",
        )
    proof: dict[str, Any] = {"max_logprob_change": largest, "prompts": min(most, len(examples))}
    if isinstance(treatment, WeightTreatment):
        proof |= _weight_proof(_open(model).module, treatment.weights)
    return proof


def proven(model: Model, treatment: Any, examples: Sequence[Material]) -> Any:
    """The treatment with its proof filled in; see `prove`."""
    about = dataclasses.replace(treatment.about, proof=prove(model, treatment, examples))
    return dataclasses.replace(treatment, about=about)


def _weight_proof(module: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    parameters = dict(module.named_parameters())
    total = moved = 0
    largest = 0.0
    for name, value in weights.items():
        old = parameters[name].detach()
        change = (value.to(old) - old).abs()
        total += change.numel()
        moved += int((change > 0).sum())
        largest = max(largest, float(change.max()))
    return {"tensors": len(weights), "weights": total, "moved": moved / total, "max_weight_change": largest}


def _open(model: Model) -> OpenModel:
    if not isinstance(model, OpenModel) or Ability.WEIGHTS not in model.can:
        raise BadModel(
            f"{model.spec.uri} does not give access to its weights.",
            mend="Use a model whose weights are in hand (hf: or lab:), or one that works on prompts.",
        )
    return model


def _check_base(about: About, spec: ModelSpec) -> None:
    if about.base != spec.digest:
        raise BadModel(
            f"This {about.method} treatment was fitted to a model with digest {about.base[:12]}, "
            f"but {spec.uri} has {spec.digest[:12]}.",
            mend="Apply it to the model that it was fitted to, or fit it again with `evenhand mitigate`.",
        )


def _check_names(weights: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]) -> None:
    for name, value in weights.items():
        if name not in parameters or parameters[name].shape != value.shape:
            raise BadModel(
                f"The treatment changes {name} of shape {tuple(value.shape)}, which this model lacks.",
                mend="Apply it to the model that it was fitted to.",
            )


@torch.no_grad()
def _write(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)


def _treated_spec(spec: ModelSpec, treatment: Treatment) -> ModelSpec:
    return dataclasses.replace(spec, digest=digest(spec.digest, treatment.digest))


def _relabelled(model: Model, treatment: Treatment) -> Model:
    view = copy.copy(model)
    view.spec = _treated_spec(model.spec, treatment)
    return view


def _sha256(value: Tensor) -> str:
    data = value.detach().cpu().contiguous()
    head = f"{data.dtype}{tuple(data.shape)}".encode()
    return hashlib.sha256(head + data.view(torch.uint8).numpy().tobytes()).hexdigest()


def _write_card(folder: Path, kind: str, about: About, more: Mapping[str, Any]) -> None:
    card = {"kind": kind, "about": to_json(about), **more}
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _damaged(folder: Path, reason: str) -> BadData:
    return BadData(
        f"The treatment in {folder} is damaged: {reason}.", mend="Write it again with `evenhand mitigate`."
    )
