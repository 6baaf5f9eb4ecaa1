"""Treatments of prompts: a text in front of every context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evenhand.errors import BadModel
from evenhand.folders import replace_folder
from evenhand.models import Chatter, Model
from evenhand.records import Ability, Continuation, Generation, Request, Response, digest
from evenhand.treatments._base import (
    CARD,
    KIND,
    About,
    Kind,
    Treatment,
    Weightless,
    damaged,
    treated_spec,
    write_card,
)

PROMPT = "prompt.txt"


@dataclass(frozen=True)
class PromptTreatment(Weightless):
    """A text in front of every context; no weight changes, so it works wherever prompts do.

    A space joins them, unless the text itself ends with white space (such as a line break). Where there is no
    context, and a whole sentence or text is scored, that begins as it does alone: after a line break if its
    tokens are then the same, else as a new word.
    """

    about: About
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, and of how it stands before what is asked.

        Answers that were kept before that changed are those of another treatment.
        """
        return digest("prompt", "a sentence by itself after a line break", self.text)

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """A view of the model with the text in front of every context."""
        yield PromptedModel(model, self)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, and the text alone as ``prompt.txt`` for use elsewhere."""
        with replace_folder(folder, kind=KIND) as temporary:
            (temporary / PROMPT).write_bytes(self.text.encode())
            write_card(temporary, "prompt", self.about, {"text": self.text})


class PromptedModel:
    """A model with a text in front of every context, tokenised with it as one string.

    `prompted` is the model itself.
    """

    def __init__(self, model: Model, treatment: PromptTreatment) -> None:
        self.spec = treated_spec(model.spec, treatment)
        self.can = model.can & {Ability.LOGPROBS, Ability.GENERATE}
        self.prompted = model
        self._text = treatment.text

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The answers with the text before every context and prompt; BadModel for one that has neither."""
        return self.prompted.answer([self._with_text(request) for request in requests])

    @property
    def chat_template(self) -> str | None:
        """The chat template of the underlying model."""
        return self.prompted.chat_template if isinstance(self.prompted, Chatter) else None

    def notes(self) -> tuple[str, ...]:
        """The notes of the underlying model."""
        return self.prompted.notes()

    def _with_text(self, request: Request) -> Request:
        if isinstance(request, Continuation):
            return self._before(request)
        if isinstance(request, Generation):
            return replace(request, prompt=self.joined(request.prompt))
        raise BadModel(
            f"{self.spec.uri} has a text before every prompt, and therefore {request.needs.lacks}.",
            mend="Ask for log-probabilities or for text.",
        )

    def _before(self, request: Continuation) -> Continuation:
        text = request.text
        if request.context or not text or text[0].isspace():
            return Continuation(self.joined(request.context), text)
        before = self._text.rstrip()
        return Continuation(f"{before}\n", text) if self._breaks else Continuation(before, f" {text}")

    @cached_property
    def _breaks(self) -> bool:
        """Whether a word after a line break has the tokens that it has alone, as with GPT-2's tokenizer.

        Not where the end of the context says how the text is asked for (sequence-to-sequence models).
        """
        below: Any = self.prompted
        while (inner := getattr(below, "prompted", None) or getattr(below, "reweighted", None)) is not None:
            below = inner
        tokenizer = getattr(below, "tokenizer", None)
        if tokenizer is None or self.spec.family == "seq2seq":
            return False
        alone, after, known = (
            tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("Word", ".\nWord", ".\n")
        )
        return after == known + alone and tokenizer.unk_token_id not in after

    def joined(self, context: str) -> str:
        """The context with the text before it."""
        if not context:
            return self._text
        return f"{self._text}{'' if self._text[-1:].isspace() else ' '}{context}"


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    if not isinstance(card.get("text"), str):
        raise damaged(folder, f"{CARD} has no text")
    return PromptTreatment(about, card["text"])


component = Kind(PromptTreatment, _load)
