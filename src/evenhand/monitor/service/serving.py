"""Starting the service, and stopping it after what it has begun."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from evenhand.errors import EnvironmentProblem, UsageError
from evenhand.monitor import canaries, chain, retention, sending, watching
from evenhand.monitor.periodic import Periodic, running
from evenhand.monitor.policy import Policy
from evenhand.monitor.service.app import create_app
from evenhand.monitor.service.settings import LOOPBACK, Settings
from evenhand.monitor.service.signing_on import Peer

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.engine import Connection

    from evenhand.monitor.sso import SingleSignOn
    from evenhand.monitor.store import Store

_SSO = "single sign-on"
KEEP = 3.0  # seconds that figures may be old
GRACE = 20  # seconds for requests that have begun when the service is stopped


@dataclass(frozen=True)
class Wanted:
    """How the service is to run; see the options of ``evenhand monitor serve``."""

    host: str
    port: int
    authenticate: bool = True
    names: tuple[str, ...] = ()
    keep_texts: bool = False
    https: bool = False
    policy: Path | None = None
    public: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    sso: SingleSignOn | None = None


def check(wanted: Wanted) -> None:
    """Refuse what must not start.

    Raises:
        UsageError: others could reach a service that asks for nothing, a proxy has no address, or who a proxy
            names would not be asked for.
    """
    for one in wanted.proxies:
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            raise UsageError(
                f"{one!r} is no address of a proxy.",
                mend="Write the address from which it asks, such as 127.0.0.1 or 10.0.0.0/24; no name.",
            ) from None
    if wanted.sso is not None and not wanted.authenticate:
        raise UsageError(
            "With --no-auth nobody is asked who they are, so --sso would do nothing.",
            mend="Leave one of the two out.",
        )
    if not wanted.authenticate and not is_loopback(wanted.host):
        raise UsageError(
            f"With --no-auth everybody who reaches {wanted.host} could read and change everything.",
            mend="Leave --no-auth out, or listen at 127.0.0.1 only.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def serve(store: Store, wanted: Wanted) -> int:
    """Serve until Ctrl-C or SIGTERM; 0 is returned when everything that had begun is answered.

    Raises:
        EnvironmentProblem: the address cannot be listened at.
        BadData: the policy cannot be used.
    """
    policy = None if wanted.policy is None else watching.policy_of(wanted.policy)
    tasks = _tasks(store, policy)
    own = {wanted.host.strip("[]").lower()} - {"0.0.0.0", "::"}
    settings = Settings(
        store,
        authenticate=wanted.authenticate,
        hosts=LOOPBACK | own | {name.strip("[]").lower() for name in wanted.names},
        keep_texts=wanted.keep_texts,
        https=wanted.https,
        policy=policy,
        keep_seconds=KEEP,
        public=frozenset(wanted.public),
        sso=wanted.sso,
    )
    _enter(store, wanted.sso)
    listening = _listen(wanted)
    config = configured(create_app(settings), wanted)
    with listening, _logged(), running(*tasks):
        where = f"[{wanted.host}]" if ":" in wanted.host.strip("[]") else wanted.host
        if wanted.sso is not None:
            print(f"evenhand monitor: {wanted.sso.told()}", file=sys.stderr)
        print(f"evenhand monitor: http://{where}:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
        # The server ends in order, then sends itself the signal again, which the command line would call
        # an interruption: a service that was stopped is done.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    return 0


def _enter(store: Store, sso: SingleSignOn | None) -> None:
    """Enter the single sign-on into the chain where it is another one; also that there is none any more."""
    entry = {} if sso is None else sso.published()

    def work(connection: Connection) -> None:
        if entry or chain.configuration(connection, _SSO):
            chain.configure(connection, _SSO, entry)

    store.write(work)


def configured(app: FastAPI, wanted: Wanted) -> uvicorn.Config:
    """How uvicorn serves `app`: who asks is who connects, or what a proxy that is trusted says of it.

    The address of the connection itself stays known: single sign-on believes that alone.
    """
    inner: Any = ProxyHeadersMiddleware(app, list(wanted.proxies)) if wanted.proxies else app  # type: ignore[arg-type]
    return uvicorn.Config(
        Peer(inner),
        log_config=None,
        access_log=False,  # its lines hold whole addresses; the guard writes its own
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )


def _tasks(store: Store, policy: Policy | None) -> list[Periodic]:
    """What runs beside the requests.

    Raises:
        BadData, EnvironmentProblem: the policy's messages cannot be sent.
    """
    allowed = () if policy is None else policy.probes.endpoints
    tasks = [Periodic("canaries", lambda: canaries.run_due(store, allowed=allowed), every=60)]
    if policy is not None:
        sender = sending.Sender.of(policy)
        tasks.append(Periodic("messages", lambda: sending.work_off(store, sender), every=5))
        watcher = watching.Watcher(policy)
        tasks.append(Periodic("alerts", lambda: watcher.by_clock(store), every=300))
        tasks.append(Periodic("retention", lambda: retention.daily(store, policy.retention), every=600))
    return tasks


def _listen(wanted: Wanted) -> socket.socket:
    host = wanted.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, wanted.port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, wanted.port))
    except OSError as error:
        raise EnvironmentProblem(
            f"{wanted.host}:{wanted.port} cannot be listened at: {error.strerror or error}.",
            mend="Stop what is there, or take another --port.",
        ) from None
    return made


@contextlib.contextmanager
def _logged() -> Iterator[None]:
    """Lines of the service and of uvicorn's errors on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    names = {"evenhand.monitor": logging.INFO, "uvicorn.error": logging.WARNING}
    for name, level in names.items():
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
