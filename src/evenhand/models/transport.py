"""JSON over HTTP to one server: retries, a hard budget, a cache on disk; the key is only sent in a header.

A request that the server refuses because of its prompt (a filter, too long a text) has an answer:
`Undefined`, with the reason. Every other refusal ends the run.

Only the standard library is used: a request is one POST of some hundred bytes whose answer takes the server
seconds, so a connection pool would save little, and threads are enough for many concurrent requests.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request

from evenhand.decimals import fixed
from evenhand.errors import BadModel, BadOption, EnvironmentProblem, EvenhandError, Inconclusive
from evenhand.files import parse_json
from evenhand.models import refused, shelf
from evenhand.models.budget import Budget, Limits, Tokens, bound, charged, turned_down
from evenhand.models.pace import Pace
from evenhand.models.wire import MOST, Late, Reply, TooLong, Wire
from evenhand.progress import task
from evenhand.records import Undefined, digest

Json = Mapping[str, Any]
Check = Callable[[Json, Json], object]
"""Checks the answer to a body, and raises an error of `evenhand.errors` if the answer cannot be used."""
OWN_KEY, OPENAI_KEY = "EVENHAND_API_KEY", "OPENAI_API_KEY"
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_UNREAD = frozenset({425, 429, 503, 529})  # rejected before the prompt was read: nothing is charged
_FOR_GOOD = ("insufficient_quota", "billing_hard_limit_reached")
_SECRET = 16  # characters: a shorter key (EMPTY, none) is not secret, and may occur in any answer
# Number of consecutive malformed answers that ends the run: after a good answer, and without any.
_IN_A_ROW, _AT_FIRST = 8, 3
_LONGEST_WAIT = 120.0  # seconds that a server may ask us to wait; beyond it the run ends and can be resumed


class _Transient(Exception):
    """A failure that may pass; `wait` is the number of seconds that the server asks for, if it does.

    `unread` is True if the server rejected the request before reading it, so that it charged nothing;
    `malformed` is True if its answer cannot be read.
    """

    def __init__(
        self, why: str, wait: float | None = None, *, unread: bool = False, malformed: bool = False
    ) -> None:
        super().__init__(why)
        self.wait = wait
        self.unread = unread
        self.malformed = malformed


class Unreadable(EnvironmentProblem):
    """Every attempt at one request was answered with something that is not a JSON object."""


_BROKEN = (refused.Malformed, Unreadable)


class Transport:
    """Posts JSON to paths below `base`; `sleep` and `jitter` (0 to 1) are arguments for the sake of tests."""

    def __init__(
        self,
        base: str,
        limits: Limits | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self.limits = limits or Limits()
        self.budget = Budget(self.limits)
        self.reused = 0
        self._sleep = sleep
        self._jitter = jitter or random.Random().random
        self._wire = Wire()
        self._pace = Pace(self.limits.concurrency)
        self._reached = False
        self._proper = False  # whether there has been any good answer
        self._stopped = False

    def post_all(
        self,
        path: str,
        bodies: Sequence[Json],
        *,
        label: str = "asking",
        check: Check | None = None,
        draws: Sequence[str] = (),
    ) -> list[Json | Undefined]:
        """The answer to each body, in order; equal bodies are sent once, and stored answers are reused.

        `draws` names the draw of each body (empty for none): equal bodies with different names are sent
        separately. When one fails, requests in progress are completed and stored, the others are not sent. An
        answer that `check` refuses is not stored; if it came from the cache, it is requested again. A prompt
        that the server refuses is `Undefined`, which is stored like an answer. A malformed answer among good
        ones is requested again at the end; if it is malformed again, it is `Undefined`, and not stored.

        Raises:
            EnvironmentProblem: the server cannot be reached, does not answer or fails, or needs another key.
            BadModel: it refuses the request, or does not answer with a JSON object.
            Inconclusive: the budget is spent, or the server asks for a long pause.
        """
        self._stopped = False
        names = draws or [""] * len(bodies)
        keys = [self._key(path, body, draw) for body, draw in zip(bodies, names, strict=True)]
        wanted = dict(zip(keys, bodies, strict=True))
        found = {k: there for k, b in wanted.items() if (there := self._kept(k, b, check)) is not None}
        self.reused += len(found)
        self._proper = self._proper or any(not isinstance(answer, Undefined) for answer in found.values())
        missing = {key: body for key, body in wanted.items() if key not in found}
        with task(label, len(missing), unit="request") as advance:
            answers, broken = self._round(path, missing, check, advance)
            if broken and not self._proper:
                raise next(iter(broken.values()))
            again = {key: missing[key] for key in broken}
            more, lost = self._round(path, again, check, advance, most=None)
        found |= answers | more | dict.fromkeys(lost, Undefined(refused.MALFORMED))
        return [found[key] for key in keys]

    def _round(
        self,
        path: str,
        missing: Mapping[str, Json],
        check: Check | None,
        advance: Callable[[int], object],
        *,
        most: int | None = _IN_A_ROW,
    ) -> tuple[dict[str, Json | Undefined], dict[str, EvenhandError]]:
        """The answers to `missing` by key, and the errors of malformed ones.

        More than `most` consecutive malformed ones raise an error; None for no limit.
        """
        found: dict[str, Json | Undefined] = {}
        broken: dict[str, EvenhandError] = {}
        row = 0
        with ThreadPoolExecutor(self.limits.concurrency) as pool:
            waiting: dict[Future[Json | Undefined], str] = {
                pool.submit(self._ask, path, body, key, check): key for key, body in missing.items()
            }
            try:
                for done in as_completed(waiting):
                    try:
                        found[waiting[done]] = done.result()
                        row = 0
                    except _BROKEN as problem:
                        broken[waiting[done]] = problem
                        row += 1
                        if most is not None and row >= (most if self._proper else _AT_FIRST):
                            raise
                        continue
                    advance(1)
            except BaseException:
                self._stopped = True  # requests in progress finish, but are not retried
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return found, broken

    def kept(self, path: str, body: Json, check: Check | None = None) -> bool:
        """Whether an answer to `body` that `check` does not refuse is in the cache."""
        return self._kept(self._key(path, body), body, check) is not None

    def post(self, path: str, body: Json) -> Json:
        """The answer to one body, never from the cache; errors as in `post_all`.

        Raises:
            BadModel: also where the server refuses this one prompt.
        """
        answer = self._send("POST", path, body)
        if isinstance(answer, Undefined):
            raise BadModel(
                f"{self.base} refuses a prompt of evenhand's own check: {answer.reason}.",
                mend="Check the model's name and the options.",
            )
        return answer

    def get(self, path: str) -> Json:
        """The JSON object at `path`; errors as in `post_all`."""
        answer = self._send("GET", path, None)
        return {} if isinstance(answer, Undefined) else answer

    def _ask(self, path: str, body: Json, key: str, check: Check | None) -> Json | Undefined:
        answer = self._send("POST", path, body)
        if not isinstance(answer, Undefined):
            if check is not None:
                check(body, answer)
            self._proper = True
        if self.limits.cache:
            shelf.write(key, answer)
        return answer

    def _key(self, path: str, body: Json, draw: str = "") -> str:
        return digest(self.base, path, body, draw) if draw else digest(self.base, path, body)

    def _kept(self, key: str, body: Json, check: Check | None) -> Json | Undefined | None:
        """The stored answer; None when there is none, it is damaged or `check` refuses it."""
        answer = shelf.read(key) if self.limits.cache else None
        if answer is not None and check is not None and not isinstance(answer, Undefined):
            try:
                check(body, answer)
            except EvenhandError:
                return None
        return answer

    def _send(self, method: str, path: str, body: Json | None) -> Json | Undefined:
        """Send until it succeeds, with a pause that doubles from half a second and has random jitter.

        An attempt that the server rejects unread is not counted if it answered others since that was sent.
        """
        most = bound(body)
        attempt = 0
        with self._pace.place() as place:
            while True:
                if place.waited and self._stopped:
                    raise EnvironmentProblem(
                        "The run ended before this request was sent.", mend=self.limits.again
                    )
                self.budget.reserve(most)
                try:
                    answer = self._once(method, path, body)
                except _Transient as failure:
                    if failure.unread:
                        self.budget.settle(most, Tokens())
                    attempt += not (failure.unread and place.rejected())
                    if self._stopped or attempt > self.limits.retries or not self._may_pass(failure):
                        raise self._gave_up(failure, attempt) from None
                    self._sleep(self._pause(failure, attempt))
                    place.again()
                    continue
                self._reached = True
                used = turned_down(body) if isinstance(answer, Undefined) else charged(body, answer, most)
                self.budget.settle(most, used)
                place.answered()
                return answer

    def _pause(self, failure: _Transient, attempts: int) -> float:
        """Seconds before the next attempt: never less than the server asks, and not the same for all."""
        chance = self._jitter()
        if failure.wait is not None:
            return failure.wait + chance
        return min(30.0, 0.5 * 2.0 ** max(0, attempts - 1)) * (0.5 + chance)

    def _may_pass(self, failure: _Transient) -> bool:
        """Whether a retry can help: a refused connection before any success means a wrong address."""
        return self._reached or not isinstance(failure.__cause__, URLError)

    def _gave_up(self, failure: _Transient, attempts: int) -> EvenhandError:
        what = f"{self.base} gave no usable answer in {attempts} attempts: {failure}."
        if not self._reached and isinstance(failure.__cause__, URLError):
            what = f"{self.base} cannot be reached: {failure}."
        kind = Unreadable if failure.malformed else EnvironmentProblem
        return kind(what, mend=f"Check that the server runs at this address. {self.limits.again}")

    def _once(self, method: str, path: str, body: Json | None) -> Json | Undefined:
        headers = {"Content-Type": "application/json", "User-Agent": "evenhand"}
        key = api_key(self.base)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        sent = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.base}{path}", data=sent, headers=headers, method=method)
        reply = self._exchange(request)
        data = _without(key, reply.body)
        text = data.decode("utf-8", "replace")
        if reply.status // 100 != 2:
            why = refused.reason(reply.status, text) if body is not None else None
            if why is not None:
                return Undefined(why)
            raise self._refusal(reply, text, key, body)
        answer = _object(data)
        if answer.get("error") and not answer.get("choices"):  # some gateways report errors with status 200
            raise _Transient(f"it answers 200 with an error: {refused.cleaned(text, key)}")
        return answer

    def _exchange(self, request: Request) -> Reply:
        try:
            return self._wire.exchange(request, self.limits.timeout)
        except Late:
            raise _Transient(f"no answer within {self.limits.timeout:g} s") from None
        except TooLong:
            raise BadModel(
                f"{self.base} answers with more than {MOST // 1_000_000} MB, too much for a text of this "
                "length.",
                mend="Check the address and what the server sends.",
            ) from None
        except URLError as error:
            raise _Transient(str(error.reason)) from error
        except (OSError, HTTPException) as error:
            raise _Transient(f"the answer broke off ({type(error).__name__})") from None

    def _refusal(self, reply: Reply, text: str, key: str | None, body: Json | None) -> Exception:
        why = refused.cleaned(text, key) or refused.cleaned(reply.reason, key)
        said = f"{self.base} answers {reply.status}: {why}."
        if reply.status in _TRANSIENT:
            wait = _retry_after(reply.headers.get("Retry-After"))
            if wait is not None and wait > _LONGEST_WAIT:
                return Inconclusive(
                    said, mend=f"It asks for a pause of {fixed(wait, 0)} s. {self.limits.again}"
                )
            if any(code in text for code in _FOR_GOOD):
                return Inconclusive(
                    said, mend=f"Waiting does not help: the account has no credit. {self.limits.again}"
                )
            return _Transient(said.removesuffix("."), wait, unread=reply.status in _UNREAD)
        if reply.status in (401, 403):
            return EnvironmentProblem(
                said,
                mend=f"Set the right key in {OWN_KEY} (or in {OPENAI_KEY}, which is sent only over https or "
                "to this machine).",
            )
        if reply.status // 100 == 3:
            return BadModel(said, mend="Write the address that the server moved to; nothing is redirected.")
        return BadModel(
            said,
            mend=refused.mend(text, body)
            or "Check the address (it usually ends in /v1), the model's name and the options.",
        )


def api_key(base: str) -> str | None:
    """The key for the server at `base`, from the environment; None where there is none to send.

    ``EVENHAND_API_KEY`` is sent wherever the model's name points, ``OPENAI_API_KEY`` only over https or to
    this machine.

    Raises:
        BadOption: the key has characters that no header may have; it is not shown.
    """
    address = urlsplit(base)
    safe = address.scheme == "https" or address.hostname in ("localhost", "127.0.0.1", "::1")
    name = OWN_KEY if os.environ.get(OWN_KEY) else OPENAI_KEY
    key = os.environ.get(name, "").strip() if safe or name == OWN_KEY else ""
    if key and not (key.isascii() and key.isprintable()):
        raise BadOption(f"The key in {name} has characters that cannot be sent.", mend="Set it again.")
    return key or None


def _without(key: str | None, body: bytes) -> bytes:
    """`body` without the key, which some servers repeat: it must not be stored with the answer, nor shown."""
    if key is None or len(key) < _SECRET:
        return body
    for written in (key, json.dumps(key)[1:-1]):
        body = body.replace(written.encode(), b"***")
    return body


def _object(text: bytes) -> Json:
    try:
        answer = parse_json(text, repair=True)  # a server may split an emoji
    except ValueError:
        raise _Transient("the answer is not valid JSON, or is incomplete", malformed=True) from None
    if not isinstance(answer, dict):
        raise _Transient("the answer is not a JSON object", malformed=True)
    return answer


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which gives seconds or a date; None if it cannot be used."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
