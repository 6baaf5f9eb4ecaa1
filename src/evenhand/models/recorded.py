"""``recorded:file.jsonl``: answers collected elsewhere, by sample or by their exact text (no torch needed).

One JSON object a line, UTF-8. By the sample that asked, as ``evenhand measure ... --dry-run --json`` prints
it (`request` counts the requests of a sample from 0 and may be left out for the first; a list of
log-probabilities answers all requests of a sample in order):

``{"sample": "honest/binary/0", "request": 2, "completion": " nurse.", "n_tokens": 2}``
``{"sample": "facts/world/capitals/japan", "logprobs": [-0.1, -4.2, -3.9, -5.0], "n_tokens": [1, 1, 1, 2]}``

Or by the text itself:

``{"context": "The nurse left because", "text": " she", "logprob": -0.7, "n_tokens": 1}``
``{"prompt": "The nurse left because", "logprobs": {" she": -0.7, " he": -1.1}}``
``{"prompt": "The nurse said", "completion": " that it was late.", "n_tokens": 5}``

Log-probabilities are in nats. Without `n_tokens` a text counts as one unit. ``"kind": "pseudo"`` marks a
masked model's pseudo-likelihood. An answer by sample goes before one by text.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from evenhand.errors import BadData, BadModel, listed
from evenhand.files import expanded, json_object
from evenhand.models import Asked
from evenhand.records import (
    Capability,
    Completion,
    Continuation,
    Generation,
    LogProb,
    ModelSpec,
    Request,
    Response,
    Sampling,
)

Key = TypeVar("Key")
Answer = TypeVar("Answer")
_SHOWN = 5


class _LineError(Exception):
    """What is wrong with one line."""


class RecordedModel:
    """A `Model` that answers from a file; `can` says which kinds of answers the file holds.

    Raises:
        BadData: the file is missing, empty or malformed; every problem is listed with its line number.
    """

    def __init__(self, path: Path) -> None:
        data = _read(path)
        self._logprobs: dict[Continuation, LogProb] = {}
        self._completions: dict[str, Completion] = {}
        self._samples: dict[tuple[str, int], Response] = {}
        problems = [f"line {n}: {problem}" for n, line in _lines(data) if (problem := self._add(line))]
        if problems:
            raise BadData(
                f"{path} cannot be used: {listed(problems)}.", mend="Mend these lines and run again."
            )
        if not self._logprobs and not self._completions and not self._samples:
            raise BadData(f"{path} is empty.", mend="Give a file with one JSON object a line.")
        kinds = {type(answer) for answer in self._samples.values()}
        found = {
            Capability.LOGPROBS: self._logprobs or LogProb in kinds,
            Capability.GENERATE: self._completions or Completion in kinds,
        }
        self.can = frozenset(capability for capability, answers in found.items() if answers)
        self.spec = ModelSpec(uri=f"recorded:{path}", digest=hashlib.sha256(data).hexdigest())
        self._path = path

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """The recorded log-probabilities, in the order of `items`.

        Raises:
            BadModel: the file holds no log-probabilities.
            BadData: it holds none for some of the requests.
        """
        self._require(Capability.LOGPROBS, "log-probabilities (context, text, logprob)")
        shown = {item: f"{item.text!r} after {item.context!r}" for item in items}
        return _look_up(self._logprobs, items, shown, self._path)

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """The recorded completions, in the order of `prompts`; `sampling` was settled when they were made.

        Raises:
            BadModel: the file holds no completions.
            BadData: it holds none for some of the prompts.
        """
        self._require(Capability.GENERATE, "completions (prompt, completion)")
        return _look_up(self._completions, prompts, {prompt: repr(prompt) for prompt in prompts}, self._path)

    def answers(self, asked: Sequence[Asked]) -> list[Response]:
        """The recorded answer to each request of a benchmark: by its sample, else by its text.

        Raises:
            BadData: some have none, or one of another kind; they are listed with their samples.
        """
        found = [self._answer(one) for one in asked]
        problems = [
            f"{one.sample}, request {one.index} ({_shown(one.request)})"
            for one, answer in zip(asked, found, strict=True)
            if answer is None
        ]
        if problems:
            raise BadData(
                f"{self._path} lacks {len(problems)} of {len(asked)} answers: {listed(problems, _SHOWN)}.",
                mend="Record these too; `evenhand measure ... --dry-run --json` prints every request.",
            )
        return [answer for answer in found if answer is not None]

    def _answer(self, one: Asked) -> Response | None:
        kept = self._samples.get((one.sample, one.index))
        if isinstance(one.request, Generation):
            return kept if isinstance(kept, Completion) else self._completions.get(one.request.prompt)
        if isinstance(one.request, Continuation):
            return kept if isinstance(kept, LogProb) else self._logprobs.get(one.request)
        return None

    def notes(self) -> tuple[str, ...]:
        """Nothing: how the answers were made is not in the file."""
        return ()

    def _require(self, capability: Capability, what: str) -> None:
        if capability not in self.can:
            raise BadModel(
                f"{self._path} holds no {what}.", mend="Record them, or use a benchmark that needs none."
            )

    def _add(self, line: bytes) -> str | None:
        """Take one line in; the problem with it, or None."""
        try:
            record = _parse(line)
            if "sample" in record:
                self._add_sample(record)
            elif "logprobs" in record:
                self._add_texts(record)
            elif "prompt" in record or "completion" in record:
                prompt, text = (_field(record, name, str) for name in ("prompt", "completion"))
                _insert(self._completions, prompt, Completion(text, _n_tokens(record)), "prompt")
            else:
                item = Continuation(_field(record, "context", str), _field(record, "text", str))
                _insert(self._logprobs, item, _logprob(record), "context and text")
        except _LineError as problem:
            return str(problem)
        return None

    def _add_sample(self, record: Mapping[str, Any]) -> None:
        """An answer, or one for each request, by sample; a second one is a mistake even if it is the same."""
        sample, first = _field(record, "sample", str), _count({"request": 0, **record}, "request")
        if "completion" in record:
            found: list[Response] = [Completion(_field(record, "completion", str), _n_tokens(record))]
        elif "logprob" in record:
            found = [_logprob(record)]
        else:
            found = list(_several(record))
        for index, answer in enumerate(found, start=first):
            if (sample, index) in self._samples:
                raise _LineError(f"answers request {index} of {sample!r} again")
            self._samples[sample, index] = answer

    def _add_texts(self, record: Mapping[str, Any]) -> None:
        """Log-probabilities of several texts after one prompt."""
        prompt, table = _field(record, "prompt", str), _field(record, "logprobs", dict)
        for text, value in table.items():
            line = {"kind": record.get("kind", "true"), "logprob": value}
            _insert(self._logprobs, Continuation(prompt, text), _logprob(line), "prompt and text")


def open_recorded(rest: str, **options: Any) -> RecordedModel:
    """Open ``recorded:REST``; options that concern running a model do not apply.

    Raises:
        BadData: see `RecordedModel`.
    """
    return RecordedModel(expanded(Path(rest)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadData(
            f"{path} cannot be read: {error.strerror}.", mend="Check the path after 'recorded:'."
        ) from None


def _lines(data: bytes) -> list[tuple[int, bytes]]:
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [(n, line) for n, line in enumerate(lines, start=1) if line.strip()]


def _parse(line: bytes) -> Mapping[str, Any]:
    try:
        return json_object(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _LineError("not UTF-8 text (save the file as UTF-8)") from None
    except ValueError as problem:
        raise _LineError(str(problem)) from None


def _field(record: Mapping[str, Any], name: str, kind: type) -> Any:
    if name not in record:
        raise _LineError(f"has no {name!r}")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _LineError(f"{name!r} is {value!r}")
    return value


def _logprob(record: Mapping[str, Any]) -> LogProb:
    try:
        value = float(_field(record, "logprob", (int, float)))  # type: ignore[arg-type]
    except OverflowError:
        value = -math.inf
    if not math.isfinite(value) or value > 0:
        raise _LineError(f"'logprob' is {value}, not a finite number of at most 0")
    kind = record.get("kind", "true")
    if kind not in ("true", "pseudo"):
        raise _LineError(f"'kind' is {kind!r}, not 'true' or 'pseudo'")
    if not (count := _n_tokens(record)):
        raise _LineError("'n_tokens' is 0, and a text with a log-probability has at least one")
    return LogProb(value, count, kind)


def _several(record: Mapping[str, Any]) -> Sequence[LogProb]:
    """The log-probabilities of a sample's requests, in order."""
    values = _field(record, "logprobs", list)
    counts = record.get("n_tokens", [1] * len(values))
    if not values or not isinstance(counts, list) or len(counts) != len(values):
        raise _LineError("'logprobs' and 'n_tokens' are not two lists of one length of at least 1")
    kind = record.get("kind", "true")
    return [
        _logprob({"logprob": value, "n_tokens": count, "kind": kind})
        for value, count in zip(values, counts, strict=True)
    ]


def _n_tokens(record: Mapping[str, Any]) -> int:
    return _count({"n_tokens": 1, **record}, "n_tokens")


def _count(record: Mapping[str, Any], name: str) -> int:
    count: int = _field(record, name, int)
    if count < 0:
        raise _LineError(f"{name!r} is {count}")
    return count


def _shown(request: Request) -> str:
    if isinstance(request, Generation):
        return f"text after {request.prompt[-60:]!r}"
    if isinstance(request, Continuation):
        return f"{request.text!r} after {request.context[-60:]!r}"
    return f"a {type(request).__name__}, which no recorded answer can serve"


def _insert(answers: dict[Key, Answer], key: Key, answer: Answer, what: str) -> None:
    if answers.setdefault(key, answer) != answer:
        raise _LineError(f"repeats a {what} with another answer")


def _look_up(
    answers: Mapping[Key, Answer], keys: Sequence[Key], shown: Mapping[Key, str], path: Path
) -> list[Answer]:
    missing = [text for key, text in shown.items() if key not in answers]
    if missing:
        raise BadData(
            f"{path} lacks {len(missing)} of {len(shown)} answers: {listed(missing, _SHOWN)}.",
            mend="Record these too; context, text and prompt must match to the letter.",
        )
    return [answers[key] for key in keys]
