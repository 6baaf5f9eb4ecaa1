"""Users: argon2 digests of passwords, none by default, a throttled log-in, and sessions.

An account is entered in one way: by its password, or, without one, by `evenhand.monitor.sso`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from evenhand.errors import BadOption, EvenhandError, UnknownName
from evenhand.monitor import chain
from evenhand.monitor.keys import digest
from evenhand.monitor.names import checked_name
from evenhand.monitor.roles import ROLES, NotKnown, Principal, known_role, packed, unpacked
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import sessions, users
from evenhand.monitor.tally import Newest

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

SHORTEST = 12  # characters of a password
LONGEST = 1024
HOURS = 12  # a session lasts
NO_PASSWORD = ""  # as it is stored: of an account of single sign-on
TRIES, SECONDS = 5, 60.0  # wrong passwords for one name, and from one address, in so many seconds
_REMEMBERED = 10_000
_TAKEN = ("key:", "sso:", "command line")  # how others begin who act: no user is called as if they were one
_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106 for little memory
_nobody: list[str] = []  # the digest of no one's password: an unknown name takes as long as a known one


class TooMany(EvenhandError):
    """Too many requests; `seconds` is when to try again."""

    def __init__(self, what: str, *, mend: str, seconds: float) -> None:
        super().__init__(what, mend=mend)
        self.seconds = max(1, round(seconds))


@dataclass(frozen=True)
class User:
    """A user, without the password; `sso` says that there is none, since a proxy logs the person in."""

    id: int
    name: str
    role: str
    use_cases: tuple[str, ...] | None
    created: datetime
    disabled: datetime | None
    sso: bool


class Throttle:
    """At most `tries` failures of one name within `seconds`, by a clock that never goes back."""

    def __init__(self, tries: int = TRIES, seconds: float = SECONDS) -> None:
        self._tries, self._seconds = tries, seconds
        self._failures: Newest[str, list[float]] = Newest(_REMEMBERED)
        self._lock = threading.Lock()

    def check(self, *names: str) -> None:
        """Refuse where one of `names` has failed too often.

        Raises:
            TooMany: try again later.
        """
        now = time.monotonic()
        with self._lock:
            for name in names:
                recent = [when for when in self._failures.get(name, ()) if now - when < self._seconds]
                if len(recent) >= self._tries:
                    raise TooMany(
                        "Too many wrong passwords.",
                        mend="Wait a minute, then try again.",
                        seconds=self._seconds - (now - recent[0]),
                    )

    def failed(self, *names: str) -> None:
        """Note a failure of each of `names`; only the last 10 000 names are remembered."""
        now = time.monotonic()
        with self._lock:
            for name in names:
                recent = [when for when in self._failures.get(name, ()) if now - when < self._seconds]
                self._failures.keep(name, [*recent[-self._tries :], now])


def add(
    store: Store,
    name: str,
    password: str | None,
    role: str,
    *,
    use_cases: Iterable[str] | None = None,
    by: str = "",
) -> User:
    """Add a user who sees `use_cases` (None: all); without a password one of single sign-on.

    The chain records that, without the name; `by` is who adds them.

    Raises:
        BadOption: the name is taken or cannot be one, or the password is too short.
        UnknownName: there is no such role.
    """
    known_role(role)
    if name.casefold().startswith(_TAKEN):
        raise BadOption(f"No user can be called {name[:200]!r}.", mend=f"{', '.join(_TAKEN)} mean others.")
    row: dict[str, Any] = {
        "name": checked_name(name, "name of a user"),
        "password": NO_PASSWORD if password is None else _hashed(password),
        "role": role,
        "use_cases": packed(use_cases),
        "created": utc_now(),
        "disabled": None,
    }

    def work(connection: Connection) -> int:
        made = connection.execute(insert(users).values(**row)).inserted_primary_key
        assert made is not None
        chain.access(connection, {"user": made[0], "role": role, "sso": password is None}, by)
        return int(made[0])

    try:
        return _user({**row, "id": store.write(work)})
    except IntegrityError:
        raise BadOption(f"There is a user {name!r} already.", mend="Take another name.") from None


def _hashed(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadOption(
            f"A password has {SHORTEST} to {LONGEST} characters.",
            mend="Take a longer one, such as a sentence.",
        )
    return _hasher.hash(password)


def listed(store: Store) -> list[User]:
    """Every user, the oldest first."""
    with store.reading() as connection:
        return [_user(row) for row in connection.execute(select(users).order_by(users.c.id)).mappings()]


def disable(store: Store, name: str, *, by: str = "") -> None:
    """End a user's rights and sessions now; `by` is who does it, for the chain.

    Raises:
        UnknownName: there is no such user.
    """
    _changed(store, name, {"disabled": utc_now()}, {"disabled": True, "by": by})


def _changed(store: Store, name: str, values: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Change a user, end their sessions, and let the chain know."""

    def work(connection: Connection) -> bool:
        number = connection.scalar(select(users.c.id).where(users.c.name == name))
        if number is None:
            return False
        connection.execute(update(users).where(users.c.id == number).values(**values))
        connection.execute(delete(sessions).where(sessions.c.user_id == number))
        chain.access(connection, {"user": number, **told}, told["by"])
        return True

    if not store.write(work):
        raise UnknownName("user", name, [one.name for one in listed(store)])


def only_by_proxy(store: Store, name: str, *, by: str = "") -> None:
    """Let a user in by single sign-on from now on, and no longer by a password; `by` is who does it.

    Raises:
        UnknownName: there is no such user.
    """
    _changed(store, name, {"password": NO_PASSWORD}, {"sso": True, "by": by})


def by_proxy(store: Store, name: str) -> User | None:
    """The account of exactly this name that single sign-on enters; None for none."""
    query = select(users).where(
        users.c.name == name, users.c.password == NO_PASSWORD, users.c.disabled.is_(None)
    )
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else _user(row)


def shut_out(store: Store, name: str) -> bool:
    """Whether there is a disabled account of this name, in letters of either case, entered either way."""
    query = select(users.c.name).where(users.c.disabled.is_not(None))
    with store.reading() as connection:
        return name.casefold() in {one.casefold() for one in connection.scalars(query)}


def log_in(store: Store, name: str, password: str, throttle: Throttle, address: str) -> str:
    """The token of a new session, for a cookie.

    Raises:
        NotKnown: the name or the password is wrong; which one is not said.
        TooMany: there were too many wrong ones.
    """
    who = (f"name:{name[:200]}", f"address:{address}")
    throttle.check(*who)
    with store.reading() as connection:
        row = connection.execute(select(users).where(users.c.name == name)).mappings().first()
    known = row is not None and row["disabled"] is None
    hashed = (row and row["password"]) or _no_password()
    if not _right(hashed, password[: LONGEST + 1]) or not known:
        throttle.failed(*who)
        raise NotKnown("The name or the password is wrong.", mend="Try again.")
    assert row is not None
    token, now = secrets.token_urlsafe(32), utc_now()

    def work(connection: Connection) -> None:
        connection.execute(delete(sessions).where(sessions.c.expires < now))
        connection.execute(
            insert(sessions).values(
                digest=digest(store.secret, token),
                user_id=row["id"],
                created=now,
                expires=now + timedelta(hours=HOURS),
            )
        )

    store.write(work)
    return token


def log_out(store: Store, token: str) -> None:
    """End the session of `token`, if there is one."""
    store.write(
        lambda connection: connection.execute(
            delete(sessions).where(sessions.c.digest == digest(store.secret, token))
        )
    )


def principal(store: Store, token: str) -> Principal:
    """The user of the session of `token`.

    Raises:
        NotKnown: there is no such session, or it has ended.
    """
    own = digest(store.secret, token)
    with store.reading() as connection:
        row = (
            connection.execute(
                select(users, sessions.c.expires).join(sessions).where(sessions.c.digest == own)
            )
            .mappings()
            .first()
        )
    if row is None or row["expires"] <= utc_now() or row["disabled"] is not None:
        raise NotKnown("The session has ended.", mend="Log in again.")
    return Principal(row["name"], ROLES[row["role"]], unpacked(row["use_cases"]), own.hex())


def _right(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _no_password() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash(secrets.token_urlsafe(32)))
    return _nobody[0]


def _user(row: Any) -> User:
    seen = unpacked(row["use_cases"])
    return User(
        row["id"],
        row["name"],
        row["role"],
        None if seen is None else tuple(sorted(seen)),
        row["created"],
        row["disabled"],
        row["password"] == NO_PASSWORD,
    )
