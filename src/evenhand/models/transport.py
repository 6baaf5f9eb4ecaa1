"""JSON over HTTP to one server: retries, a hard budget, a cache on disk, and secrets that stay in a header.

Only the standard library is used: a request is one POST of some hundred bytes whose answer takes the server
seconds, so a connection pool would save little, and threads are enough to have many under way.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from evenhand.errors import BadModel, BadOption, EnvironmentProblem, EvenhandError, Inconclusive
from evenhand.files import parse_json, write_atomically
from evenhand.paths import cache_folder
from evenhand.progress import task
from evenhand.records import digest

Json = Mapping[str, Any]
Check = Callable[[Json, Json], object]
"""Sees a body with its answer, and raises an error of `evenhand.errors` where the answer is of no use."""
OWN_KEY, OPENAI_KEY = "EVENHAND_API_KEY", "OPENAI_API_KEY"
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_WAIT = 120.0  # seconds that a server may ask us to wait; beyond it the run ends and can be resumed
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """How a server is asked.

    Attributes:
        timeout: seconds without any byte of the answer before a request counts as failed.
        retries: how often a failed request is sent again (busy, broken or silent server).
        concurrency: requests under way at once.
        requests: the most requests to send, retries counted; None for no limit.
        tokens: the most tokens to be charged, prompt and answer; None for no limit.
        cache: whether answers are kept on disk and used again.
    """

    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 8
    requests: int | None = None
    tokens: int | None = None
    cache: bool = True

    @property
    def again(self) -> str:
        """What the same command does when it is run again."""
        if self.cache:
            return "The answers so far are kept: the same command asks only for what is missing."
        return "With cache=no nothing is kept: the same command asks for everything again."


class Budget:
    """Counts what is spent, before it is spent: no request leaves that could exceed a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self.requests = 0
        self.tokens = 0

    def reserve(self, bound: int) -> None:
        """Take one request of at most `bound` tokens out of the budget.

        Raises:
            Inconclusive: it does not fit any more.
        """
        with self._lock:
            if self._limits.requests is not None and self.requests >= self._limits.requests:
                raise self._spent(self._limits.requests, "requests")
            if self._limits.tokens is not None and self.tokens + bound > self._limits.tokens:
                raise self._spent(self._limits.tokens, "tokens")
            self.requests += 1
            self.tokens += bound

    def settle(self, bound: int, used: int) -> None:
        """Replace a reservation by what the server says it charged."""
        with self._lock:
            self.tokens += used - bound

    def _spent(self, limit: int, kind: str) -> Inconclusive:
        return Inconclusive(
            f"The budget of {limit} {kind} is spent.",
            mend=f"{self._limits.again} Allow more with {kind}=N in the model's name, or with "
            f"EVENHAND_BUDGET_{kind.upper()}=N.",
        )


class _Transient(Exception):
    """A failure that may pass; `wait` is the number of seconds that the server asks for, if it does.

    `refused` says that the server turned the request down, so that it charged nothing.
    """

    def __init__(self, why: str, wait: float | None = None, *, refused: bool = False) -> None:
        super().__init__(why)
        self.wait = wait
        self.refused = refused


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would send the prompts and the key to somewhere that the user did not name."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


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
        self._opener = build_opener(_NoRedirect())
        self._reached = False
        self._stopped = False

    def post_all(
        self, path: str, bodies: Sequence[Json], *, label: str = "asking", check: Check | None = None
    ) -> list[Json]:
        """The answer to each body, in order; equal bodies are sent once, and kept answers serve again.

        When one fails, those under way are waited for and kept, the others are not sent. An answer that
        `check` refuses is not kept, and asked for again where it was.

        Raises:
            EnvironmentProblem: the server cannot be reached, stays silent or broken, or wants another key.
            BadModel: it refuses the request, or answers with something else than a JSON object.
            Inconclusive: the budget is spent, or the server asks for a long pause.
        """
        self._stopped = False
        keys = [self._key(path, body) for body in bodies]
        wanted = dict(zip(keys, bodies, strict=True))
        found = {k: kept for k, body in wanted.items() if (kept := self._kept(k, body, check)) is not None}
        self.reused += len(found)
        missing = {key: body for key, body in wanted.items() if key not in found}
        with (
            task(label, len(missing), unit="request") as advance,
            ThreadPoolExecutor(self.limits.concurrency) as pool,
        ):
            waiting: dict[Future[Json], str] = {
                pool.submit(self._ask, path, body, key, check): key for key, body in missing.items()
            }
            try:
                for done in as_completed(waiting):
                    found[waiting[done]] = done.result()
                    advance(1)
            except BaseException:
                self._stopped = True  # those under way end, but are not tried again
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [found[key] for key in keys]

    def kept(self, path: str, body: Json, check: Check | None = None) -> bool:
        """Whether an answer to `body` that `check` does not refuse is in the cache."""
        return self._kept(self._key(path, body), body, check) is not None

    def post(self, path: str, body: Json) -> Json:
        """The answer to one body, never from the cache; errors as in `post_all`."""
        return self._send("POST", path, body)

    def get(self, path: str) -> Json:
        """The JSON object at `path`; errors as in `post_all`."""
        return self._send("GET", path, None)

    def _ask(self, path: str, body: Json, key: str, check: Check | None) -> Json:
        answer = self._send("POST", path, body)
        if check is not None:
            check(body, answer)
        if self.limits.cache:
            write_atomically(self._file(key), json.dumps(answer).encode())
        return answer

    def _key(self, path: str, body: Json) -> str:
        return digest(self.base, path, body)

    def _file(self, key: str) -> Path:
        return cache_folder() / "endpoint" / key[:2] / f"{key}.json"

    def _kept(self, key: str, body: Json, check: Check | None) -> Json | None:
        """The kept answer; None when there is none, it cannot be read or `check` refuses it."""
        if not self.limits.cache:
            return None
        try:
            answer = parse_json(self._file(key).read_bytes())
            if check is not None:
                check(body, answer)
        except (OSError, ValueError, EvenhandError):
            return None
        return answer if isinstance(answer, dict) else None

    def _send(self, method: str, path: str, body: Json | None) -> Json:
        """Send until it succeeds, with a pause that doubles from half a second and varies by chance."""
        bound = _bound(body)
        for attempt in range(self.limits.retries + 1):
            self.budget.reserve(bound)
            try:
                answer = self._once(method, path, body)
            except _Transient as failure:
                if failure.refused:
                    self.budget.settle(bound, 0)
                if self._stopped or attempt == self.limits.retries or not self._may_pass(failure):
                    raise self._gave_up(failure, attempt + 1) from None
                chance = self._jitter()
                backoff = min(30.0, 0.5 * 2**attempt) * (0.5 + chance)
                # Never before the server asked for, and not all requests at the same moment.
                self._sleep(failure.wait + chance if failure.wait is not None else backoff)
                continue
            self._reached = True
            self.budget.settle(bound, _charged(answer, bound))
            return answer
        raise AssertionError("the last attempt returns or raises")

    def _may_pass(self, failure: _Transient) -> bool:
        """A refused connection before any success is a wrong address, not a pause."""
        return self._reached or not isinstance(failure.__cause__, URLError)

    def _gave_up(self, failure: _Transient, attempts: int) -> EvenhandError:
        what = f"{self.base} gave no usable answer in {attempts} attempts: {failure}."
        if not self._reached and isinstance(failure.__cause__, URLError):
            what = f"{self.base} cannot be reached: {failure}."
        return EnvironmentProblem(
            what, mend=f"Check that the server runs at this address. {self.limits.again}"
        )

    def _once(self, method: str, path: str, body: Json | None) -> Json:
        headers = {"Content-Type": "application/json", "User-Agent": "evenhand"}
        key = api_key(self.base)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.base}{path}", data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=self.limits.timeout) as response:
                text = response.read()
        except HTTPError as error:
            with error:
                raise self._refusal(error, _read(error), key) from None
        except URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _Transient(f"no answer within {self.limits.timeout:g} s") from None
            raise _Transient(str(error.reason)) from error
        except TimeoutError:
            raise _Transient(f"no answer within {self.limits.timeout:g} s") from None
        except (OSError, HTTPException) as error:
            raise _Transient(f"the answer broke off ({type(error).__name__})") from None
        answer = _object(text)
        if answer.get("error") and not answer.get("choices"):  # some gateways say so under status 200
            raise _Transient(
                f"it answers 200 with an error: {_cleaned(text.decode('utf-8', 'replace'), key)}"
            )
        return answer

    def _refusal(self, error: HTTPError, text: str, key: str | None) -> Exception:
        said = f"{self.base} answers {error.code}: {_cleaned(text, key) or error.reason}."
        if error.code in _TRANSIENT:
            wait = _retry_after(error.headers.get("Retry-After"))
            if wait is not None and wait > _LONGEST_WAIT:
                return Inconclusive(said, mend=f"It asks for a pause of {wait:.0f} s. {self.limits.again}")
            return _Transient(said.removesuffix("."), wait, refused=True)
        if error.code in (401, 403):
            return EnvironmentProblem(
                said,
                mend=f"Set the right key in {OWN_KEY} (or in {OPENAI_KEY}, which is sent only over https or "
                "to this machine).",
            )
        if error.code // 100 == 3:
            return BadModel(said, mend="Write the address that the server moved to; nothing is redirected.")
        return BadModel(
            said, mend="Check the address (it usually ends in /v1), the model's name and the options."
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


def _object(text: bytes) -> Json:
    try:
        answer = parse_json(text, repair=True)  # a server may cut an emoji in two
    except ValueError:
        raise _Transient("the answer is no JSON, or only a part of it") from None
    if not isinstance(answer, dict):
        raise _Transient("the answer is not a JSON object")
    return answer


def _read(error: HTTPError) -> str:
    try:
        return error.read(10_000).decode("utf-8", "replace")
    except (OSError, HTTPException):
        return ""


def _cleaned(text: str, key: str | None) -> str:
    """What the server said, short, in one line, and without the key, which some servers repeat."""
    try:
        inner = parse_json(text, repair=True)["error"]
        text = str(inner["message"] if isinstance(inner, dict) else inner)
    except (ValueError, KeyError, TypeError):
        pass
    if key:
        text = text.replace(key, "***")
    return " ".join(text.split())[:_SHOWN].rstrip(".")


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which gives seconds or a date; None where it says nothing usable."""
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


def _bound(body: Json | None) -> int:
    """The most tokens that a request can be charged: a token has at least one byte."""
    if body is None:
        return 0
    asked = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    return len(json.dumps(body.get("prompt") or body.get("messages"), ensure_ascii=False).encode()) + int(
        asked
    )


def _charged(answer: Json, bound: int) -> int:
    usage = answer.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    if isinstance(total, int) and not isinstance(total, bool) and total >= 0:
        return total
    return bound
