"""Behind a proxy that says who asks: whom the service believes, what they may do, and how it is attacked."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi.testclient import TestClient

from evenhand.errors import UsageError
from evenhand.monitor import chain, keys, users, watching
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.service.serving import Wanted, check, configured
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.service.signing_on import PEER, read, said
from evenhand.monitor.sso import parse_sso
from evenhand.monitor.store import Store
from tests.monitor.conftest import HERE
from tests.monitor.replicas import create_app
from tests.monitor.service.test_pages import OWN
from tests.monitor.service.test_pages_acting import token_in, watched

PROXY, STRANGER = "10.0.7.2", "10.0.7.3"
SSO = parse_sso(
    f"""
header = "X-Forwarded-User"
groups_header = "X-Forwarded-Groups"
proxies = ["{PROXY}"]
logout = "/oauth2/sign_out?rd=%2F"

[[group]]
name = "analysts"
role = "analyst"

[[group]]
name = "admins"
role = "admin"
"""
)
ADMIN = {"X-Forwarded-User": "eve", "X-Forwarded-Groups": "admins"}


def asking(store: Store, peer: str = PROXY, *proxies: str, **about) -> TestClient:
    """A browser whose requests come from the address `peer`, through all that uvicorn runs."""
    config = configured(
        create_app(Settings(store, **{"sso": SSO, **about})), Wanted("127.0.0.1", 0, proxies=proxies)
    )
    config.load()
    return TestClient(config.loaded_app, base_url=HERE, follow_redirects=False, client=(peer, 1))


def test_it_is_off_by_default(sqlite) -> None:
    client = asking(sqlite, sso=None)
    assert client.get("/overview", headers=ADMIN).headers["location"].startswith("/login")


def test_a_person_works_with_the_role_of_the_group_and_stands_in_the_chain(store) -> None:
    watched(store)
    client = asking(store)
    client.headers.update({"X-Forwarded-User": "bob", "X-Forwarded-Groups": "staff,analysts"})
    page = client.get("/alerts").text
    assert "<span>sso:bob</span>" in page
    assert client.get("/keys").status_code == 403
    number = watching.listed(store, EVERYBODY, "alert")[0].id
    said = {"token": token_in(page), "note": "withdrawn"}
    assert client.post(f"/alerts/{number}", data=said, headers=OWN).status_code == 303
    with store.reading() as connection:
        contents = [json.loads(e["content"]) for e in chain.entries(connection) if e["kind"] == "alerts"]
    assert contents[-1]["by"] == "sso:bob"


def test_an_account_of_that_name_decides_before_groups(sqlite) -> None:
    users.add(sqlite, "eve", None, "viewer")
    client = asking(sqlite)
    assert "<span>eve</span>" in client.get("/overview", headers=ADMIN).text
    assert client.get("/keys", headers=ADMIN).status_code == 403


def test_whom_nobody_knows_is_told_so_and_gets_nothing(sqlite) -> None:
    client = asking(sqlite)
    for name in ("mallory", "admin", "<script>alert(1)</script>"):
        answer = client.get("/overview", headers={"X-Forwarded-User": name})
        assert (answer.status_code, "may do nothing here" in answer.text) == (403, True)
        assert "<script" not in answer.text
        assert client.get("/v1/alerts", headers={"X-Forwarded-User": name}).status_code == 403


# ---- who is not believed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", "::1", "testclient"])
def test_from_anybody_else_the_header_is_nothing(peer: str, sqlite, caplog) -> None:
    client = asking(sqlite, peer)
    with caplog.at_level(logging.INFO, "evenhand.monitor"):
        assert client.get("/overview.json", headers=ADMIN).status_code == 401
    assert "which is no proxy of it" in caplog.text
    assert "eve" not in caplog.text.replace("evenhand", "")
    assert "admins" not in caplog.text
    key = {"Authorization": f"Bearer {keys.create(sqlite, 'k', ['read']).text}"}
    told = client.get("/metrics", headers=key).text
    assert 'evenhand_single_sign_on_total{outcome="untrusted"} 1' in told


@pytest.mark.parametrize(
    "forwarded", [PROXY, f"{PROXY}, {PROXY}", f"203.0.113.7, {PROXY}", "::ffff:10.0.7.2"]
)
def test_no_x_forwarded_for_makes_a_stranger_the_proxy(forwarded: str, sqlite) -> None:
    """Also where the stranger is a proxy that is trusted to say for whom it asks, but not who that is."""
    for trusted in ((), (STRANGER,), (STRANGER, PROXY), ("10.0.7.0/24",)):
        client = asking(sqlite, STRANGER, *trusted)
        answer = client.get("/overview.json", headers={**ADMIN, "X-Forwarded-For": forwarded})
        assert answer.status_code == 401, trusted


def test_the_proxy_is_believed_whoever_it_asks_for(sqlite) -> None:
    client = asking(sqlite, PROXY, PROXY)
    for forwarded in ("203.0.113.7", "", "unknown"):
        answer = client.get("/keys.json", headers={**ADMIN, "X-Forwarded-For": forwarded})
        assert answer.status_code == 200, forwarded


def test_an_application_that_another_server_runs_believes_nobody(sqlite) -> None:
    client = TestClient(create_app(Settings(sqlite, sso=SSO)), base_url=HERE, client=(PROXY, 1))
    assert client.get("/overview.json", headers=ADMIN).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-User", "bob"), ("X-Forwarded-User", "eve")],
        [("X-Forwarded-User", "eve"), ("x-forwarded-user", "eve")],
        [("X-Forwarded-User", ""), ("X-Forwarded-User", "eve")],
        [("X-Forwarded-User", "bob, eve")],
        [("X-Forwarded-User", b"e\xcc\x81ve")],
        [("X-Forwarded-User", "eve"), ("X-Forwarded-Groups", "analysts"), ("X-Forwarded-Groups", "admins")],
    ],
)
def test_two_names_or_an_odd_one_are_refused_and_guessed_at_by_nobody(headers, sqlite, caplog) -> None:
    answer = asking(sqlite).get("/overview", headers=[*headers, ("X-Forwarded-Groups", "analysts")][:3])
    assert (answer.status_code, "does not say clearly who asks" in answer.text) == (400, True)
    assert answer.headers["x-frame-options"] == "DENY"
    assert "cannot be used" in caplog.text


def test_an_empty_name_is_nobody(sqlite) -> None:
    client = asking(sqlite)
    for name in ("", "   "):
        answer = client.get("/overview.json", headers={**ADMIN, "X-Forwarded-User": name})
        assert answer.status_code == 401


@pytest.mark.parametrize("name", ["X_Forwarded_User", "X-Forwarded_User", "x_forwarded-user"])
def test_headers_that_some_servers_take_for_the_same_say_nothing(name: str, sqlite) -> None:
    client = asking(sqlite)
    assert (
        client.get("/overview.json", headers={name: "eve", "X-Forwarded-Groups": "admins"}).status_code == 401
    )
    users.add(sqlite, "bob", None, "viewer")
    both = {"X-Forwarded-User": "bob", name: "eve", "X_Forwarded_Groups": "admins"}
    assert "<span>bob</span>" in client.get("/overview", headers=both).text


@pytest.mark.parametrize(
    ("peer", "outcome"), [(PROXY, "believed"), (STRANGER, "untrusted"), ("", "untrusted")]
)
def test_no_route_ever_sees_the_headers(peer: str, outcome: str) -> None:
    names = (b"x-forwarded-user", b"x-forwarded-groups", b"x_forwarded_user", b"x-forwarded_groups")
    scope = {"headers": [(b"host", b"x"), *((name, b"eve") for name in names)], PEER: peer}
    assert read(SSO, scope) == outcome
    assert scope["headers"] == [(b"host", b"x")]
    assert (said(scope) is None) == (outcome != "believed")


# ---- forms, sessions and keys beside it ------------------------------------------------------------------


def test_forms_are_bound_to_the_person_and_the_browser(sqlite) -> None:
    made = keys.create(sqlite, "k", ["read"])
    client = asking(sqlite)
    client.headers.update(ADMIN)
    first = client.get("/keys")
    cookie = first.headers["set-cookie"]
    assert re.fullmatch(r"evenhand_form=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", cookie)
    assert "set-cookie" not in client.get("/keys").headers
    place, data = f"/keys/{made.key.id}/revoke", {"token": token_in(first.text)}
    assert client.post(place, data=data).status_code == 403  # the browser says of no page of ours
    assert client.post(place, data=data, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post(place, data={"token": "x"}, headers=OWN).status_code == 403
    mallory = {"X-Forwarded-User": "mallory"}  # another person's form, in the same browser
    assert client.post(place, data=data, headers={**OWN, **mallory}).status_code == 403
    other = asking(sqlite)  # the same person's form, in a browser without the cookie
    assert other.post(place, data=data, headers={**OWN, **ADMIN}).status_code == 403
    assert client.post(place, data=data, headers=OWN).status_code == 303


def test_the_cookie_of_forms_travels_by_https_alone_where_that_is_spoken(sqlite) -> None:
    assert "; Secure" in asking(sqlite, https=True).get("/keys", headers=ADMIN).headers["set-cookie"]


def test_another_host_is_refused_before_anybody_is_believed(sqlite) -> None:
    assert asking(sqlite).get("/overview", headers={**ADMIN, "Host": "evil.example"}).status_code == 400


def test_the_api_takes_changes_from_own_pages_only(sqlite) -> None:
    client = asking(sqlite)
    assert client.post("/v1/events", json=[], headers=ADMIN).status_code == 403
    assert client.post("/v1/events", json=[], headers={**ADMIN, **OWN}).status_code == 200


def test_logging_out_says_that_the_proxy_keeps_the_session(sqlite) -> None:
    client = asking(sqlite)
    client.headers.update(ADMIN)
    assert client.get("/login?next=%2Fkeys").headers["location"] == "/keys"
    data = {"token": token_in(client.get("/overview").text)}
    assert client.post("/logout", data={"token": "x"}, headers=OWN).status_code == 403
    answer = client.post("/logout", data=data, headers=OWN)
    assert "keeps that session" in answer.text
    assert 'href="/oauth2/sign_out?rd=%2F"' in answer.text
    assert "evenhand_form" not in client.cookies
    assert client.get("/overview").status_code == 200  # as the page says


def test_a_key_is_a_key_through_the_proxy_and_other_credentials_are_the_proxy_s(sqlite) -> None:
    client = asking(sqlite)
    key = f"Bearer {keys.create(sqlite, 'app', ['read']).text}"
    assert client.get("/v1/holds", headers={**ADMIN, "Authorization": key}).status_code == 403
    assert client.get("/v1/alerts", headers={"Authorization": key}).status_code == 200
    for others in ("Bearer eyJhbGciOiJSUzI1NiJ9.e30.x", "Basic ZXZlOng="):  # of Apache, of oauth2-proxy
        assert client.get("/v1/holds", headers={**ADMIN, "Authorization": others}).status_code == 200
        assert client.get("/v1/holds", headers={"Authorization": others}).status_code == 401


def test_who_the_proxy_names_is_not_who_logged_in_before_in_that_browser(sqlite, monkeypatch) -> None:
    from argon2 import PasswordHasher

    monkeypatch.setattr(users, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    users.add(sqlite, "root", "correct horse battery", "admin")
    client = asking(sqlite)
    given = {"name": "root", "password": "correct horse battery"}
    assert client.post("/login", data=given, headers=OWN).status_code == 303  # nobody is named: as ever
    assert "<span>root</span>" in client.get("/keys").text
    bob = {"X-Forwarded-User": "bob", "X-Forwarded-Groups": "analysts"}
    assert "<span>sso:bob</span>" in client.get("/overview", headers=bob).text
    assert client.get("/keys", headers=bob).status_code == 403


def test_without_authentication_it_must_not_start() -> None:
    with pytest.raises(UsageError, match="--sso would do nothing"):
        check(Wanted("127.0.0.1", 0, authenticate=False, sso=SSO))


# ---- on a real connection --------------------------------------------------------------------------------


@contextlib.contextmanager
def listening(store: Store) -> Iterator[int]:
    """A server that trusts every local address for X-Forwarded-For, and 127.0.0.2 for who asks; its port."""
    local = SSO.model_copy(update={"proxies": ("127.0.0.2",)})
    wanted = Wanted("127.0.0.1", 0, proxies=("127.0.0.0/8",))
    server = uvicorn.Server(configured(create_app(Settings(store, sso=local)), wanted))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def sent(port: int, source: str, *lines: str) -> str:
    """The status of a request whose header lines are sent as they are, from the address `source`."""
    head = ["GET /keys.json HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", *lines, "", ""]
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0)) as connection:
        connection.sendall("\r\n".join(head).encode())
        return connection.makefile("rb").readline().decode().split()[1]


def test_the_address_of_the_connection_decides(sqlite) -> None:
    own = ("X-Forwarded-User: eve", "X-Forwarded-Groups: admins")
    with listening(sqlite) as port:
        assert sent(port, "127.0.0.2", *own) == "200"
        assert sent(port, "127.0.0.2", *own, "X-Forwarded-For: 203.0.113.7") == "200"
        assert sent(port, "127.0.0.3", *own) == "401"
        assert sent(port, "127.0.0.3", *own, "X-Forwarded-For: 127.0.0.2") == "401"
        assert sent(port, "127.0.0.3", *own, "X-Forwarded-For: 127.0.0.2, 127.0.0.3") == "401"
        assert sent(port, "127.0.0.3", *own, "Forwarded: for=127.0.0.2", "X-Real-IP: 127.0.0.2") == "401"
        assert sent(port, "127.0.0.2", *own, "X-Forwarded-User: root") == "400"
        assert sent(port, "127.0.0.2", "X_Forwarded_User: eve", own[1]) == "401"
        assert sent(port, "127.0.0.2", "X-Forwarded-User : eve", own[1]) in ("400", "401")
        assert sent(port, "127.0.0.2", "X\u2010Forwarded\u2010User: eve", own[1]) in ("400", "401")
