"""Single sign-on: a proxy logs people in and says in a header who asks; this file says whom to believe.

::

    header = "X-Forwarded-User"            # in which the proxy names who asks
    groups_header = "X-Forwarded-Groups"   # in which it names that person's groups; for [[group]]
    proxies = ["127.0.0.1"]                # the addresses from which it connects: nobody else is believed
    logout = "/oauth2/sign_out"            # where the proxy's own session ends; a link for people

    [[group]]                              # the first group that somebody is in decides
    name = "fairness"
    role = "analyst"
    use_cases = ["loans"]                  # by default all

Whoever is named gets the role of the account of exactly this name that was made for single sign-on
(`evenhand monitor users add NAME --sso`), else that of the first group; else none. An account with a password
is never entered by a header: who may choose a name at the proxy could choose that of an administrator.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from evenhand.errors import BadData, did_you_mean, listed
from evenhand.files import read_text
from evenhand.monitor import users
from evenhand.monitor.names import Name
from evenhand.monitor.roles import ROLES, NotAllowed, Principal
from evenhand.monitor.store.tables import NAME

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
WIDEST = {4: 16, 6: 64}
"""The shortest prefix of a network of proxies: whoever connects from it can be anybody."""
PREFIX = "sso:"
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TAKEN = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "expect", "forwarded", "host"}
    | {"origin", "referer", "te", "transfer-encoding", "upgrade", "via", "x-real-ip"}
    | {f"x-forwarded-{one}" for one in ("for", "host", "port", "proto")}
    | {"cache-control", "date", "dnt", "pragma", "priority", "range", "user-agent"}  # a browser's own words
    | {f"accept{one}" for one in ("", "-charset", "-encoding", "-language")}
)


def _header(text: str) -> str:
    if not _FIELD.fullmatch(text):
        raise ValueError("the name of a header has letters, digits and hyphens")
    if text.lower() in _TAKEN or text.lower().startswith(("if-", "sec-")):
        raise ValueError("that header means something else")
    return text


def _network(text: str) -> str:
    try:
        _plain(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("a proxy is an address such as 127.0.0.1 or a network such as 10.0.7.0/24") from None
    return text


def _plain(network: Network) -> Network:
    """The network; one of IPv4 that is written as one of IPv6 as IPv4."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


def _place(text: str) -> str:
    parts = urlsplit(text)
    local = text.startswith("/") and text[1:2] not in ("/", "\\")
    if not text.isprintable() or not (local or (parts.scheme in ("http", "https") and parts.hostname)):
        raise ValueError('write a path such as "/oauth2/sign_out", or an address with https://')
    return text


Header = Annotated[str, AfterValidator(_header)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Granted(_Part):
    """What being in a group gives: a role, in some use cases (None: in all)."""

    name: Name
    role: Literal["viewer", "analyst", "auditor", "admin"]
    use_cases: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None


class SingleSignOn(_Part):
    """Whom a service believes about who asks, and what it lets them do; see the top of this file."""

    header: Header
    proxies: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Field(min_length=1)]
    groups_header: Header | None = None
    separator: Literal[",", ";", "|"] = ","
    logout: Annotated[str, AfterValidator(_place)] | None = None
    groups: tuple[Granted, ...] = Field(default=(), alias="group")

    @pydantic.model_validator(mode="after")
    def _fits(self) -> SingleSignOn:
        own, other = self.header.lower(), (self.groups_header or "").lower()
        if own == other:
            raise ValueError("header and groups_header are the same: a name would count as a group")
        if self.groups and not other:
            raise ValueError("[[group]] needs groups_header, the header in which the proxy names groups")
        for one in self.groups:
            if self.separator in one.name or one.name != one.name.strip():
                raise ValueError(f"the group {one.name!r} cannot be told from several; see separator")
        names = [one.name for one in self.groups]
        if len(set(names)) < len(names):
            raise ValueError("a group stands there twice, and only the first would count")
        return self

    @pydantic.model_validator(mode="after")
    def _narrow(self) -> SingleSignOn:
        for one in self.networks:
            if one.prefixlen < WIDEST[one.version] or one.network_address.is_unspecified:
                raise ValueError(
                    f"proxies holds {one}: from there nearly everybody could say that they are anybody; name "
                    f"the proxy's own address, or a network no wider than /{WIDEST[4]} (IPv6: /{WIDEST[6]})"
                )
        return self

    @property
    def networks(self) -> tuple[Network, ...]:
        """The proxies as networks, neighbours as one: several halves of everything are everything."""
        found = [_plain(ipaddress.ip_network(one)) for one in self.proxies]
        fours = [one for one in found if isinstance(one, ipaddress.IPv4Network)]
        sixes = [one for one in found if isinstance(one, ipaddress.IPv6Network)]
        return (*ipaddress.collapse_addresses(fours), *ipaddress.collapse_addresses(sixes))

    def believes(self, peer: str) -> bool:
        """Whether the address `peer`, from which a connection comes, is one of the proxies."""
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:  # a socket of the file system has no address
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in one for one in self.networks)

    def published(self) -> dict[str, Any]:
        """It as JSON, for the chain: nothing in it is secret."""
        return self.model_dump(mode="json", by_alias=True)

    def told(self) -> str:
        """It in a sentence, for whoever starts the service; who becomes an administrator is said."""
        admins = [one.name for one in self.groups if one.role == "admin"]
        more = f"; the groups {', '.join(admins)} are administrators" if admins else ""
        return f"single sign-on by {self.header} from {', '.join(self.proxies)}{more}"


@dataclass(frozen=True)
class Identity:
    """Who asks, as a proxy that is believed says."""

    name: str
    groups: frozenset[str] = frozenset()


class Unusable(ValueError):
    """What a proxy that is believed sent cannot say who asks: the request is refused."""


def identity(sso: SingleSignOn, given: Mapping[str, Sequence[bytes]]) -> Identity | None:
    """Who asks by the values of the headers of `sso`, by their names in small letters; None for nobody.

    Raises:
        Unusable: there are two values of one header, or one that is no name.
    """
    name = _one(given.get(sso.header.lower(), ()))
    if "," in name:  # two headers of one name may be joined by a comma on their way
        raise Unusable("it holds a comma, as two names do")
    groups = _one(given.get((sso.groups_header or "").lower(), ()))
    if not name:
        return None
    found = frozenset(filter(None, (one.strip() for one in groups.split(sso.separator))))
    if len(name) > NAME or unicodedata.normalize("NFKC", name) != name:
        raise Unusable("it is too long, or holds signs that look like others")
    return Identity(name, found)


def _one(values: Sequence[bytes]) -> str:
    if len(values) > 1:
        raise Unusable("it came twice")
    try:
        text = b"".join(values).decode("utf-8").strip(" \t")
    except UnicodeDecodeError:
        raise Unusable("it is not UTF-8") from None
    if not text.isprintable():
        raise Unusable("it holds signs that cannot be seen")
    return text


def principal(store: Store, sso: SingleSignOn, who: Identity) -> Principal:
    """Who the person stands for here, without a session.

    Raises:
        NotAllowed: there is no account for them, or it is disabled; and no group of theirs has a role.
    """
    account = users.by_proxy(store, who.name)
    if account is not None:
        return Principal(account.name, ROLES[account.role], _seen(account.use_cases), by_proxy=True)
    found = next((one for one in sso.groups if one.name in who.groups), None)
    if found is None or users.shut_out(store, who.name):
        raise NotAllowed(
            f"The proxy says that you are {who.name!r}, who may do nothing here.",
            mend="Ask an administrator for an account (evenhand monitor users add NAME --sso) or a group.",
        )
    return Principal(PREFIX + who.name, ROLES[found.role], _seen(found.use_cases), by_proxy=True)


def _seen(use_cases: Collection[str] | None) -> frozenset[str] | None:
    return None if use_cases is None else frozenset(use_cases)


def read_sso(path: Path) -> SingleSignOn:
    """The single sign-on in a TOML file.

    Raises:
        BadData: it cannot be read, is not TOML, names no proxy or far too many, or holds what does not belong
            there.
    """
    return parse_sso(read_text(path, mend="Name a readable file of single sign-on."), where=str(path))


def parse_sso(text: str, *, where: str = "The single sign-on") -> SingleSignOn:
    """The single sign-on that a TOML text holds; `where` names it in errors.

    Raises:
        BadData: as `read_sso`.
    """
    try:
        return SingleSignOn.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadData(f"{where} is not TOML: {error}.", mend=_EXAMPLE) from None
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False)
        inside = {one["loc"][:-1] for one in found}
        # A list without its wrong entries is too short as well: that alone is no fault of the user's.
        kept = [one for one in found if one["type"] != "too_short" or one["loc"] not in inside]
        problems = [_problem(one) for one in kept]
        raise BadData(f"{where} cannot be used: {listed(problems)}.", mend=_EXAMPLE) from None


_EXAMPLE = (
    'It needs at least header = "X-Forwarded-User" and proxies = ["127.0.0.1"], the address from which the '
    "proxy connects, each on its own line."
)
_KEYS = {
    "": ("header", "proxies", "groups_header", "separator", "logout", "group"),
    "group": ("name", "role", "use_cases"),
}


def _problem(error: Any) -> str:
    place = error["loc"]
    shown = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    if error["type"] == "extra_forbidden":
        known = _KEYS["group" if len(place) > 1 else ""]
        return (
            f"there is no key {shown}{did_you_mean(str(place[-1]), known)}; "
            f"the keys there are {', '.join(known)}"
        )
    if error["type"] == "missing" or (error["type"] == "too_short" and shown == "proxies"):
        return f"{shown} is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{shown}: {message[:1].lower()}{message[1:]}" if shown else message
