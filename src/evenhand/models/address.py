"""The name of an endpoint, ``openai:URL?options#model``; `evenhand.models.endpoint` explains the options."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from evenhand.errors import BadOption, UsageError
from evenhand.models.budget import Limits, Price
from evenhand.models.refused import PARAMETERS

_LENGTHS = ("max_tokens", "max_completion_tokens")
# What a request says already, or what would change the form of its answer.
_OWN = frozenset(
    {
        *PARAMETERS,
        *_LENGTHS,
        "model",
        "prompt",
        "messages",
        "logprobs",
        "top_logprobs",
        "echo",
        "stream",
        "n",
        "stop",
    }
)
_EXAMPLE = "openai:http://localhost:8000/v1#model"
_OPTIONS = (
    "api", "requests", "tokens", "cost", "price", "concurrency", "timeout", "retries", "cache", "length",
    "leave_out", "send", "also",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed name: the server's `url`, its `model`, the interface, and the options of requests.

    Of the parameters `seed`, `top_p` and `temperature`, those in `leave_out` are never sent, and those in
    `send` are also sent if they have the interface's default. `also` are further fields of requests for text.
    """

    url: str
    model: str
    api: Literal["chat", "completions"]
    length: str
    limits: Limits
    leave_out: frozenset[str] = frozenset()
    send: frozenset[str] = frozenset()
    also: tuple[tuple[str, bool | int | float | str], ...] = ()

    @property
    def uri(self) -> str:
        """The name without the options that do not affect an answer."""
        return self._named(self.api)

    @property
    def as_completions(self) -> str:
        """The same name with the interface that gives log-probabilities."""
        return self._named("completions")

    def _named(self, api: str) -> str:
        told = [f"api={api}"] if api != "chat" else []
        lists = (("leave_out", self.leave_out), ("send", self.send))
        told += [f"{name}={','.join(sorted(values))}" for name, values in lists if values]
        if self.also:
            told.append("also=" + ",".join(f"{name}:{_written(value)}" for name, value in self.also))
        query = f"?{'&'.join(told)}" if told else ""
        return f"openai:{self.url}{query}#{self.model}"


def parse(rest: str) -> Address:
    """Parse the text after ``openai:``; options may be before the ``#`` or after the model's name.

    Raises:
        UsageError: it is not a URL with a model as its fragment, or carries a password.
        BadOption: an unknown option, an invalid value, an option that is given twice, or a cost that is
            limited without a price.
    """
    parts = _split(rest)
    model, _, late = parts.fragment.partition("?")
    if parts.scheme not in ("http", "https") or not parts.hostname or not model:
        raise UsageError(
            f"'openai:{parts.scheme}' is not followed by an address and a model.", mend=f"Write {_EXAMPLE}"
        )
    if not unquote(model).isprintable():
        raise UsageError(
            "The model's name holds characters that cannot be seen.",
            mend="Write the name as the server lists it.",
        )
    if parts.username or parts.password:
        raise UsageError(
            "The address holds a user name or a password, which would be stored with the results.",
            mend="Put the key into EVENHAND_API_KEY instead.",
        )
    options = _options(parts.query, late)
    limits = Limits(
        timeout=_number(options, "timeout", 60.0),
        retries=int(_number(options, "retries", 5, least=0)),
        concurrency=int(_number(options, "concurrency", 8)),
        requests=_budget(options, "requests"),
        tokens=_budget(options, "tokens"),
        cost=_cost(options),
        price=_price(options),
        cache=_choice(options, "cache", ("yes", "no")) == "yes",
    )
    if limits.cost is not None and limits.price is None:
        raise BadOption(
            "The cost is limited, but no price is given.",
            mend="Write ?price=IN,OUT before the # of the model's name: what a million tokens of prompts and "
            "a million written ones cost, such as price=0.15,0.60.",
        )
    api = _choice(options, "api", ("chat", "completions"))
    length = _choice(options, "length", _LENGTHS)
    leave_out, send = (_parameters(options, name) for name in ("leave_out", "send"))
    if both := sorted(leave_out & send):
        raise BadOption(f"{both[0]} is in leave_out and in send.", mend="Name it in only one of the two.")
    url = parts._replace(query="", fragment="").geturl().rstrip("/")
    interface: Literal["chat", "completions"] = "chat" if api == "chat" else "completions"
    return Address(url, unquote(model), interface, length, limits, leave_out, send, _fields(options))


def _options(*places: str) -> dict[str, str]:
    """The options of all places together."""
    pairs = [pair for text in places for pair in parse_qsl(text, keep_blank_values=True)]
    for name, count in Counter(name for name, _ in pairs).items():
        if name not in _OPTIONS:
            raise BadOption(
                f"An endpoint has no option {name!r}.",
                mend=f"It takes: {', '.join(_OPTIONS)}. A ? in a model's name is written %3F.",
            )
        if count > 1:
            raise BadOption(f"The option {name} is given {count} times.", mend="Give it once.")
    return dict(pairs)


def _parameters(options: dict[str, str], name: str) -> frozenset[str]:
    """The sampling parameters that an option names, separated by commas."""
    value = options.pop(name, "")
    found = frozenset(part for part in value.split(",") if part)
    if found - set(PARAMETERS):
        raise BadOption(
            f"{name}={value} is not valid.", mend=f"Write some of {','.join(PARAMETERS)}, with commas."
        )
    return found


def _fields(options: dict[str, str]) -> tuple[tuple[str, bool | int | float | str], ...]:
    """The fields that the option `also` names, in the order of their names, with their values."""
    value = options.pop("also", "")
    found: dict[str, bool | int | float | str] = {}
    for part in filter(None, value.split(",")):
        name, _, text = part.partition(":")
        if not re.fullmatch(r"\w+", name) or not re.fullmatch(r"[\w.+-]+", text) or name in found:
            raise BadOption(
                f"also={value} is not valid.", mend="Write names and values, such as also=top_k:0,min_p:0."
            )
        if name in _OWN:
            raise BadOption(
                f"also= names {name}, which evenhand sets itself.",
                mend="Leave it out there; leave_out= and send= decide whether a parameter is sent.",
            )
        found[name] = _scalar(text)
    return tuple(sorted(found.items()))


def _scalar(text: str) -> bool | int | float | str:
    """A number, true or false where `text` is one in JSON; else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return (
        value
        if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
        else text
    )


def _written(value: bool | int | float | str) -> str:
    """`value` as `_scalar` reads it."""
    return value if isinstance(value, str) else json.dumps(value)


def _split(rest: str) -> SplitResult:
    """The parts of a URL with a valid host, port and path."""
    try:
        parts = urlsplit(rest)
        (parts.hostname or "").encode("idna")  # raises for an invalid host name
        fine = parts.port != 0 and not any(sign.isspace() for sign in parts.netloc)
        fine = fine and re.fullmatch(r"[!-~]*", parts.path) is not None
    except ValueError:
        fine = False
    if fine:
        return parts
    # The address is not shown: a misplaced part may be a password.
    raise UsageError(
        "The address after 'openai:' is no URL: its host, its port or its path cannot be read.",
        mend=f"Write {_EXAMPLE}",
    )


def _choice(options: dict[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = options.pop(name, allowed[0])
    if value not in allowed:
        raise BadOption(f"{name}={value} is not valid.", mend=f"Write {name}={' or '.join(allowed)}.")
    return value


def _number(options: dict[str, str], name: str, default: float, least: float = 1e-3) -> float:
    value = options.pop(name, str(default))
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not least <= number < 1e9 or (isinstance(default, int) and number != int(number)):
        raise BadOption(f"{name}={value} is not valid.", mend=f"Write a number, such as {name}={default}.")
    return number


def _budget(options: dict[str, str], name: str) -> int | None:
    value = _limit(options, name)
    return None if value is None else int(_number({name: value}, name, 1, least=1))


def _cost(options: dict[str, str]) -> float | None:
    value = _limit(options, "cost")
    return None if value is None else _number({"cost": value}, "cost", 2.5, least=1e-6)


def _limit(options: dict[str, str], name: str) -> str | None:
    """A limit of the budget as it is written, in the name or else in the environment; None for no limit."""
    return options.pop(name, None) or os.environ.get(f"EVENHAND_BUDGET_{name.upper()}") or None


def _price(options: dict[str, str]) -> Price | None:
    """The price of a prompt's and of written tokens, in this order."""
    value = options.pop("price", None)
    if value is None:
        return None
    try:
        prompt, written = (float(part) for part in value.split(","))
    except ValueError:
        prompt = written = -1.0
    if not (0 <= prompt < 1e9 and 0 <= written < 1e9):
        raise BadOption(
            f"price={value} is not valid.",
            mend="Write what a million tokens of prompts and a million written ones cost, such as "
            "price=0.15,0.60.",
        )
    return Price(prompt, written)
