"""``openai:URL#model``: any server that speaks OpenAI's HTTP interface (vLLM, llama.cpp, a vendor's).

The name is a URL with the model as its fragment: ``openai:http://localhost:8000/v1#org/model``. What else can
be told stands in its query, ``openai:https://host/v1?api=completions&requests=5000#model``:

- ``api``: ``chat`` (default: the prompt is a user's message) or ``completions`` (the prompt is continued;
  also gives log-probabilities where the server passes the check of `evenhand.models.echo`);
- ``requests``, ``tokens``: the hard budget of this run; also ``EVENHAND_BUDGET_REQUESTS`` and
  ``EVENHAND_BUDGET_TOKENS``. A request that might exceed it is not sent; the run ends and can be resumed;
- ``concurrency`` (8), ``timeout`` (60 s), ``retries`` (5): see `evenhand.models.transport.Limits`;
- ``cache``: ``yes`` (default) keeps answers on disk, by everything that was asked, or ``no``;
- ``length``: ``max_tokens`` (default) or ``max_completion_tokens``, which some newer models want instead.

A plus sign or a ``#`` in a model's name is written ``%2B`` or ``%23``. The key comes from the environment,
see `evenhand.models.transport.api_key`; it is never stored, shown or part of the name.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from evenhand.errors import BadModel, BadOption, UsageError
from evenhand.models import echo
from evenhand.models.transport import Check, Json, Limits, Transport
from evenhand.records import Capability, Completion, Continuation, LogProb, ModelSpec, Sampling, digest

_LENGTHS = ("max_tokens", "max_completion_tokens")
_EXAMPLE = "openai:http://localhost:8000/v1#model"


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed name: the server's `url`, its `model`, the interface, and how it is asked."""

    url: str
    model: str
    api: Literal["chat", "completions"]
    length: str
    limits: Limits

    @property
    def uri(self) -> str:
        """The name without what does not change an answer."""
        query = "" if self.api == "chat" else f"?api={self.api}"
        return f"openai:{self.url}{query}#{self.model}"


def parse(rest: str) -> Address:
    """Read what stands after ``openai:``.

    Raises:
        UsageError: it is not a URL with a model as its fragment, or carries a password.
        BadOption: an unknown option, or a value that is not possible.
    """
    parts = _split(rest)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.fragment:
        raise UsageError(
            f"'openai:{parts.scheme}' is not followed by an address and a model.", mend=f"Write {_EXAMPLE}"
        )
    if parts.username or parts.password:
        raise UsageError(
            "The address holds a user name or a password, which would be stored with the results.",
            mend="Put the key into EVENHAND_API_KEY instead.",
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    limits = Limits(
        timeout=_number(options, "timeout", 60.0),
        retries=int(_number(options, "retries", 5, least=0)),
        concurrency=int(_number(options, "concurrency", 8)),
        requests=_budget(options, "requests"),
        tokens=_budget(options, "tokens"),
        cache=_choice(options, "cache", ("yes", "no")) == "yes",
    )
    api = _choice(options, "api", ("chat", "completions"))
    length = _choice(options, "length", _LENGTHS)
    if options:
        raise BadOption(
            f"An endpoint has no option {next(iter(options))!r}.",
            mend="It takes: api, requests, tokens, concurrency, timeout, retries, cache, length.",
        )
    url = parts._replace(query="", fragment="").geturl().rstrip("/")
    return Address(url, unquote(parts.fragment), "chat" if api == "chat" else "completions", length, limits)


def _split(rest: str) -> SplitResult:
    """The parts of a URL whose host, port and path can be asked."""
    try:
        parts = urlsplit(rest)
        (parts.hostname or "").encode("idna")  # raises for what no name server could be asked
        fine = parts.port != 0 and not any(sign.isspace() for sign in parts.netloc)
        fine = fine and re.fullmatch(r"[!-~]*", parts.path) is not None
    except ValueError:
        fine = False
    if fine:
        return parts
    # The address is not shown: what stands in a wrong place may be a password.
    raise UsageError(
        "The address after 'openai:' is no URL: its host, its port or its path cannot be read.",
        mend=f"Write {_EXAMPLE}",
    )


def _choice(options: dict[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = options.pop(name, allowed[0])
    if value not in allowed:
        raise BadOption(f"{name}={value} is not possible.", mend=f"Write {name}={' or '.join(allowed)}.")
    return value


def _number(options: dict[str, str], name: str, default: float, least: float = 1e-3) -> float:
    value = options.pop(name, str(default))
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not least <= number < 1e9 or (isinstance(default, int) and number != int(number)):
        raise BadOption(f"{name}={value} is not possible.", mend=f"Write a number, such as {name}={default}.")
    return number


def _budget(options: dict[str, str], name: str) -> int | None:
    value = options.pop(name, None) or os.environ.get(f"EVENHAND_BUDGET_{name.upper()}")
    if not value:
        return None
    return int(_number({name: value}, name, 1, least=1))


class EndpointModel:
    """A `Model` behind HTTP. What its weights are, only the server knows: `spec.digest` is that of its name.

    With ``api=completions`` it promises log-probabilities; the first use checks them and refuses them with
    the reason when they cannot be trusted.
    """

    def __init__(self, address: Address, transport: Transport | None = None) -> None:
        self.address = address
        self.transport = transport or Transport(address.url, address.limits)
        more = (Capability.LOGPROBS,) if address.api == "completions" else ()
        self.can = frozenset({Capability.GENERATE, *more})
        self.spec = ModelSpec(uri=address.uri, digest=digest("endpoint", address.uri))
        self._parity: float | None = None
        self._empty = 0
        self._named: set[str] = set()

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """Log-probabilities in nats, in the order of `items`, from echoed prompts.

        Raises:
            BadModel: the server gives none, or none that can be trusted, or its tokenizer merges a boundary.
            EvenhandError: as for `Transport.post_all`.
        """
        if self.address.api != "completions":
            raise BadModel(
                f"{self.spec.uri} is asked as a chat, which gives no log-probabilities of given text.",
                mend="Write ?api=completions before the # if the server offers it.",
            )
        bodies = [echo.body(self.address.model, item.context + item.text) for item in items]
        path = "/completions"
        if self._parity is None and not all(self.transport.kept(path, b, self._echoed) for b in bodies):
            self._parity = echo.check(
                lambda body: self._post(path, body), self.address.model, self.address.url
            )
        answers = self._post_all(path, bodies, "scoring", self._echoed)
        return [echo.score(*pair, self.address.url) for pair in zip(items, answers, strict=True)]

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """Text after each prompt, in the order of `prompts`.

        With a temperature each prompt has a seed of its own, made of `sampling.seed`, the prompt and how
        often it stood before, as in `evenhand.models.generation`; servers may ignore it.

        Raises:
            BadModel: the answer has no text in it.
            EvenhandError: as for `Transport.post_all`.
        """
        path = "/chat/completions" if self.address.api == "chat" else "/completions"
        seeds = _seeds(prompts, sampling)
        bodies = [self._body(p, sampling, seed) for p, seed in zip(prompts, seeds, strict=True)]
        answers = self._post_all(path, bodies, "generating", self._text)
        return [self._completion(*pair) for pair in zip(bodies, answers, strict=True)]

    def notes(self) -> tuple[str, ...]:
        """Where the answers come from, what was reused, how the check went, how many answers were empty."""
        found = [
            f"The weights behind {self.spec.uri} are known to its server only: figures taken at another time "
            "may be another model's."
        ]
        others = sorted(self._named - {self.address.model})
        if others:
            found.append(f"The server names the model {', '.join(others)}.")
        if self.transport.reused:
            found.append(f"{self.transport.reused} answers were kept from an earlier run.")
        if self._parity is not None:
            found.append(f"Written and echoed log-probabilities agreed within {self._parity:.4f} nats.")
        if self._empty:
            found.append(f"{self._empty} answers held no text (refused, filtered or cut off).")
        return tuple(found)

    def _post(self, path: str, body: Json) -> Json:
        try:
            return self.transport.post(path, body)
        except BadModel as refusal:
            raise self._with_models(refusal) from None

    def _post_all(self, path: str, bodies: Sequence[Json], label: str, check: Check) -> list[Json]:
        try:
            answers = self.transport.post_all(path, bodies, label=label, check=check)
        except BadModel as refusal:
            raise self._with_models(refusal) from None
        self._named |= {answer["model"] for answer in answers if isinstance(answer.get("model"), str)}
        return answers

    def _with_models(self, refusal: BadModel) -> BadModel:
        """The refusal with the models that the server lists, where the one asked for is not among them."""
        try:
            listed = [str(entry["id"]) for entry in self.transport.get("/models")["data"]]
        except Exception:  # the list is a courtesy; whatever is wrong with it, the refusal counts
            return refusal
        if not listed or self.address.model in listed:
            return refusal
        return BadModel(refusal.what, mend=f"It serves: {', '.join(listed[:20])}. {refusal.mend}")

    def _body(self, prompt: str, sampling: Sampling, seed: int) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.address.model}
        if self.address.api == "chat":
            asked["messages"] = [{"role": "user", "content": prompt}]
        else:
            asked["prompt"] = prompt
        asked |= {self.address.length: sampling.max_tokens, "temperature": sampling.temperature}
        if sampling.temperature > 0:
            asked |= {"top_p": sampling.top_p, "seed": seed}
        return asked

    def _echoed(self, body: Json, answer: Json) -> None:
        echo.echoed(answer, body["prompt"], self.address.url)

    def _completion(self, body: Json, answer: Json) -> Completion:
        text = self._text(body, answer)
        self._empty += not text.strip()
        return Completion(text, _written(answer, text))

    def _text(self, body: Json, answer: Json) -> str:
        """The text in an answer, empty where the server gives none."""
        try:
            choice = answer["choices"][0]
            text = choice["message"].get("content") if self.address.api == "chat" else choice["text"]
        except (KeyError, IndexError, TypeError, AttributeError):
            raise BadModel(
                f"{self.address.url} does not answer as an OpenAI-compatible server: there is no text in its "
                "choices.",
                mend="Check the address and api=chat or api=completions.",
            ) from None
        return text if isinstance(text, str) else ""


def _written(answer: Json, text: str) -> int:
    """The tokens of the answer as the server counts them; words where it does not say."""
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and count >= 0 else len(text.split())


def _seeds(prompts: Sequence[str], sampling: Sampling) -> list[int]:
    before: Counter[str] = Counter()
    seeds = []
    for prompt in prompts:
        key = hashlib.sha256(f"{sampling.seed}\0{before[prompt]}\0{prompt}".encode()).digest()
        before[prompt] += 1
        seeds.append(int.from_bytes(key[:4], "big") >> 1)
    return seeds


def open_endpoint(rest: str, **options: Any) -> EndpointModel:
    """Open ``openai:REST``; nothing is sent yet. Options that concern running a model do not apply.

    Raises:
        UsageError: see `parse`.
    """
    return EndpointModel(parse(rest))
