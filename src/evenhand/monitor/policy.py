"""The policy file: what is watched, how far groups may differ, and who hears of it. One file drives the
monitor and ``evenhand gate``.

::

    name = "loans"
    alpha = 0.05               # at most this chance of a false alarm, over all rules and all looks
    minimum = 100              # items in each group before anything is judged
    maturity_days = 30         # a day's decisions enter this long after it, with the labels they have by then
    cooldown_days = 7          # between two messages about the same open alert
    notify = ["mailto:fairness@example.org", "https://hooks.example.org/evenhand"]

    [webhook]
    secret_env = "EVENHAND_WEBHOOK_SECRET"     # the variable whose text signs what is sent

    [smtp]
    host = "smtp.example.org"
    sender = "evenhand@example.org"

    [retention]
    texts_days = 90
    events_days = 730

    [[rule]]
    indicator = "selection_rate"
    attribute = "sex"          # or ["sex", "age"]: their intersection
    tolerance = {ratio = 0.8}  # the lowest rate at least .8 of the highest; or {gap = 0.05}
"""

from __future__ import annotations

import hashlib
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from evenhand.errors import BadData, did_you_mean, listed
from evenhand.files import read_text
from evenhand.monitor.states import Change, Cohort
from evenhand.stats.betting import Tolerance

Share = Annotated[float, Field(gt=0, le=1)]
Days = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Target = Annotated[str, Field(pattern=r"^(mailto:[^@\s,;<>]+@[^@\s,;<>?]+|https?://[^\s/?#]+\S*)$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Bound(_Part):
    """How far the rates of two groups may differ: `gap` at most, or `ratio` (low/high) at least; one of them.

    ``gap = 0`` or ``ratio = 1`` allow no difference at all.
    """

    gap: Annotated[float, Field(ge=0, lt=1)] | None = None
    ratio: Share | None = None

    @pydantic.model_validator(mode="after")
    def _one(self) -> Bound:
        if (self.gap is None) == (self.ratio is None):
            raise ValueError("give one of gap and ratio")
        return self

    @property
    def kind(self) -> Literal["gap", "ratio"]:
        """Which of the two is given."""
        return "gap" if self.gap is not None else "ratio"

    @property
    def limit(self) -> float:
        """The number that is given."""
        return self.gap if self.gap is not None else self.ratio or 1.0

    def tolerance(self) -> Tolerance:
        """It as the test by betting takes it."""
        return Tolerance(self.kind, self.limit)

    def __str__(self) -> str:
        return f"gap <= {self.gap:g}" if self.gap is not None else f"ratio >= {self.ratio:g}"


class Rule(_Part):
    """One indicator by one attribute, or by an intersection of several, and its tolerance.

    `use_cases` and `models` are patterns such as ``"loans-*"``; each use case and each model that matches has
    tests of its own. With `strata`, each of these values is a stream of its own, merged by half the average
    and half the product; without, the blocks of all strata follow each other in one stream. What is None here
    is taken from the policy.
    """

    indicator: Text
    attribute: tuple[Text, ...]
    tolerance: Bound
    name: Text | None = None
    minimum: Annotated[int, Field(ge=1)] | None = None
    maturity_days: Days | None = None
    cooldown_days: Days | None = None
    notify: tuple[Target, ...] | None = None
    use_cases: tuple[Text, ...] = ("*",)
    models: tuple[Text, ...] = ("*",)
    strata: tuple[Text, ...] = ()

    @pydantic.field_validator("attribute", "use_cases", "models", "strata", "notify", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @pydantic.field_validator("attribute")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name an attribute")
        return value

    @property
    def title(self) -> str:
        """Its name; without one, such as ``selection_rate by sex x age``."""
        return self.name or f"{self.indicator} by {' x '.join(self.attribute)}"

    @property
    def asks(self) -> str:
        """What a test of it is about: a test ends when this changes."""
        strata = f", strata {', '.join(self.strata)}" if self.strata else ""
        return f"{self.indicator} by {' x '.join(self.attribute)}: {self.tolerance}{strata}"

    def takes(self, cohort: Cohort) -> bool:
        """Whether the counts of a cohort belong to this rule."""
        return (
            cohort.indicator == self.indicator
            and cohort.attribute == self.attribute
            and self.concerns(cohort.use_case, cohort.model)
            and (not self.strata or cohort.stratum in self.strata)
        )

    def concerns(self, use_case: str, model: str) -> bool:
        """Whether it watches this use case and model."""
        return self.watches(use_case) and any(fnmatchcase(model, one) for one in self.models)

    def watches(self, use_case: str) -> bool:
        """Whether it watches this use case, of some model."""
        return any(fnmatchcase(use_case, one) for one in self.use_cases)


class Webhook(_Part):
    """How bodies of webhooks are signed: by HMAC with the text of the variable `secret_env`; None for not."""

    secret_env: Variable | None = None


class Smtp(_Part):
    """The server that takes mails. By default the port is 587, or what is usual for `security`; `user` logs
    in with the password in the variable `password_env`."""

    host: Text
    sender: Address
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Text | None = None
    password_env: Variable | None = None

    @pydantic.model_validator(mode="after")
    def _both(self) -> Smtp:
        if (self.user is None) != (self.password_env is None):
            raise ValueError("give both of user and password_env, or neither")
        return self


Endpoint = Annotated[str, Field(pattern=r"^openai:https?://[^\s#]+#\S+$")]
Kept = Annotated[float, Field(gt=0, le=36500)]


class Retention(_Part):
    """How many days after they came in records are kept; None for always.

    After `texts_days` prompts, answers and what people reported go; after `pseudonyms_days` what ties a
    decision to the attributes of a person; after `events_days` the decision itself. Counts stay.
    """

    events_days: Kept | None = None
    texts_days: Kept | None = None
    pseudonyms_days: Kept | None = None


class Probes(_Part):
    """Which endpoints the probes of reports may ask, each as ``openai:http://host:8000/v1#model``."""

    endpoints: tuple[Endpoint, ...] = ()

    @pydantic.field_validator("endpoints", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Policy(_Part):
    """A policy file; see the module for an example.

    `groups` says what is compared: all ``"pairs"`` of groups, or each group with the ``"rest"``. `leave_out`
    are groups that are counted elsewhere and never compared. `alpha` is spent once over every comparison of
    every rule (e-BH).
    """

    name: Text = "policy"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    minimum: Annotated[int, Field(ge=1)] = 100
    maturity_days: Days = 0.0
    cooldown_days: Days = 7.0
    groups: Literal["pairs", "rest"] = "pairs"
    leave_out: tuple[str, ...] = ("", "unknown")
    notify: tuple[Target, ...] = ()
    tell: tuple[Change, ...] = ("opened", "reminder", "acknowledged")
    webhook: Webhook = Webhook()
    smtp: Smtp | None = None
    retention: Retention = Retention()
    probes: Probes = Probes()
    rules: Annotated[tuple[Rule, ...], Field(alias="rule")]

    @pydantic.field_validator("notify", "leave_out", "tell", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _distinct(self) -> Policy:
        if not self.rules:
            raise ValueError("there is no rule")
        titles = [rule.title for rule in self.rules]
        double = sorted({title for title in titles if titles.count(title) > 1})
        if double:
            raise ValueError(f"two rules are called {double[0]!r}: give each a name of its own")
        ripe = max(
            self.maturity_days if rule.maturity_days is None else rule.maturity_days for rule in self.rules
        )
        for name in ("events_days", "pseudonyms_days"):
            days = getattr(self.retention, name)
            if days is not None and days <= ripe:
                raise ValueError(
                    f"retention.{name} is {days:g}, and labels are awaited for {ripe:g} days (maturity_days)"
                )
        return self

    def filled(self) -> Policy:
        """The same with each rule's own minimum, delays and targets written out."""
        keys = ("minimum", "maturity_days", "cooldown_days", "notify")
        rules = tuple(
            rule.model_copy(update={key: getattr(self, key) for key in keys if getattr(rule, key) is None})
            for rule in self.rules
        )
        return self.model_copy(update={"rules": rules})

    def receivers(self) -> tuple[str, ...]:
        """Everybody who is ever told, by the file or by a rule of it."""
        return tuple(sorted({*self.notify, *(one for rule in self.rules for one in rule.notify or ())}))

    def published(self) -> dict[str, Any]:
        """It as JSON for those who check it: of an address of a webhook, which may hold a key, only the site
        and a digest."""
        found = self.model_dump(mode="json", by_alias=True)
        for part in (found, *found["rule"]):
            part["notify"] = None if part["notify"] is None else [shown(one) for one in part["notify"]]
        return found


def shown(receiver: str) -> str:
    """A receiver for logs and pages: mail as it is; of a webhook the site, and eight digits of a digest."""
    if receiver.startswith("mailto:"):
        return receiver
    parts = urlsplit(receiver)
    site = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{site}/… ({hashlib.sha256(receiver.encode()).hexdigest()[:8]})"


def read_policy(path: Path) -> Policy:
    """The policy in a TOML file.

    Raises:
        BadData: it cannot be read, is not TOML, or holds what no policy holds; every problem is named by its
            key.
    """
    return parse_policy(read_text(path, mend="Name a readable policy file."), where=str(path))


def parse_policy(text: str, *, where: str = "The policy") -> Policy:
    """The policy that a TOML text holds, its rules filled in; `where` names it in errors.

    Raises:
        BadData: as `read_policy`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadData(f"{where} is not TOML: {error}.", mend=_TOML) from None
    try:
        return Policy.model_validate(table).filled()
    except pydantic.ValidationError as error:
        problems = [_problem(one) for one in error.errors(include_url=False)]
        raise BadData(f"{where} is no usable policy: {listed(problems)}.", mend=_EXAMPLE) from None


_TOML = (
    "Write lines such as alpha = 0.05: a number needs a digit before the point, and a text stands in quotes."
)
_EXAMPLE = (
    'A rule needs at least: [[rule]] indicator = "selection_rate" attribute = "sex" '
    "tolerance = {ratio = 0.8}, each on its own line."
)
_KEYS: dict[str, dict[str, str]] = {
    "": {
        "name": '"loans"', "alpha": "0.05", "minimum": "100", "maturity_days": "30", "cooldown_days": "7",
        "groups": '"pairs" or "rest"', "leave_out": '["unknown"]', "notify": '["mailto:me@example.org"]',
        "tell": '["opened", "reminder", "acknowledged"]', "webhook": "a table under the line [webhook]",
        "smtp": "a table under the line [smtp]", "retention": "a table under the line [retention]",
        "probes": "a table under the line [probes]",
        "rule": "a table under the line [[rule]]",
    },
    "rule": {
        "indicator": '"selection_rate"', "attribute": '"sex"', "tolerance": "{ratio = 0.8} or {gap = 0.05}",
        "name": '"women and men"', "minimum": "100", "maturity_days": "30", "cooldown_days": "7",
        "notify": '["https://hooks.example.org/x"]', "use_cases": '["loans-*"]', "models": '["*"]',
        "strata": '["north", "south"]',
    },
    "tolerance": {"gap": "0.05", "ratio": "0.8"},
    "probes": {"endpoints": '["openai:http://host:8000/v1#model"]'},
    "retention": {"events_days": "730", "texts_days": "90", "pseudonyms_days": "365"},
    "webhook": {"secret_env": '"EVENHAND_WEBHOOK_SECRET"'},
    "smtp": {
        "host": '"smtp.example.org"', "sender": '"evenhand@example.org"', "port": "587",
        "security": '"starttls", "tls" or "none"', "user": '"evenhand"',
        "password_env": '"EVENHAND_SMTP_PASSWORD"',
    },
}  # fmt: skip


def _problem(error: Any) -> str:
    """One problem in a clause: its key, what was wrong and what to type."""
    place = error["loc"]
    names = [part for part in place if isinstance(part, str)]
    table = "tolerance" if "tolerance" in names[:-1] else names[0] if len(names) > 1 else ""
    known, key = _KEYS[table], names[-1] if names else ""
    shown = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    if error["type"] == "extra_forbidden":
        return f"there is no key {shown}{did_you_mean(key, known)}; the keys there are {', '.join(known)}"
    typed = f"; type {key} = {known[key]}" if key in known else ""
    if key in _KEYS and key in known and key != "tolerance":
        typed = f"; type {known[key]}"
    if error["type"] == "missing":
        return f"{shown} is missing{typed}"
    return f"{shown or 'the file'}: {_reason(error)}{typed}"


_SHAPES = {
    "secret_env": "is no name of an environment variable",
    "password_env": "is no name of an environment variable",
    "sender": "is no address of a mail",
    "endpoints": "is no endpoint",
}


def _key(error: Any) -> str:
    return str(next(part for part in reversed(error["loc"]) if isinstance(part, str)))


def _reason(error: Any) -> str:
    if error["type"] == "string_pattern_mismatch":
        return f"{error['input']!r} {_SHAPES.get(_key(error), 'is neither mailto: nor http(s)://')}"
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error["input"]
    return f"{given!r} is not allowed, {message}" if isinstance(given, str | int | float) else message
