"""The files of ``deploy/`` for nginx and Caddy, each in that program itself, before the monitor's service."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from evenhand.monitor import chain, keys, users
from evenhand.monitor.store import open_store
from tests.monitor.made import decision
from tests.real.monitored import served
from tests.support.ports import free_port

pytestmark = pytest.mark.real
DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "bias.example.org"
LARGE = b" " * (16 * 1024**2 + 1)  # one byte more than a body may have
FORM = {"Origin": f"https://{NAME}"}  # what a browser says of a form of this site
CADDY = """
{{
    admin off
    local_certs
    skip_install_trust
    auto_https disable_redirects
    storage file_system {folder}
}}
import {file}
"""
MAIN = """
{user}
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of that name and its key, in one file, for an hour."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return path


@contextlib.contextmanager
def nginx(conf: str, ports: dict[str, int], certificate: Path, folder: Path) -> Iterator[Asking]:
    """A file of ``deploy/`` in nginx; its ports and paths alone are others."""
    folder.mkdir()
    text = (DEPLOY / conf).read_text(encoding="utf-8")
    for old, new in (
        *((f":{old}", f":{new}") for old, new in ports.items()),
        ("listen 443", f"listen 127.0.0.1:{ports['443']}"),
        ("listen 80", f"listen 127.0.0.1:{ports['80']}"),
        ("/etc/ssl/bias.example.org.pem", str(certificate)),
        ("/etc/ssl/private/bias.example.org.key", str(certificate)),
    ):
        text = text.replace(old, new)
    (folder / "site.conf").write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers may not write here
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, user=user), encoding="utf-8")
    with running([program("nginx"), "-p", str(folder), "-c", str(main)], folder):
        yield Asking(ports["443"], certificate, folder)


@contextlib.contextmanager
def caddy(address: str, folder: Path) -> Iterator[Asking]:
    """The Caddyfile as it stands, with certificates of Caddy's own authority."""
    folder.mkdir()
    port, main = free_port(), folder / "Caddyfile"
    main.write_text(CADDY.format(folder=folder, file=DEPLOY / "Caddyfile"), encoding="utf-8")
    given = {"EVENHAND_HOST": f"{NAME}:{port}", "EVENHAND_UPSTREAM": address.removeprefix("http://")}
    command = [program("caddy"), "run", "--config", str(main), "--adapter", "caddyfile"]
    authority = folder / "pki/authorities/local/root.crt"
    with running(command, folder, given):
        until(authority.is_file, folder)
        yield Asking(port, authority, folder)


def program(name: str) -> str:
    """The path of a proxy."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"Install {name}: .ci/run does."
    return found


@contextlib.contextmanager
def running(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """A proxy that runs meanwhile; what it says is in `folder`."""
    with (folder / "error.log").open("w") as log:
        started = subprocess.Popen(command, env={**os.environ, **(env or {})}, stderr=log)
        try:
            yield
        finally:
            started.terminate()
            started.wait(30)


def until(true: Callable[[], bool], folder: Path) -> None:
    """Wait for ten seconds at most."""
    for _ in range(100):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError((folder / "error.log").read_text(encoding="utf-8"))


class Asking:
    """Requests through a proxy, under the name that its certificate has."""

    def __init__(self, port: int, authority: Path, folder: Path) -> None:
        self.client = httpx.Client(
            base_url=f"https://127.0.0.1:{port}",
            headers={"Host": NAME},
            verify=ssl.create_default_context(cafile=authority),
            timeout=60,
        )
        until(self._answers, folder)

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, extensions={"sni_hostname": NAME}, **more)

    def _answers(self) -> bool:
        try:
            return bool(self("GET", "/health").status_code)
        except httpx.ConnectError:
            return False


def ports_for(address: str, **more: int) -> dict[str, int]:
    """The ports to put in the place of those of ``deploy/``."""
    return {"8750": int(address.rsplit(":", 1)[1]), "443": free_port(), "80": free_port(), **more}


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
def test_the_service_behind_tls(proxy: str, certificate: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with contextlib.closing(open_store(data)) as store:
        users.add(store, "ada", "correct horse battery", "viewer")
        key = keys.create(store, "app", ["ingest"]).text
    behind = ("--data", str(data), "--https", "--allow-host", NAME, "--trust-proxy", "127.0.0.1")
    with served(*behind) as address, contextlib.ExitStack() as stack:
        if proxy == "caddy":
            ask = stack.enter_context(caddy(address, tmp_path / "proxy"))
        else:
            ports = ports_for(address)
            ask = stack.enter_context(nginx("nginx.conf", ports, certificate, tmp_path / "proxy"))
            moved = httpx.get(f"http://127.0.0.1:{ports['80']}/alerts?a=b", headers={"Host": NAME})
            assert (moved.status_code, moved.headers["location"]) == (301, f"https://{NAME}/alerts?a=b")
        _people(ask)
        _programs(ask, key)
        for content in (LARGE, (LARGE[:65536] for _ in range(257))):  # with its length, and in pieces
            bearer = {"Authorization": f"Bearer {key}"}
            assert httpx.post(f"{address}/v1/events", content=content, headers=bearer).status_code == 413
        _nobody_chooses_the_address_that_is_slowed(ask)


def _people(ask: Asking) -> None:
    assert ask("GET", "/overview").headers["location"].startswith("/login")
    given = {"name": "ada", "password": "correct horse battery", "next": "/overview"}
    entered = ask("POST", "/login", data=given, headers=FORM)
    assert (entered.status_code, entered.headers["location"]) == (303, "/overview")
    assert "; Secure" in entered.headers["set-cookie"]
    assert ask("GET", "/overview").status_code == 200
    assert ask("POST", "/logout", headers={"Origin": "https://evil.example"}).status_code == 403
    assert ask("GET", "/overview").status_code == 200  # nobody was logged out


def _programs(ask: Asking, key: str) -> None:
    ask.client.cookies.clear()
    bearer = {"Authorization": f"Bearer {key}"}
    batch = [decision(str(number)).model_dump(mode="json", exclude_none=True) for number in range(500)]
    assert ask("POST", "/v1/events", json=batch, headers=bearer).json()["accepted"] == 500
    assert ask("POST", "/v1/events", json=batch).status_code == 401
    assert ask("POST", "/v1/events", content=LARGE, headers=bearer).status_code == 413


def _nobody_chooses_the_address_that_is_slowed(ask: Asking) -> None:
    """Wrong passwords for other names, each from an address that the client made up."""

    def wrong(number: int) -> httpx.Response:
        given = {"name": f"name{number}", "password": "wrong"}
        return ask("POST", "/login", data=given, headers={**FORM, "X-Forwarded-For": f"10.1.1.{number}"})

    assert [wrong(number).status_code for number in range(users.TRIES)] == [401] * users.TRIES
    assert wrong(99).status_code == 429


class Provider(BaseHTTPRequestHandler):
    """What oauth2-proxy answers nginx: who a cookie belongs to, or that nobody has logged in."""

    def do_GET(self) -> None:
        who = SimpleCookie(self.headers.get("Cookie", "")).get("who")
        if self.path != "/oauth2/auth":
            self.send_response(200)
        elif who is not None:
            self.send_response(202)
            user, groups = who.value.split("/")
            self.send_header("X-Auth-Request-User", user)
            self.send_header("X-Auth-Request-Groups", groups)
        else:
            self.send_response(401)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"log in")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def provider() -> Iterator[int]:
    """A server in oauth2-proxy's place; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_single_sign_on(certificate: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with contextlib.closing(open_store(data)) as store:
        key = keys.create(store, "app", ["read"]).text
    behind = ("--data", str(data), "--https", "--allow-host", NAME, "--trust-proxy", "127.0.0.1")
    with served(*behind, "--sso", str(DEPLOY / "sso.toml")) as address, provider() as port:
        ports = ports_for(address, **{"4180": port})
        with nginx("nginx-oauth2-proxy.conf", ports, certificate, tmp_path / "nginx") as ask:
            _who_logged_in(ask)
            _what_a_client_says_of_itself(ask, key)
    with contextlib.closing(open_store(data)) as store:
        assert chain.check(store) == []


def _who_logged_in(ask: Asking) -> None:
    assert ask("GET", "/overview").text == "log in"
    for group, code in (("fairness-admins", 200), ("fairness", 403), ("elsewhere", 403)):
        entered = ask("GET", "/keys", headers={"Cookie": f"who=ada/{group}"})
        assert entered.status_code == code, group
    assert "sso:ada" in ask("GET", "/overview", headers={"Cookie": "who=ada/fairness"}).text


def _what_a_client_says_of_itself(ask: Asking, key: str) -> None:
    """Headers of a client are replaced, or they do not pass, with a log-in, without one, and with a key."""
    for claim in (
        {"X-Forwarded-User": "mallory", "X-Forwarded-Groups": "fairness-admins"},
        {"X_Forwarded_User": "mallory", "X_Forwarded_Groups": "fairness-admins"},
    ):
        assert ask("GET", "/keys", headers=claim).text == "log in"
        mine = {**claim, "Cookie": "who=ada/loans-team"}
        assert ask("GET", "/keys", headers=mine).status_code == 403
        seen = ask("GET", "/overview", headers=mine).text
        assert "sso:ada" in seen
        assert "mallory" not in seen
        assert ask("GET", "/v1/alerts", headers=claim).status_code == 401
        assert ask("GET", "/v1/alerts", headers={**claim, "Authorization": f"Bearer {key}"}).json() == []


def test_nginx_reads_both_files(certificate: Path, tmp_path: Path) -> None:
    """Apart from ports and paths they are taken as they stand."""
    for conf in ("nginx.conf", "nginx-oauth2-proxy.conf"):
        ports = {"8750": 8750, "4180": 4180, "443": free_port(), "80": free_port()}
        with nginx(conf, ports, certificate, tmp_path / conf) as ask:
            assert ask("GET", "/health").status_code == 502  # nothing listens behind it
