"""Who may do what: scopes of API keys, roles of users, and the use cases that either sees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from evenhand.errors import EvenhandError, UnknownName, UsageError

INGEST, READ, FEEDBACK, AUDIT, ACT, ADMIN = "ingest", "read", "feedback", "audit", "act", "admin"
KEY_SCOPES = (INGEST, READ, FEEDBACK, AUDIT, ACT)
"""What a key may be for: send events; read figures; report answers; export; acknowledge alerts."""

ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({READ}),
    "analyst": frozenset({READ, ACT, FEEDBACK}),
    "auditor": frozenset({READ, AUDIT}),
    "admin": frozenset({READ, ACT, FEEDBACK, AUDIT, INGEST, ADMIN}),
}


class NotAllowed(EvenhandError):
    """Who asks is known, and may not do this."""


class NotKnown(EvenhandError):
    """Who asks is not known: no key, no session, or one that has ended."""


class NotThere(UsageError):
    """What is asked for does not exist, or who asks does not see it."""


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Attributes:
        name: for logs and acknowledgements: ``key:NAME`` or a user's name.
        scopes: what may be done.
        use_cases: those that are seen; None for all.
        session: the digest of the session, in hexadecimal; empty for a key.
        by_proxy: whether a proxy says who asks (single sign-on), and keeps the session.
    """

    name: str
    scopes: frozenset[str]
    use_cases: frozenset[str] | None = None
    session: str = ""
    by_proxy: bool = False

    def need(self, scope: str) -> None:
        """Check that `scope` is among the scopes.

        Raises:
            NotAllowed: it is not.
        """
        if scope not in self.scopes:
            raise NotAllowed(
                f"This needs the scope {scope!r}, which {self.name} does not have.",
                mend=f"Use a key made with: evenhand monitor keys create --scope {scope}"
                if scope in KEY_SCOPES
                else "Log in as a user of the role admin.",
            )

    def sees(self, use_case: str) -> bool:
        """Whether `use_case` may be seen."""
        return self.use_cases is None or use_case in self.use_cases

    def need_use_case(self, use_case: str) -> None:
        """Check that `use_case` may be seen.

        Raises:
            NotAllowed: it may not.
        """
        if not self.sees(use_case):
            raise NotAllowed(
                f"{self.name} does not see the use case {use_case!r}.",
                mend="Use a key or a user of this use case.",
            )


EVERYBODY = Principal("nobody (no authentication)", ROLES["admin"])
"""Whoever asks a service that was started with ``--no-auth``."""


def known_role(name: str) -> frozenset[str]:
    """What the role of that name may do.

    Raises:
        UnknownName: there is no such role.
    """
    if name not in ROLES:
        raise UnknownName("role", name, ROLES)
    return ROLES[name]


def known_scopes(names: Iterable[str]) -> tuple[str, ...]:
    """The scopes of these names in the order of `KEY_SCOPES`.

    Raises:
        UnknownName: one is no scope of keys.
    """
    given = set(names)
    for name in given:
        if name not in KEY_SCOPES:
            raise UnknownName("scope of keys", name, KEY_SCOPES)
    return tuple(scope for scope in KEY_SCOPES if scope in given)


def packed(use_cases: Iterable[str] | None) -> str | None:
    """Names of use cases as they are stored."""
    return None if use_cases is None else json.dumps(sorted(set(use_cases)))


def unpacked(text: str | None) -> frozenset[str] | None:
    """Names of use cases, as `packed` has them."""
    return None if text is None else frozenset(json.loads(text))
