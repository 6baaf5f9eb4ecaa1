"""Who asks, behind a proxy; and what must not start."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from evenhand.errors import UsageError
from evenhand.monitor.service.serving import Wanted, check, configured


def asked(peer: str, forwarded: str, *proxies: str) -> str:
    """Who the service believes is asking, of a connection from `peer`."""
    app = FastAPI()

    @app.get("/")
    def who(request: Request) -> str:
        return request.client.host if request.client else ""

    config = configured(app, Wanted("127.0.0.1", 0, proxies=proxies))
    config.load()
    client = TestClient(config.loaded_app, client=(peer, 1))
    return client.get("/", headers={"X-Forwarded-For": forwarded}).json()


def test_only_a_trusted_proxy_says_who_asks() -> None:
    assert asked("10.0.0.9", "203.0.113.7") == "10.0.0.9"
    assert asked("10.0.0.9", "203.0.113.7", "10.0.0.9") == "203.0.113.7"
    assert asked("10.0.0.9", "203.0.113.7", "10.0.0.0/24") == "203.0.113.7"
    assert asked("10.0.1.9", "203.0.113.7", "10.0.0.0/24") == "10.0.1.9"


def test_what_a_client_put_before_the_proxy_is_not_believed() -> None:
    assert asked("10.0.0.9", "127.0.0.1, 203.0.113.7", "10.0.0.9") == "203.0.113.7"


@pytest.mark.parametrize("proxy", ["*", "proxy.example", ""])
def test_a_proxy_is_an_address(proxy: str) -> None:
    with pytest.raises(UsageError, match="is no address of a proxy"):
        check(Wanted("127.0.0.1", 0, proxies=(proxy,)))
