"""Reading recorded answers line by line: the file's answers, or all its faults in one error.

Each line is read, checked and freed, so that a file of a million lines only needs memory for its answers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from evenhand.errors import BadData, listed
from evenhand.files import json_object
from evenhand.models import Asked, batches
from evenhand.progress import task
from evenhand.records import Completion, Continuation, LogProb, Response, Undefined

Kind = Literal["true", "pseudo", "mean"]
Key = TypeVar("Key")
Answer = TypeVar("Answer")
_MOST = 1_000_000  # requests of one sample
_MARK = b"\xef\xbb\xbf"


class LineError(Exception):
    """What is wrong with one line."""


class Answers:
    """The answers of a file: `logprobs` and `completions` by their text, others by their place.

    `kinds` are the kinds of answers that there are, `digest` is the SHA-256 (hex) of the file.
    """

    def __init__(self) -> None:
        self.logprobs: dict[Continuation, LogProb] = {}
        self.completions: dict[str, Completion] = {}
        self.kinds: set[type] = set()
        self.digest = ""
        self._samples: dict[str, list[Response | None]] = {}
        self._batched: dict[str, Response | batches.Echo] = {}
        self._contexts: dict[str, str] = {}

    def placed(self, one: Asked) -> Response | None:
        """The answer to the request at this place, None where there is none by place."""
        kept = self._samples.get(one.sample)
        if kept is not None and one.index < len(kept) and (answer := kept[one.index]) is not None:
            return answer
        if not self._batched:
            return None
        found = self._batched.get(one.custom_id)
        if found is None and one.index == 0:
            found = self._batched.get(one.sample)
        if not isinstance(found, batches.Echo):
            return found
        return found.score(one.request) if isinstance(one.request, Continuation) else None

    def add(self, record: Mapping[str, Any]) -> None:
        """Add one line.

        Raises:
            LineError: it is not an answer, or answers what another line has already answered.
        """
        if "custom_id" in record:
            self._add_batched(record)
        elif "sample" in record:
            self._add_sample(record)
        elif "logprobs" in record:
            self._add_texts(record)
        elif "prompt" in record or "completion" in record:
            prompt, text = (_field(record, name, str) for name in ("prompt", "completion"))
            _insert(self.completions, prompt, Completion(text, _n_tokens(record)), "prompt")
            self.kinds.add(Completion)
        else:
            context, text = (_field(record, name, str) for name in ("context", "text"))
            self._add_logprob(context, text, _logprob(record), "context and text")

    def _add_logprob(self, context: str, text: str, answer: LogProb, what: str) -> None:
        context = self._contexts.setdefault(context, context)  # many texts follow one context
        _insert(self.logprobs, Continuation(context, text), answer, what)
        self.kinds.add(LogProb)

    def _add_texts(self, record: Mapping[str, Any]) -> None:
        """Log-probabilities of several texts after one prompt."""
        prompt, table = _field(record, "prompt", str), _field(record, "logprobs", dict)
        for text, value in table.items():
            line = {"kind": record.get("kind", "true"), "logprob": value}
            self._add_logprob(prompt, text, _logprob(line), "prompt and text")

    def _add_sample(self, record: Mapping[str, Any]) -> None:
        """An answer, or one for each request, by sample; a second one is an error even if it is equal."""
        sample, first = _field(record, "sample", str), _count({"request": 0, **record}, "request")
        if first > _MOST:
            raise LineError(f"'request' is {first}, more than any sample has")
        found = list(_of_sample(record))
        kept = self._samples.get(sample)
        if kept is None:
            kept = self._samples[sample] = [None] * (first + len(found))
        kept += [None] * (first + len(found) - len(kept))
        for index, answer in enumerate(found, start=first):
            if kept[index] is not None:
                raise LineError(f"answers request {index} of {sample!r} again")
            kept[index] = answer
            self.kinds.add(type(answer))

    def _add_batched(self, record: Mapping[str, Any]) -> None:
        key = _field(record, "custom_id", str)
        if key in self._batched:
            raise LineError(f"answers the custom_id {key!r} again")
        try:
            answer = self._batched[key] = batches.answer(record)
        except ValueError as problem:
            raise LineError(str(problem)) from None
        self.kinds.add(LogProb if isinstance(answer, batches.Echo) else type(answer))


def read(path: Path) -> Answers:
    """What the file `path` holds.

    Raises:
        BadData: the file is missing, empty or malformed; every problem is listed with its line number.
    """
    answers, sha, problems = Answers(), hashlib.sha256(), []
    with task(f"reading {path}", unit="line", late=True) as advance:
        for number, line in enumerate(_lines(path), start=1):
            advance(1)
            sha.update(line)
            line = line.removeprefix(_MARK) if number == 1 else line
            if not line.strip():
                continue
            try:
                answers.add(_parse(line))
            except LineError as problem:
                problems.append(f"line {number}: {problem}")
    if problems:
        raise BadData(f"{path} cannot be used: {listed(problems)}.", mend="Correct these lines, run again.")
    if not answers.kinds:
        raise BadData(f"{path} is empty.", mend="Give a file with one JSON object per line.")
    answers.digest = sha.hexdigest()
    return answers


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise BadData(
            f"{path} cannot be read: {error.strerror}.", mend="Check the path after 'recorded:'."
        ) from None


def _parse(line: bytes) -> Mapping[str, Any]:
    try:
        return json_object(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise LineError("not UTF-8 text (save the file as UTF-8)") from None
    except ValueError as problem:
        raise LineError(str(problem)) from None


def _of_sample(record: Mapping[str, Any]) -> Sequence[Response]:
    """The answer or the answers in a line by sample."""
    if "error" in record:
        reason = _field(record, "error", str)
        if not reason.strip():
            raise LineError("'error' is empty (give the reason why there is no answer)")
        return [Undefined(reason)]
    if "completion" in record:
        return [Completion(_field(record, "completion", str), _n_tokens(record))]
    if "logprob" in record:
        return [_logprob(record)]
    return _several(record)


def _field(record: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    if name not in record:
        raise LineError(f"has no {name!r}")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise LineError(f"{name!r} is {value!r}")
    return value


def _logprob(record: Mapping[str, Any]) -> LogProb:
    try:
        value = float(_field(record, "logprob", (int, float)))
    except OverflowError:
        value = -math.inf
    if not math.isfinite(value) or value > 0:
        raise LineError(f"'logprob' is {value}, not a finite number of at most 0")
    kind = record.get("kind", "true")
    if kind not in get_args(Kind):
        raise LineError(f"'kind' is {kind!r}, not {' or '.join(map(repr, get_args(Kind)))}")
    if not (count := _n_tokens(record)):
        raise LineError("'n_tokens' is 0, and a text with a log-probability has at least one")
    return LogProb(value, count, cast(Kind, kind))


def _several(record: Mapping[str, Any]) -> Sequence[LogProb]:
    """The log-probabilities of a sample's requests, in order."""
    values = _field(record, "logprobs", list)
    counts = record.get("n_tokens", [1] * len(values))
    if not values or not isinstance(counts, list) or len(counts) != len(values):
        raise LineError("'logprobs' and 'n_tokens' are not two lists of one length of at least 1")
    kind = record.get("kind", "true")
    return [
        _logprob({"logprob": value, "n_tokens": count, "kind": kind})
        for value, count in zip(values, counts, strict=True)
    ]


def _n_tokens(record: Mapping[str, Any]) -> int:
    return _count(record, "n_tokens") if "n_tokens" in record else 1


def _count(record: Mapping[str, Any], name: str) -> int:
    count: int = _field(record, name, int)
    if count < 0:
        raise LineError(f"{name!r} is {count}")
    return count


def _insert(answers: dict[Key, Answer], key: Key, answer: Answer, what: str) -> None:
    if answers.setdefault(key, answer) != answer:
        raise LineError(f"repeats a {what} with another answer")
