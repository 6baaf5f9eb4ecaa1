"""``recorded:file.jsonl``: answers collected elsewhere, by sample or by their exact text (no torch needed).

One JSON object per line, UTF-8. An answer is identified by its sample, as ``evenhand measure ... --dry-run
--json`` prints it (`request` counts the requests of a sample from 0 and may be left out for the first; a list
of log-probabilities answers all requests of a sample in order):

``{"sample": "honest/binary/0", "request": 2, "completion": " nurse.", "n_tokens": 2}``
``{"sample": "facts/world/capitals/japan", "logprobs": [-0.1, -4.2, -3.9, -5.0], "n_tokens": [1, 1, 1, 2]}``

Or by the text itself:

``{"context": "The nurse left because", "text": " she", "logprob": -0.7, "n_tokens": 1}``
``{"prompt": "The nurse left because", "logprobs": {" she": -0.7, " he": -1.1}}``
``{"prompt": "The nurse said", "completion": " that it was late.", "n_tokens": 5}``

``"error": "why"`` in place of an answer means that there is none: the item is undefined. Lines of a batch
service's output file (OpenAI's: `custom_id`, `response`, `error`) are read as they are; `custom_id` is the
one that the dry run prints (see `evenhand.models.batches`).

Log-probabilities are in nats, and impossible values are refused (`evenhand.models.plausible`). Without
`n_tokens` a text counts as one token. ``"kind": "pseudo"`` marks a masked model's pseudo-likelihood,
``"mean"`` a mean per token or another score, whose exponentials need not sum to 1. An answer by sample takes
precedence over one by text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from evenhand.errors import BadData, BadModel, listed
from evenhand.files import expanded
from evenhand.models import Asked, plausible
from evenhand.models.recorded_lines import read
from evenhand.records import (
    Ability,
    Completion,
    Continuation,
    Generation,
    LogProb,
    ModelSpec,
    Request,
    Response,
    Undefined,
    answer_in_groups,
)

Key = TypeVar("Key")
Answer = TypeVar("Answer")
_SHOWN = 5


class RecordedModel:
    """A `Model` that answers from a file; `can` says which kinds of answers the file holds.

    Raises:
        BadData: the file is missing, empty or malformed; every problem is listed with its line number.
    """

    def __init__(self, path: Path) -> None:
        self._answers = read(path)
        kinds = self._answers.kinds
        lost = Undefined in kinds  # a request of either kind may have no answer
        found = {
            Ability.LOGPROBS: lost or LogProb in kinds,
            Ability.GENERATE: lost or Completion in kinds,
        }
        self.can = frozenset(capability for capability, there in found.items() if there)
        self.spec = ModelSpec(uri=f"recorded:{path}", digest=self._answers.digest)
        self._path = path

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The recorded answers by their text, in the order of `requests`; sampling options have no effect.

        Raises:
            BadModel: the file holds no answers of a requested kind, or impossible log-probabilities
                (`plausible.check`).
            BadData: it holds none for some of the requests.
        """
        return answer_in_groups(requests, type, self._answer_kind)

    def _answer_kind(self, kind: type, group: Sequence[Request]) -> Sequence[Response]:
        if kind is Continuation:
            return self._logprobs([one for one in group if isinstance(one, Continuation)])
        if kind is Generation:
            return self._texts([one.prompt for one in group if isinstance(one, Generation)])
        raise BadModel(
            f"{self._path} is asked for {_shown(group[0])}.",
            mend="Use a model with access to its weights (hf: or lab:).",
        )

    def _logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        self._require(Ability.LOGPROBS, "log-probabilities (context, text, logprob)")
        shown = {item: f"{item.text!r} after {item.context!r}" for item in items}
        found = _look_up(self._answers.logprobs, items, shown, self._path)
        self._check(zip(items, found, strict=True))
        return found

    def _texts(self, prompts: Sequence[str]) -> list[Completion]:
        self._require(Ability.GENERATE, "completions (prompt, completion)")
        shown = {prompt: repr(prompt) for prompt in prompts}
        return _look_up(self._answers.completions, prompts, shown, self._path)

    def answer_placed(self, asked: Sequence[Asked]) -> list[Response]:
        """The recorded answer to each request of a benchmark: by its sample, else by its text.

        Raises:
            BadData: some have none, or one of another kind; they are listed with their samples.
            BadModel: there are impossible log-probabilities (`plausible.check`).
        """
        found: list[Response] = []
        scored: list[tuple[Continuation, LogProb]] = []
        problems = []
        for one in asked:
            answer = self._placed(one)
            if answer is None:
                problems.append(f"{one.sample}, request {one.index} ({_shown(one.request)})")
                continue
            found.append(answer)
            if isinstance(one.request, Continuation) and isinstance(answer, LogProb):
                scored.append((one.request, answer))
        if problems:
            n = len(found) + len(problems)
            raise BadData(
                f"{self._path} lacks {len(problems)} of {n} answers: {listed(problems, _SHOWN)}.",
                mend="Record these too; `evenhand measure ... --dry-run --json` prints every request, with "
                "its sample, its number and its custom_id.",
            )
        self._check(scored)
        return found

    def _check(self, scored: Iterable[tuple[Continuation, LogProb]]) -> None:
        try:
            plausible.check(scored, str(self._path))
        except BadModel as refusal:
            raise BadModel(
                refusal.what,
                mend="Record the natural logarithm of each text's probability, summed over its tokens; write "
                '"kind": "mean" into lines whose values are means per token or other scores.',
            ) from None

    def _placed(self, one: Asked) -> Response | None:
        kept = self._answers.placed(one)
        if isinstance(kept, Undefined):
            return kept
        if isinstance(one.request, Generation):
            return kept if isinstance(kept, Completion) else self._answers.completions.get(one.request.prompt)
        if isinstance(one.request, Continuation):
            return kept if isinstance(kept, LogProb) else self._answers.logprobs.get(one.request)
        return None

    def notes(self) -> tuple[str, ...]:
        """Nothing: how the answers were made is not in the file."""
        return ()

    def _require(self, capability: Ability, what: str) -> None:
        if capability not in self.can:
            raise BadModel(
                f"{self._path} holds no {what}.", mend="Record them, or use a benchmark that needs none."
            )


def open_recorded(rest: str, **options: Any) -> RecordedModel:
    """Open ``recorded:REST``; options that concern running a model do not apply.

    Raises:
        BadData: see `RecordedModel`.
    """
    return RecordedModel(expanded(Path(rest)))


def _shown(request: Request) -> str:
    if isinstance(request, Generation):
        return f"text after {request.prompt[-60:]!r}"
    if isinstance(request, Continuation):
        return f"{request.text!r} after {request.context[-60:]!r}"
    return f"a {type(request).__name__}, which cannot be recorded"


def _look_up(
    answers: Mapping[Key, Answer], keys: Sequence[Key], shown: Mapping[Key, str], path: Path
) -> list[Answer]:
    missing = [text for key, text in shown.items() if key not in answers]
    if missing:
        raise BadData(
            f"{path} lacks {len(missing)} of {len(shown)} answers: {listed(missing, _SHOWN)}.",
            mend="Record these too; context, text and prompt must match exactly.",
        )
    return [answers[key] for key in keys]
