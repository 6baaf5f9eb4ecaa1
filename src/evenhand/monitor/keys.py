"""API keys: 256 random bits, shown once, kept as a keyed digest, with scopes, use cases and an end."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from evenhand.errors import BadOption, UnknownName
from evenhand.monitor import chain
from evenhand.monitor.names import checked_name
from evenhand.monitor.roles import NotKnown, Principal, known_scopes, packed, unpacked
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import api_keys

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

PREFIX = "evh_"
_FORM = re.compile(r"evh_[A-Za-z0-9_-]{43}")
LONGEST_DAYS = 3660
_MEND = "Make one with: evenhand monitor keys create"


@dataclass(frozen=True)
class Key:
    """What is known of a key, without the key itself."""

    id: int
    name: str
    start: str
    scopes: tuple[str, ...]
    use_cases: tuple[str, ...] | None
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    def state(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


@dataclass(frozen=True)
class NewKey:
    """A key that was just made; `text` is nowhere else."""

    key: Key
    text: str = field(repr=False)


def digest(secret: bytes, text: str) -> bytes:
    """The keyed digest of a key or a session."""
    return hmac.new(secret, b"key\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def create(
    store: Store,
    name: str,
    scopes: Iterable[str],
    *,
    use_cases: Iterable[str] | None = None,
    days: int | None = 365,
    by: str = "",
) -> NewKey:
    """Make a key for `scopes` and `use_cases` (None: all) that ends after `days` (None: never).

    The chain records that, without the name and without the use cases: others read it. `by` is who makes it.

    Raises:
        BadOption: no scope, a name that cannot be stored, or days beyond 1 to 3660.
        UnknownName: no such scope.
    """
    wanted = known_scopes(scopes)
    if not wanted:
        raise BadOption("A key without a scope can do nothing.", mend="Give it one, such as ingest or read.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise BadOption(f"A key cannot last {days} days.", mend=f"Give 1 to {LONGEST_DAYS} days.")
    now = utc_now()
    text = PREFIX + secrets.token_urlsafe(32)
    row = {
        "name": checked_name(name, "name of a key"),
        "start": text[: len(PREFIX) + 4],
        "digest": digest(store.secret, text),
        "scopes": " ".join(wanted),
        "use_cases": packed(
            None if use_cases is None else [checked_name(one, "use case") for one in use_cases]
        ),
        "created": now,
        "expires": None if days is None else now + timedelta(days=days),
        "revoked": None,
    }

    def work(connection: Connection) -> int:
        made = connection.execute(insert(api_keys).values(**row)).inserted_primary_key
        assert made is not None
        chain.access(connection, {"key": made[0], "made": list(wanted), "days": days}, by)
        return int(made[0])

    return NewKey(_key({**row, "id": store.write(work)}), text)


def listed(store: Store) -> list[Key]:
    """Every key, the oldest first."""
    with store.reading() as connection:
        return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.id)).mappings()]


def revoke(store: Store, number: int, *, by: str = "") -> Key:
    """End the key of this number now; one that has ended stays as it is. `by` is who does it, for the chain.

    Raises:
        UnknownName: there is no such key.
    """

    def work(connection: Connection) -> None:
        own = update(api_keys).where(api_keys.c.id == number, api_keys.c.revoked.is_(None))
        if connection.execute(own.values(revoked=utc_now())).rowcount:
            chain.access(connection, {"key": number, "revoked": True}, by)

    store.write(work)
    found = listed(store)
    for key in found:
        if key.id == number:
            return key
    raise UnknownName("key", str(number), [str(key.id) for key in found], lister="evenhand monitor keys ls")


def principal(store: Store, text: str) -> Principal:
    """Who the key `text` stands for.

    Raises:
        NotKnown: there is no such key, or it has ended.
    """
    if not _FORM.fullmatch(text):
        raise NotKnown("This is no key of this service.", mend=_MEND)
    with store.reading() as connection:
        row = (
            connection.execute(select(api_keys).where(api_keys.c.digest == digest(store.secret, text)))
            .mappings()
            .first()
        )
    if row is None:
        raise NotKnown("This key is not known here.", mend=_MEND)
    key = _key(row)
    state = key.state(utc_now())
    if state != "active":
        raise NotKnown(f"The key {key.start}… is {state}.", mend=_MEND)
    return Principal(f"key:{key.name}", frozenset(key.scopes), unpacked(row["use_cases"]))


def _key(row: Any) -> Key:
    seen = unpacked(row["use_cases"])
    return Key(
        row["id"],
        row["name"],
        row["start"],
        tuple(row["scopes"].split()),
        None if seen is None else tuple(sorted(seen)),
        row["created"],
        row["expires"],
        row["revoked"],
    )
