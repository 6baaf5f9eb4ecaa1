"""``recorded:file.jsonl``: answers collected elsewhere, looked up by their exact text (no torch needed).

One JSON object a line, UTF-8:

``{"context": "The nurse left because", "text": " she", "logprob": -0.7, "n_tokens": 1}``
``{"prompt": "The nurse said", "completion": " that it was late.", "n_tokens": 5}``

`logprob` is in nats. Without `n_tokens` the text counts as one unit. ``"kind": "pseudo"`` marks a masked
model's pseudo-likelihood.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from evenhand.errors import BadData, BadModel
from evenhand.records import Capability, Completion, Continuation, LogProb, ModelSpec, Sampling

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
        problems = [f"line {n}: {problem}" for n, line in _lines(data) if (problem := self._add(line))]
        if problems:
            raise BadData(
                f"{path} cannot be used: {_listed(problems)}.", mend="Mend these lines and run again."
            )
        if not self._logprobs and not self._completions:
            raise BadData(f"{path} is empty.", mend="Give a file with one JSON object a line.")
        found = {Capability.LOGPROBS: self._logprobs, Capability.GENERATE: self._completions}
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
            if "prompt" in record or "completion" in record:
                prompt, text = (_field(record, name, str) for name in ("prompt", "completion"))
                _insert(self._completions, prompt, Completion(text, _n_tokens(record)), "prompt")
            else:
                item = Continuation(_field(record, "context", str), _field(record, "text", str))
                _insert(self._logprobs, item, _logprob(record), "context and text")
        except _LineError as problem:
            return str(problem)
        return None


def open_recorded(rest: str, **options: Any) -> RecordedModel:
    """Open ``recorded:REST``; options that concern running a model do not apply.

    Raises:
        BadData: see `RecordedModel`.
    """
    return RecordedModel(Path(rest).expanduser())


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
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _LineError("not UTF-8 text (save the file as UTF-8)") from None
    except json.JSONDecodeError as error:
        raise _LineError(f"not JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(record, dict):
        raise _LineError("not a JSON object")
    return record


def _field(record: Mapping[str, Any], name: str, kind: type) -> Any:
    if name not in record:
        raise _LineError(f"has no {name!r}")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _LineError(f"{name!r} is {value!r}")
    return value


def _logprob(record: Mapping[str, Any]) -> LogProb:
    value = float(_field(record, "logprob", (int, float)))  # type: ignore[arg-type]
    if not math.isfinite(value) or value > 0:
        raise _LineError(f"'logprob' is {value}, not a finite number of at most 0")
    kind = record.get("kind", "true")
    if kind not in ("true", "pseudo"):
        raise _LineError(f"'kind' is {kind!r}, not 'true' or 'pseudo'")
    return LogProb(value, _n_tokens(record), kind)


def _n_tokens(record: Mapping[str, Any]) -> int:
    count: int = _field({"n_tokens": 1, **record}, "n_tokens", int)
    if count < 0:
        raise _LineError(f"'n_tokens' is {count}")
    return count


def _insert(answers: dict[Key, Answer], key: Key, answer: Answer, what: str) -> None:
    if answers.setdefault(key, answer) != answer:
        raise _LineError(f"repeats a {what} with another answer")


def _look_up(
    answers: Mapping[Key, Answer], keys: Sequence[Key], shown: Mapping[Key, str], path: Path
) -> list[Answer]:
    missing = [text for key, text in shown.items() if key not in answers]
    if missing:
        raise BadData(
            f"{path} lacks {len(missing)} of {len(shown)} answers: {_listed(missing)}.",
            mend="Record these too; context, text and prompt must match to the letter.",
        )
    return [answers[key] for key in keys]


def _listed(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return "; ".join(parts[:_SHOWN]) + more
