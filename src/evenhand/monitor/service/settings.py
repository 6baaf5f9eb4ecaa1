"""What a service is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenhand.monitor.policy import Policy
    from evenhand.monitor.sso import SingleSignOn
    from evenhand.monitor.store import Store

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Settings:
    """Settings of a service.

    Attributes:
        store: the open database.
        authenticate: whether a key or a session is asked for.
        hosts: names under which the service answers, without ports.
        keep_texts: whether prompts and answers of generations are stored.
        body_limit: the largest body of a request, in bytes.
        per_second, burst: requests of one key or address a second, and how many at once.
        keep_seconds: for how long a page is kept; see `evenhand.monitor.service.keeping`.
        policy: what alerts are made of; None for no alerts.
        https: whether people reach it over HTTPS (through a proxy), so that cookies travel only there.
        public: use cases whose reports everybody may read.
        sso: which proxy says who asks; None for none.
    """

    store: Store
    authenticate: bool = True
    hosts: frozenset[str] = field(default=LOOPBACK)
    keep_texts: bool = False
    body_limit: int = 16 * 2**20
    per_second: float = 200.0
    burst: int = 400
    https: bool = False
    public: frozenset[str] = frozenset()
    keep_seconds: float = 0.0
    policy: Policy | None = None
    sso: SingleSignOn | None = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that probes of reports may ask: those of the policy."""
        return () if self.policy is None else self.policy.probes.endpoints
